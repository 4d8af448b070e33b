import datetime as dt
import subprocess
import tomllib
from typing import Any

import pytest

from tools import audit

TODAY = dt.date(2026, 11, 22)
HOLE = {"id": "PYSEC-2026-1", "aliases": ["GHSA-aaaa-bbbb-cccc"], "fix_versions": ["1.2.4"]}


def report(**more: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    fine = {"name": "good", "version": "2.0", "vulns": []}
    return {"dependencies": [fine, {"name": "bad", "version": "1.2.3", **more}], "fixes": []}


def allow(until: str = "2026-12-01", package: str = "bad") -> dict[str, dict[str, Any]]:
    entry = {"package": package, "reason": "not reached", "until": dt.date.fromisoformat(until)}
    return {"GHSA-aaaa-bbbb-cccc": entry}


def test_a_known_vulnerability_fails_with_the_version_that_mends_it() -> None:
    verdict = audit.judge(report(vulns=[HOLE]), {}, TODAY)
    assert verdict.code == 1
    assert "audit: VULNERABLE: bad 1.2.3: PYSEC-2026-1; mended in: 1.2.4" in verdict.lines
    assert audit.judge(report(vulns=[]), {}, TODAY).code == 0


@pytest.mark.parametrize(
    ("allowed", "code"),
    [(allow(), 0), (allow("2026-11-21"), 1), (allow(package="other"), 1)],
)
def test_what_is_allowed_has_a_reason_and_an_end(allowed: Any, code: int) -> None:  # noqa: ANN401 (TOML)
    verdict = audit.judge(report(vulns=[HOLE]), allowed, TODAY)
    assert verdict.code == code
    assert ("not reached" in "".join(verdict.lines)) is (code == 0)


def test_an_entry_that_fits_nothing_is_a_fault() -> None:
    verdict = audit.judge(report(vulns=[]), allow(), TODAY)
    assert verdict.code == 1
    assert "fits nothing" in verdict.lines[0]


def test_what_could_not_be_looked_up_is_said() -> None:
    verdict = audit.judge(report(skip_reason="not found"), {}, TODAY)
    assert (verdict.code, "SKIPPED: 1 of 2" in verdict.lines[0]) == (0, True)
    nobody = {"dependencies": [{"name": "a", "skip_reason": "x"}]}
    verdict = audit.judge(nobody, allow(), TODAY)
    assert [line.startswith("audit: SKIPPED") for line in verdict.lines] == [True]


@pytest.mark.parametrize("told", ["", "nonsense", "[]", "{}"])
def test_a_list_that_cannot_be_had_is_no_pass(
    told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*asked: object, **more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, stdout=told, stderr="no such host\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == 0
    assert "SKIPPED, nothing was looked up: no such host" in capsys.readouterr().out


def test_the_list_of_exceptions_can_be_read() -> None:
    for name, entry in tomllib.loads(audit.ALLOW.read_text("utf-8")).items():
        assert {"package", "reason", "until"} == entry.keys(), name
        assert isinstance(entry["until"], dt.date)

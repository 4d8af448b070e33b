"""Tries one sabotage in a copy of the tree: spoil, run its tests, mend, say who saw it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools import copies
from tools.sabotage import entries

LIMIT_S: Final = 300
_SEEN: Final = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)
# A plugin that none of the tests asked here needs; importing it is two thirds of a start.
_LEAN: Final = ("-p", "no:schemathesis")
_FAILED: Final = 1  # pytest: tests were collected and run, and some failed
# Where nobody of the named saw it, the whole room's tests are asked, then the simulation.
_WIDER: Final = (
    ("bot/console/", ("tests/bot/console",)),
    ("bot/policy/", ("tests/bot/policy", "tests/bot/dispatcher", "tests/bot/inbox")),
    ("bot/dispatcher/", ("tests/bot/dispatcher",)),
    ("bot/inbox/", ("tests/bot/inbox", "tests/bot/flood")),
    ("bot/store/", ("tests/bot/store", "tests/bot/inbox")),
    ("bot/web/", ("tests/bot/web",)),
    ("bot/flood/", ("tests/bot/flood",)),
    ("bot/contract/", ("tests/bot/contract", "tests/bot/test_ledger.py")),
    ("bridges/matrix/", ("tests/bridges/matrix",)),
    ("bridges/signal/", ("tests/bridges/signal",)),
    ("bridges/sms/twilio/", ("tests/bridges/sms/twilio",)),
    ("bridges/sms/smsgate/", ("tests/bridges/sms/smsgate",)),
    ("bridges/sms/seven", ("tests/bridges/sms/seven",)),
    ("bot/", ("tests/bot/dispatcher", "tests/bot/test_janitor.py", "tests/bot/test_receipts.py")),
)
_LAST: Final = ("tests/dst/test_dst.py", "tests/e2e")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`caught_by`: the first test that failed; empty if none did. `wide`: not one of the named."""

    name: str
    caught_by: str
    seconds: float
    wide: bool = False
    trouble: str = ""

    @property
    def caught(self) -> bool:
        """Whether a test saw it."""
        return bool(self.caught_by)


def attempt(one: entries.Entry, copy: Path, turn: int, *, narrow: bool = False) -> Verdict:
    """Spoil `copy`, ask the tests, and mend it again. `narrow`: only the named tests."""
    path = copy / one.file
    source, kept = path.read_text("utf-8"), path.stat()
    begun = time.monotonic()
    try:
        path.write_text(one.spoil(source), "utf-8")
        # Compiled modules are told apart by whole seconds: each spoilt file has one of its own.
        moment = int(kept.st_mtime) + 10 * (turn + 1)
        os.utime(path, (moment, moment))
        for wide, tests in _suites(one, narrow=narrow):
            there = [test for test in tests if (copy / test.partition("::")[0]).exists()]
            code, output = _ask(copy, there)
            seconds = time.monotonic() - begun
            if code == _FAILED:
                found = _SEEN.search(output)
                by = found[1] if found else "a test that said no name"
                return Verdict(name=one.name, caught_by=by, seconds=seconds, wide=wide)
            if code != 0:
                why = output.strip().splitlines()[-1:] or [""]
                trouble = f"pytest ended with {code}: {why[0][:200]}"
                return Verdict(name=one.name, caught_by="", seconds=seconds, trouble=trouble)
        return Verdict(name=one.name, caught_by="", seconds=time.monotonic() - begun)
    except entries.StaleError as error:
        return Verdict(name=one.name, caught_by="", seconds=0.0, trouble=f"stale: {error}")
    finally:
        path.write_text(source, "utf-8")
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


def _suites(one: entries.Entry, *, narrow: bool) -> list[tuple[bool, Sequence[str]]]:
    named: list[tuple[bool, Sequence[str]]] = [(False, one.tests)]
    if narrow:
        return named
    room = next((tests for folder, tests in _WIDER if one.file.startswith(folder)), ())
    return [*named, (True, room), (True, _LAST)] if room else [*named, (True, _LAST)]


def red(copy: Path, tests: Sequence[str]) -> set[str]:
    """Those of these tests that fail in the copy as it is, with all their parameters."""
    functions = sorted({one.partition("[")[0] for one in tests})
    there = [one for one in functions if (copy / one.partition("::")[0]).is_file()]
    if not there:
        return set()
    code, output = _ask(copy, there, "--maxfail=1000")
    if code not in {0, _FAILED}:
        return set(tests)
    failing = {one.partition("[")[0] for one in _SEEN.findall(output)}
    return {one for one in tests if one.partition("[")[0] in failing}


def _ask(copy: Path, tests: Sequence[str], how: str = "-x") -> tuple[int, str]:
    """What pytest ended with and said; a hang is a failure that has no name."""
    prefix = str(copy / ".cache" / "pycache")
    told = dict(copies.environment(copy, PYTHONPYCACHEPREFIX=prefix))
    del told["PYTHONDONTWRITEBYTECODE"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        how,
        "-q",
        "--no-header",
        "--tb=line",
        *_LEAN,
        *tests,
    ]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=told,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return _FAILED, f"FAILED {tests[0]} (hung)"
    return done.returncode, done.stdout + done.stderr

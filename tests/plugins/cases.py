"""Pytest plugin: which tests hold up which case, and how they ended.

`@pytest.mark.case("C07")` names a case of tests/cases.toml; an unknown id stops the run before the
first test. With `--cases` only marked tests run. What was seen is written as JSON, which
tools/cases.py prints. The plugin judges nothing: it only writes down.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

CASES_FILE = Path(__file__).resolve().parent.parent / "cases.toml"
DEFAULT_REPORT = ".cache/cases.json"
PROPERTY = "case"


def known_cases(path: Path = CASES_FILE) -> dict[str, str]:
    """Case id -> title, in the order of the file."""
    return {str(k): str(v) for k, v in tomllib.loads(path.read_text("utf-8"))["cases"].items()}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --cases and --cases-json."""
    group = parser.getgroup("cases")
    group.addoption("--cases", action="store_true", help="run only tests marked with a case")
    group.addoption(
        "--cases-json",
        metavar="PATH",
        help=f"where to write case -> tests -> outcome ({DEFAULT_REPORT} with --cases)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start recording when somebody asked for the report."""
    config.addinivalue_line("markers", "case(*ids): the cases that this test holds up")
    target = config.getoption("--cases-json") or (
        DEFAULT_REPORT if config.getoption("--cases") else None
    )
    if target and not hasattr(config, "workerinput"):
        path = Path(target)
        path = path if path.is_absolute() else config.rootpath / path
        config.pluginmanager.register(Recorder(path), "cases-recorder")


def case_ids(item: pytest.Item) -> list[str]:
    """The ids that this test is marked with, each once."""
    ids: dict[str, None] = {}
    for mark in item.iter_markers(PROPERTY):
        if not mark.args:
            msg = f"{item.nodeid}: the case marker names no case"
            raise pytest.UsageError(msg)
        ids.update((str(argument), None) for argument in mark.args)
    return list(ids)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse unknown ids, hand the known ones to the reports, leave only marked tests."""
    known = known_cases()
    marked: list[pytest.Item] = []
    unknown: list[str] = []
    for item in items:
        ids = case_ids(item)
        unknown += [f"{item.nodeid}: {name}" for name in ids if name not in known]
        # A report carries its test's properties, also from another process.
        item.user_properties += [(PROPERTY, name) for name in ids]
        if ids:
            marked.append(item)
    if unknown:
        lines = "\n  ".join(unknown)
        msg = f"unknown case (tests/cases.toml has {len(known)}):\n  {lines}"
        raise pytest.UsageError(msg)
    if config.getoption("--cases"):
        chosen = set(marked)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = marked


class Recorder:
    """Collects case -> test -> outcome and writes it when the run is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, dict[str, str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write down every marked test first, so that one that never ran is seen."""
        for item in session.items:
            self._note(item.nodeid, item.user_properties, "not run")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take each phase in: the call decides, unless setting up or tearing down broke."""
        if report.when == "call" or not report.passed:
            self._note(report.nodeid, report.user_properties, outcome(report))

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dict(sorted(self._tests.items())), indent=1)
        self._path.write_text(text + "\n", encoding="utf-8")

    def _note(self, nodeid: str, properties: Sequence[tuple[str, object]], result: str) -> None:
        for name, value in properties:
            if name == PROPERTY:
                self._tests.setdefault(str(value), {})[nodeid] = result


def outcome(report: pytest.TestReport) -> str:
    """One word: passed, failed, error (outside the test's body), skipped or xfailed."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "passed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)

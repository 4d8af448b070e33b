"""What every test stands on: no network, repeatable examples, the shared files, Chromium."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest
import structlog

pytest_plugins = [
    "pytester",
    "tests.plugins.budget",
    "tests.plugins.cases",
    "tests.plugins.network",
]

ROOT = Path(__file__).resolve().parent.parent

# CI must not fail by chance: the same examples each time, and no deadline on a shared machine.
hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, database=None, print_blob=True
)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=5000)
hypothesis.configuration.set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


def find_chromium() -> str | None:
    """The Chromium that browser tests drive, or None."""
    for candidate in (os.environ.get("ANTIRELOU_CHROMIUM"), "/usr/bin/chromium"):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip browser tests where there is no browser, and say how to get one."""
    if item.get_closest_marker("browser") and find_chromium() is None:
        pytest.skip("no Chromium: apt install chromium, or set ANTIRELOU_CHROMIUM")


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give the process back its own logging: commands tried in this process set up theirs."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    levels = {name: one.level for name, one in _loggers()}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.root.manager.loggerDict.items()
    return [(name, one) for name, one in known if isinstance(one, logging.Logger)]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for playwright's executable_path; skips where there is none."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium: apt install chromium, or set ANTIRELOU_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that pyproject.toml stands in."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The recorded contracts and scenarios beside the clone; skips where they are not there."""
    told = os.environ.get("ANTIRELOU_SHARED")
    path = Path(told) if told else ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip(f"no shared files at {path}: set ANTIRELOU_SHARED")
    return path

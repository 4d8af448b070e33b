"""Asks mutants their tests out of one warm process: pytest collects once, each mutant is a fork.

    python -m tools.mutants.warm make JOBS       # in the copy: write all mutants (mutmut)
    python -m tools.mutants.warm ask             # in its mutants/: told by JSON on standard input

mutmut starts pytest anew for each mutant, which costs seconds; here a mutant costs a fork and the
tests that reach its function, the nearest first, until one fails. Those that would take more
than `PATIENCE_S` altogether are not asked: who survives the others counts as a survivor. The
process that forks has run no test, so no mutant finds what another left in a cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

PATIENCE_S: Final = 4.0
NO_TEST: Final = 33
TIMEOUT: Final = 36
_KILLED: Final = 1
_ODD: Final = 70
# What else a hang is known by; a busy machine must not look like one.
_CPU_S: Final = 8
_WALL_S: Final = 40.0
_TURN_S: Final = 0.005


def make(jobs: int) -> None:
    """Write every mutant below `mutants/`, with what is known of each (`.meta`)."""
    mutmut: Any = importlib.import_module("mutmut.__main__")  # reads its configuration from here
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(jobs)


@dataclasses.dataclass(slots=True, kw_only=True)
class Known:
    """What the tests do without a mutant."""

    seconds: dict[str, float]
    by_function: dict[str, list[str]]
    red: list[str]


class Asking:
    """A pytest plugin that takes over the loop of the tests."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._files: list[str] = told["files"]
        self._keys: set[str] = set(told["keys"])
        self._tests: list[str] = told["tests"]
        self._jobs: int = told["jobs"]
        self._until = time.monotonic() + told["limit_s"]
        self._scratch = Path(tempfile.mkdtemp(prefix="mutants-", dir=told["scratch"]))
        self._failed = False
        self._meta: dict[str, dict[str, Any]] = {}
        self._file_of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of a fork: one failure is enough."""
        self._failed = self._failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn which tests reach what, then ask the mutants."""
        if session.testsfailed:
            raise session.Interrupted("a test file cannot be read")
        try:
            self._read()
            by_id = {item.nodeid: item for item in session.items}
            known = self._learn(session.items)
            for one in known.red:
                print(f"red without a mutant, not asked: {one}", flush=True)
            self._ask(known, by_id)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        return True

    def _read(self) -> None:
        for file in self._files:
            self._meta[file] = json.loads(Path(f"{file}.meta").read_text("utf-8"))
            self._file_of |= dict.fromkeys(self._meta[file]["exit_code_by_key"], file)

    def _run(self, items: Sequence[pytest.Item]) -> Iterable[tuple[pytest.Item, float, bool]]:
        """Run tests one after the other: (test, seconds, whether it failed)."""
        for n, item in enumerate(items):
            # Of the processor: beside others a test takes longer, and is no worse a witness.
            self._failed, begun = False, time.process_time()
            following = items[n + 1] if n + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            yield item, time.process_time() - begun, self._failed

    def _settle_in(self, name: str) -> None:
        """In a fork: files of its own, and an end that takes its children along."""
        os.setpgid(0, 0)
        folder = self._scratch / name
        folder.mkdir()
        os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
        tempfile.tempdir = None

    def _learn(self, items: Sequence[pytest.Item]) -> Known:
        """In a fork too, so that this process stays as it was when everything was imported."""
        mark = _fingerprint([item.nodeid for item in items], self._files)
        answer = Path(f"known-{mark}.json")
        if not answer.is_file():
            for old in Path().glob("known-*.json"):
                old.unlink()
            pid = os.fork()
            if not pid:
                code = _ODD
                try:
                    self._settle_in("known")
                    answer.write_text(json.dumps(dataclasses.asdict(self._watch(items))))
                    code = 0
                finally:
                    os._exit(code)
            if os.waitpid(pid, 0)[1]:
                raise SystemExit("the tests ended without a word when no mutant was there")
        return Known(**json.loads(answer.read_text("utf-8")))

    def _watch(self, items: Sequence[pytest.Item]) -> Known:
        from mutmut.mutation import trampoline  # noqa: PLC0415 (only where mutants are)

        hits: set[str] = set()
        vars(trampoline)["record_trampoline_hit"] = lambda name, **_: hits.add(name)
        trampoline.set_mutant_under_test("stats")
        known = Known(seconds={}, by_function={}, red=[])
        for item, seconds, failed in self._run(items):
            known.seconds[item.nodeid] = seconds
            if failed:
                known.red.append(item.nodeid)
            else:
                for name in hits:
                    known.by_function.setdefault(name, []).append(item.nodeid)
            hits.clear()
        return known

    def _ask(self, known: Known, by_id: dict[str, pytest.Item]) -> None:
        codes = [
            (k, code) for m in self._meta.values() for k, code in m["exit_code_by_key"].items()
        ]
        todo = [key for key, code in codes if code is None or key in self._keys]
        done, running = 0, dict[int, tuple[str, float]]()
        while (todo and time.monotonic() < self._until) or running:
            while todo and len(running) < self._jobs and time.monotonic() < self._until:
                key = todo.pop(0)
                names = nearest(known, key, self._tests)
                if not names:
                    self._keep(key, NO_TEST)
                    continue
                cost = sum(known.seconds[name] for name in names)
                pid = self._fork(key, [by_id[name] for name in names], cost)
                running[pid] = key, time.monotonic() + _WALL_S + 5 * cost
            for pid, (key, end) in list(running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended and time.monotonic() > end:
                    os.killpg(pid, signal.SIGKILL)
                    ended, status = os.waitpid(pid, 0)[0], signal.SIGXCPU
                if ended:
                    del running[pid]
                    self._keep(key, _code(status))
                    shutil.rmtree(self._scratch / str(pid), ignore_errors=True)
                    done += 1
                    print(f"{done}/{done + len(todo) + len(running)}", flush=True)
            time.sleep(_TURN_S)

    def _fork(self, key: str, items: Sequence[pytest.Item], cost: float) -> int:
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        from mutmut.mutation import trampoline  # noqa: PLC0415

        code = _ODD
        try:
            self._settle_in(str(os.getpid()))
            most = _CPU_S + int(4 * cost)
            resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
            trampoline.set_mutant_under_test(key)
            code = next((_KILLED for _, _, failed in self._run(items) if failed), 0)
        finally:
            os._exit(code)

    def _keep(self, key: str, code: int) -> None:
        """Written at once: a run that is cut has not been for nothing."""
        file = self._file_of[key]
        self._meta[file]["exit_code_by_key"][key] = code
        Path(f"{file}.meta").write_text(json.dumps(self._meta[file], indent=4), "utf-8")


def _fingerprint(tests: Sequence[str], mutated: Sequence[str]) -> str:
    """Of these tests, their files, and what is mutated: which test reaches what goes by them."""
    found = hashlib.sha256("\n".join(tests).encode())
    for name in sorted({*(test.partition("::")[0] for test in tests), *mutated}):
        found.update(Path(name).read_bytes())
    return found.hexdigest()[:16]


def nearest(known: Known, key: str, tests: Sequence[str]) -> list[str]:
    """The tests that reach this mutant's function, while patience lasts.

    In the order of the slice's `tests`; of one file or folder the quickest first.
    """
    function = key.rpartition("__mutmut_")[0]

    def rank(name: str) -> tuple[int, float]:
        place = next((n for n, one in enumerate(tests) if name.startswith(one)), len(tests))
        return place, known.seconds[name]

    found = sorted(known.by_function.get(function, ()), key=rank)
    names: list[str] = []
    spent = 0.0
    for name in found:
        spent += known.seconds[name]
        if names and spent > PATIENCE_S:
            break
        names.append(name)
    return names


def _code(status: int) -> int:
    """A fork's end as mutmut writes it."""
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) == signal.SIGXCPU else -os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def main() -> int:
    """Exit code of pytest's collecting."""
    if sys.argv[1] == "make":
        make(int(sys.argv[2]))
        return 0
    told = json.load(sys.stdin)
    how = ["--rootdir=.", "--capture=sys", "-q", "--tb=no"]
    only = ["-k", "not postgresql", *(f"--deselect={name}" for name in told["without"])]
    return int(pytest.main([*how, *only, *told["tests"]], plugins=[Asking(told)]))


if __name__ == "__main__":
    sys.exit(main())

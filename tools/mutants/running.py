"""Makes the mutants of one slice in a copy of the tree, has them asked, and reads what came of it.

mutmut writes them to `mutants/` below the current folder and is configured by `pyproject.toml`
there, so each slice has a copy of its own under `.cache/mutants/`, with a section of its own.
`warm` asks them. They run on SQLite: the tests' PostgreSQL fixtures keep a server over a whole
session, which would be one for all forks.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from tools import copies

HERE: Final = Path(__file__).resolve().parent
WORK: Final = copies.ROOT / ".cache" / "mutants"
# Databases that nobody will read again need no disk.
_SCRATCH: Final = Path("/dev/shm")  # noqa: S108 (a folder of random name is made in it)
_SEEN: Final = re.compile(r"(\d+)/(\d+)")
# As mutmut names what pytest's exit codes mean; all others are oddities that count as not killed.
_KILLED: Final = {1, 3}
_TIMEOUT: Final = {24, -24, 36, 152, 255}
_NO_TEST: Final = {5, 33}
_ALSO: Final = ("bridges", "docs", "tools", "bench", "config.example.toml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some files, and the tests that must kill their mutants; `without`: too slow to be asked."""

    name: str
    mutate: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mutant and its end: killed, timeout, survived, no_test, unchecked or odd."""

    key: str
    file: str
    end: str

    @property
    def function(self) -> str:
        """Its function or method, as in the source."""
        bare = self.key.rsplit(".", 1)[-1].rpartition("__mutmut_")[0]
        return bare.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")


def slices() -> list[Slice]:
    """All of slices.toml."""
    read = tomllib.loads((HERE / "slices.toml").read_text("utf-8"))["slice"]
    return [
        Slice(
            name=one["name"],
            mutate=tuple(one["mutate"]),
            tests=tuple(one["tests"]),
            without=tuple(one.get("without", ())),
        )
        for one in read
    ]


def prepare(one: Slice) -> Path:
    """The copy of this slice, with its section of pyproject.toml; its folder."""
    folder = WORK / one.name
    copies.make(folder)
    told = {
        "source_paths": ["bot"],
        "only_mutate": list(one.mutate),
        "also_copy": list(_ALSO),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    own = "\n[tool.mutmut]\n" + "\n".join([*lines, "use_git_change_detection = false", ""])
    source = (copies.ROOT / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(source + own, "utf-8")
    # mutmut makes this folder itself, and then sometimes imports the project instead of it: its
    # place on the path was looked at before. There and filled, it is found.
    shutil.copytree(folder / "bot", folder / "mutants" / "bot", dirs_exist_ok=True)
    return folder


def run(
    one: Slice,
    *,
    left: Collection[str],
    jobs: int,
    limit_s: float,
    seen: Callable[[int, int], None],
) -> int:
    """Write the mutants and ask those never asked; the exit code of what failed, or 0.

    `left`: ends for which a mutant is asked again. Past the limit the rest stays unchecked.
    """
    folder = prepare(one)
    warm = [sys.executable, "-m", "tools.mutants.warm"]
    with (folder / "mutmut.log").open("w", encoding="utf-8") as log:
        made = subprocess.run(
            [*warm, "make", str(jobs)],
            cwd=folder,
            env=copies.environment(folder),
            check=False,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        if made.returncode:
            return made.returncode
        told = {
            "files": one.mutate,
            "tests": [name for name in one.tests if (folder / name).exists()],
            "without": one.without,
            "keys": [mutant.key for mutant in found(one) if mutant.end in left],
            "jobs": jobs,
            "limit_s": limit_s,
            "scratch": str(_SCRATCH) if _SCRATCH.is_dir() else None,
        }
        with subprocess.Popen(
            [*warm, "ask"],
            cwd=folder / "mutants",
            env=copies.environment(folder / "mutants"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            if process.stdin:
                process.stdin.write(json.dumps(told))
                process.stdin.close()
            for line in process.stdout or ():
                log.write(line)
                if match := _SEEN.fullmatch(line.strip()):
                    seen(int(match[1]), int(match[2]))
    return process.returncode


def found(one: Slice) -> list[Mutant]:
    """All mutants of a slice, as the last run left them."""
    out: list[Mutant] = []
    for file in one.mutate:
        meta = WORK / one.name / "mutants" / f"{file}.meta"
        if not meta.is_file():
            continue
        codes: dict[str, int | None] = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        out += [Mutant(key=key, file=file, end=_end(code)) for key, code in codes.items()]
    return out


def _end(code: int | None) -> str:
    if code is None or code == 2:  # noqa: PLR2004 (pytest: interrupted)
        return "unchecked"
    if code in _KILLED:
        return "killed"
    if code in _TIMEOUT:
        return "timeout"
    if code in _NO_TEST:
        return "no_test"
    return "survived" if code == 0 else "odd"


def changed(one: Slice, mutants: Sequence[Mutant]) -> dict[str, tuple[str, str]]:
    """Mutant -> the source lines it takes out, and those it puts in, joined and stripped."""
    folder = WORK / one.name
    script = (
        "import json, sys\n"
        "from mutmut.mutation.diff_apply import get_diff_for_mutant\n"
        "keys = json.load(sys.stdin)\n"
        "json.dump({key: get_diff_for_mutant(key) for key in keys}, sys.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        input=json.dumps([mutant.key for mutant in mutants]),
        capture_output=True,
        text=True,
        check=True,
    )
    diffs: dict[str, Any] = json.loads(done.stdout)
    return {key: _sides(diff) for key, diff in diffs.items()}


def _sides(diff: str) -> tuple[str, str]:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    out = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    into = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return out, into


def near(out: str, into: str) -> str:
    """What differs within the lines, short enough for a table."""
    matcher = difflib.SequenceMatcher(a=out, b=into, autojunk=False)
    parts = [
        f"{out[max(a - 12, 0) : b + 12]} => {into[max(c - 12, 0) : d + 12]}"
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    ]
    return "; ".join(parts[:2])

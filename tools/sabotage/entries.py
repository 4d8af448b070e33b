"""The list of sabotages, and whether it still fits the source."""

from __future__ import annotations

import ast
import dataclasses
import functools
import tomllib
from pathlib import Path
from typing import Final

from tools import copies

LISTS: Final = Path(__file__).resolve().parent / "lists"


class StaleError(Exception):
    """An entry no longer fits the source; the message says which and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One guard taken out. `old` stands once in `file`; `new` takes its place.

    `promise`: what the guard is for. `tests`: the few that should see it, asked first. `quick`:
    one of those that `make test` tries too.
    """

    name: str
    file: str
    old: str
    new: str
    promise: str
    tests: tuple[str, ...]
    quick: bool = False

    def spoil(self, source: str) -> str:
        """The source without the guard. Raises StaleError."""
        n = source.count(self.old)
        if n != 1:
            raise StaleError(f"{self.name}: its text stands {n} times in {self.file}, not once")
        spoilt = source.replace(self.old, self.new)
        if self.file.endswith(".py"):
            try:
                same = ast.dump(ast.parse(spoilt)) == _dumped(source)
            except SyntaxError as error:
                raise StaleError(f"{self.name}: line {error.lineno} is no Python") from None
            if same:
                raise StaleError(f"{self.name}: changes nothing that Python would see")
        return spoilt


@functools.lru_cache(8)
def _dumped(source: str) -> str:
    """Many entries are of one file."""
    return ast.dump(ast.parse(source))


def all_of(folder: Path = LISTS) -> list[Entry]:
    """Every entry of every list, by room. Raises StaleError for two of one name."""
    lists = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    found = [
        Entry(**{**told, "tests": tuple(told["tests"])})
        for one in lists
        for told in one["sabotage"]
    ]
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StaleError(f"more than one is called {', '.join(twice)}")
    return found


def stale(entries: list[Entry], root: Path = copies.ROOT) -> list[str]:
    """What does not fit any more, one sentence each."""
    out = []
    for one in entries:
        try:
            one.spoil((root / one.file).read_text("utf-8"))
        except StaleError as error:
            out.append(str(error))
        except FileNotFoundError:
            out.append(f"{one.name}: there is no {one.file}")
        out += [f"{one.name}: there is no {t}" for t in one.tests if not _there(root, t)]
    return out


def _there(root: Path, test: str) -> bool:
    file, _, name = test.partition("::")
    path = root / file
    if not path.exists():
        return False
    return not name or f"def {name.partition('[')[0]}(" in path.read_text("utf-8")

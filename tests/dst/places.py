"""Every await of the rooms that take in, send, book and clear up, by name, read off the code.

A crash is counted at each of them that was under way. So an await that is new in these files is
missed, by name, until some run has died at it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import bot

ROOT: Final = Path(bot.__file__).parent
ROOMS: Final = ("dispatcher", "inbox", "receipts", "janitor", "flood", "outbox.py", "ledger.py")
BEFORE, AFTER = "before its commit", "after its commit"
_LONGEST: Final = 90

UNREACHED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "dispatcher.loop.Dispatcher._controls: self._store.read(events.controls, short=True)",
            "dispatcher.loop.Dispatcher._one: self._may_go([claim])",
            "inbox.door.Inbox.accept: self._write([part])",
            "receipts.taking.Receipts.take: self._write([batch])",
        ),
        "the way of a store in memory only",
    ),
}
"""Places that no run can die at, each with its reason; one that a run dies at is none."""

# (first line, last line, first column, last column), as the interpreter tells it.
_Where = tuple[int | None, int | None, int | None, int | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One await. `commits`: it is a transaction, so there are two ways to die in it."""

    name: str
    commits: bool

    def names(self) -> tuple[str, ...]:
        """The ways to die here."""
        return (f"{self.name}, {BEFORE}", f"{self.name}, {AFTER}") if self.commits else (self.name,)


@functools.cache
def known() -> dict[str, dict[_Where, Place]]:
    """By file, then by position."""
    return {str(path): _of_file(path) for path in sorted(_files())}


def all_names() -> list[str]:
    """Every way to die, sorted."""
    return sorted(
        name for places in known().values() for place in places.values() for name in place.names()
    )


def _files() -> Iterator[Path]:
    for room in ROOMS:
        whole = ROOT / room
        yield from (whole,) if whole.is_file() else whole.rglob("*.py")


def _of_file(path: Path) -> dict[_Where, Place]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found: dict[_Where, Place] = {}
    taken: set[str] = set()
    for function, node, at in _awaits(ast.parse(path.read_text(encoding="utf-8")), ""):
        told = ast.unparse(node).removeprefix("await ")
        name = f"{module}.{function}: {' '.join(told.split())[:_LONGEST]}"
        while name in taken:
            name += "'"
        taken.add(name)
        found[at.lineno, at.end_lineno, at.col_offset, at.end_col_offset] = Place(
            name=name, commits=_commits(node)
        )
    return found


def _awaits(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.expr, ast.expr | ast.stmt]]:
    """Each await with the function it stands in, and what the interpreter takes for its place.

    A TaskGroup waits at its end; its place is the whole block.
    """
    for child in ast.iter_child_nodes(node):
        within = inside
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = f"{inside}.{child.name}" if inside else child.name
        if isinstance(child, ast.Await):
            yield inside, child, child
        if isinstance(child, ast.AsyncWith):
            yield from ((inside, one.context_expr, child) for one in child.items if _waits(one))
        yield from _awaits(child, within)


def _waits(item: ast.withitem) -> bool:
    """`asyncio.timeout` never waits by itself."""
    return "timeout" not in ast.unparse(item.context_expr)


def _commits(node: ast.expr) -> bool:
    call = node.value if isinstance(node, ast.Await) else None
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "write"
        and "store" in ast.unparse(call.func.value)
    )


def in_stack(frame: types.FrameType | None, where: str) -> list[str]:
    """The ways to die that the running code stands in. `where`: what the innermost is about."""
    frames: list[types.FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return list(_named(frames, where))


def in_task(coroutine: object, where: str = "") -> list[str]:
    """The same of something that waits."""
    frames: list[types.FrameType] = []
    inner: Any = coroutine
    while inspect.iscoroutine(inner):
        one: types.CoroutineType[Any, Any, Any] = inner
        if one.cr_frame is None:
            break
        frames.append(one.cr_frame)
        inner = one.cr_await
    for frame in frames:
        if frame.f_code.co_qualname == "Points.at":
            where = frame.f_locals["name"]
    return list(_named(frames, where))


def _named(frames: Iterable[types.FrameType], where: str) -> Iterator[str]:
    for frame in frames:
        places = known().get(frame.f_code.co_filename)
        place = places.get(_position(frame)) if places else None
        if place is None:
            continue
        if not place.commits:
            yield place.name
        elif where.startswith(("before ", "after ")):
            yield f"{place.name}, {AFTER if where.startswith('after ') else BEFORE}"


def _position(frame: types.FrameType) -> _Where:
    return _positions(frame.f_code)[frame.f_lasti // 2]


@functools.cache
def _positions(code: types.CodeType) -> list[_Where]:
    return list(code.co_positions())

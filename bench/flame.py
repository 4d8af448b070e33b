"""Where the loop's thread spends its time under the load of messages, drawn as a flame graph.

    python -m bench.flame OUT.svg [TREE]

`TREE`: another checkout of this program, for a picture of how it was. The program samples its own
stack each time that another two milliseconds of processor time were used (ITIMER_PROF), so what
waits is not in the picture; nor is what the writer's thread does while the loop waits for it. Text
and addresses are no part of a stack.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import signal
import sys
import tempfile
import types
from collections.abc import Callable, Iterable
from typing import Final
from xml.sax import saxutils

EVERY_S: Final = 0.002
CONNECTIONS: Final = 64
SECONDS: Final = 12.0
_WIDTH: Final = 1_000.0
_ROW: Final = 17
_LEAST: Final = 0.004
_LETTER: Final = 6.2
# From here on down a stack is the loop's own beginning.
_ROOT: Final = "asyncio.runners:run"
_SEP: Final = ";"
_START: Final = ("importlib.", "bot.build:")
_COLOURS: Final = (
    ("bot.web", "#c9dbf0"),
    ("bridges.", "#bfe3d0"),
    ("bot.inbox", "#f6d9a8"),
    ("bot.policy", "#f2b8a0"),
    ("bot.store", "#d9c8ec"),
    ("bot.outbox", "#d9c8ec"),
    ("bot.", "#f3e6b3"),
    ("", "#e2e2e2"),
)


@dataclasses.dataclass(slots=True)
class Node:
    """One function below another, and how many samples met it there."""

    name: str
    samples: int = 0
    below: dict[str, Node] = dataclasses.field(default_factory=dict)


def sampled(into: str, run: Callable[[], None]) -> None:
    """Run the program in this process and write its stacks, folded, when it ends."""
    found: collections.Counter[str] = collections.Counter()

    def note(_signal: int, frame: types.FrameType | None) -> None:
        stack: list[str] = []
        while frame is not None:
            code = frame.f_code
            name = f"{frame.f_globals.get('__name__', '?')}:{code.co_name}"
            if name == _ROOT:
                found[_SEP.join(reversed(stack))] += 1
                return
            stack.append(name)
            frame = frame.f_back

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        run()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        told = "\n".join(f"{stack} {n}" for stack, n in found.items() if stack)
        pathlib.Path(into).write_text(told, encoding="ascii")


def folded(lines: Iterable[str]) -> Node:
    """The tree of what was sampled, without the start."""
    root = Node("all")
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if any(begun in stack for begun in _START):
            continue
        root.samples += int(count)
        at = root
        for name in stack.split(_SEP):
            at = at.below.setdefault(name, Node(name))
            at.samples += int(count)
    return root


def drawn(root: Node, title: str) -> str:
    """The tree as an SVG, the first caller on top, the widest first."""
    boxes: list[str] = []
    deepest = _below(root, 0.0, 0, root.samples, boxes)
    height = (deepest + 2) * _ROW + 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" '
        f'font-family="sans-serif" font-size="11" role="img">'
        f"<title>{saxutils.escape(title)}</title>"
        f'<rect width="{_WIDTH:.0f}" height="{height}" fill="#ffffff"/>'
        f'<text x="4" y="13" font-weight="bold">{saxutils.escape(title)}</text>'
    )
    return head + "".join(boxes) + "</svg>\n"


def _below(node: Node, left: float, depth: int, of: int, boxes: list[str]) -> int:
    deepest = depth
    for one in sorted(node.below.values(), key=lambda n: (-n.samples, n.name)):
        share = one.samples / of
        if share < _LEAST:
            continue
        boxes.append(_box(one, left, depth + 1, share))
        deepest = max(deepest, _below(one, left, depth + 1, of, boxes))
        left += share * _WIDTH
    return deepest


def _box(one: Node, left: float, depth: int, share: float) -> str:
    width, y = share * _WIDTH, depth * _ROW + 4
    module, _, name = one.name.partition(":")
    colour = next(colour for start, colour in _COLOURS if module.startswith(start))
    told = f"{module.rpartition('.')[2]}.{name}"
    shown = told[: int((width - 6) / _LETTER)]
    text = f'<text x="{left + 3:.1f}" y="{y + 12}">{saxutils.escape(shown)}</text>'
    return (
        f'<g><title>{saxutils.escape(one.name)}: {share:.1%}</title><rect x="{left:.1f}" y="{y}" '
        f'width="{max(width - 0.5, 0.5):.1f}" height="{_ROW - 1}" fill="{colour}"/>'
        f"{text if len(shown) > 2 else ''}</g>"
    )


def stacks(tree: pathlib.Path) -> tuple[list[str], dict[str, float]]:
    """The stacks of that checkout's program under the load, and what the load measured."""
    from bench import intake, million, startup  # noqa: PLC0415 (another checkout has its own)

    with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
        folder = pathlib.Path(name)
        million.copied(folder)
        out, port = folder / "stacks", startup.free_port()
        config = intake.configured(folder, port)
        start = (
            f"import sys; sys.path.insert(0, {str(tree)!r}); import runpy; "
            f"flame = runpy.run_path({__file__!r}); from bot import cli; "
            f"flame['sampled']({str(out)!r}, cli.main)"
        )
        command = [sys.executable, "-c", start, "run", "--config", str(config)]
        with startup.process(command, port, "/api/channels") as running:
            served = intake.Served(port=port, process=running)
            told = intake.loaded(served, 1, CONNECTIONS, SECONDS)
        return out.read_text(encoding="ascii").splitlines(), told


def main(into: str, tree: str = ".") -> None:
    """Draw it."""
    lines, told = stacks(pathlib.Path(tree).resolve())
    title = f"intake, {CONNECTIONS} connections: {told['busy_us']:.0f} µs of processor a message"
    pathlib.Path(into).write_text(drawn(folded(lines), title), encoding="utf-8")
    print(json.dumps({k: told[k] for k in ("per_s", "p50_ms", "p99_ms", "busy_us")}))


if __name__ == "__main__":
    main(*sys.argv[1:])

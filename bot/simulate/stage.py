"""What is played, and the outside world that it is played in."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.contract import bridge, messages
from bot.simulate import clock, trace, world


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """That the world can tell whose a number is. `micros`: the price of an answer."""

    real: Callable[[str], bool]
    micros: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One play. `inbound` may be read once: each message with its time in milliseconds.

    `seen`: what reached whom, filled by the bridges. `price`: micros a part to that sender.
    `hashed`: words that were hashed already, where no texts are kept.
    """

    name: str
    start_ms: int
    last_ms: int
    count: int
    inbound: Callable[[], Iterator[tuple[int, messages.InboundMessage]]]
    clock: clock.VirtualClock
    bridges: Mapping[str, bridge.Bridge]
    seen: list[world.Seen]
    price: Callable[[str], int | None]
    hashed: Callable[[str], int] | None = None


def of_trace(
    path: pathlib.Path,
    size: trace.Size,
    others: Sequence[bridge.Bridge] = (),
    convert: world.Convert = lambda told: told.micros,
    telling: Telling | None = None,
) -> Stage:
    """A recording in the world of its first line; `others`: channels that may answer too."""
    moment = clock.VirtualClock(size.world.start_ms)
    if telling is None:
        outside = world.Outside(size.world, moment)
    else:
        outside = world.Telling(size.world, moment, telling.real, telling.micros)
    bridges: dict[str, bridge.Bridge] = {world.CHANNEL: outside}
    for way in others:
        bridges.setdefault(way.channel, world.Other(way, outside, convert))
    return Stage(
        name=path.name,
        start_ms=size.world.start_ms,
        last_ms=size.last_ms,
        count=size.messages,
        inbound=lambda: trace.inbound(path, world.CHANNEL),
        clock=moment,
        bridges=bridges,
        seen=outside.seen,
        price=outside.price,
    )

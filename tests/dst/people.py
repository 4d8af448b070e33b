"""Who writes in a run, on which networks, and what each of them may expect."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Iterable
from typing import Final

from bot.contract import address

TEXTS: Final = (
    "salut",
    "Salut ça va ?",
    "tu fais quoi ce soir",
    "c'est Max, on s'est vus hier",
    "hey",
    "réponds moi stp",
    "t'es où",
    "coucou toi",
    "stop tu me plais",
)
TWILIO, GATE, SIM, SIGNAL, MATRIX = "twilio", "gate", "sim", "signal", "matrix"
SEVEN = "seven"
OURS: Final = {
    TWILIO: "+33639989999",
    GATE: "+33639989997",
    SIM: "+33639989998",
    SIGNAL: "+33639989996",
    MATRIX: "@quelquun:example.org",
    SEVEN: "+447700900995",
}
SMS: Final = (TWILIO, GATE, SIM, SEVEN)
_DUE_S: Final = (3_500.0, 6_400.0)
# Enough strangers that what is usual is known, and then so many who say one thing of a sudden.
_USUAL: Final = 32
_CROWD: Final = 16
SLOGAN: Final = "rendez-vous samedi devant la mairie"


@dataclasses.dataclass(slots=True, kw_only=True)
class Letter:
    """A message that somebody wrote at `at_s` of the steady clock.

    `wrote`: the earliest moment that our clock or his said while it was on its way. `handed`: the
    network has begun to bring it, `acked_s`: it was told that it is stored. `name`: the network's.
    `met`: the troubles that it met on its way.
    """

    number: int
    channel: str
    sender: address.Address
    alias: address.Address | None
    text: str
    at_s: float
    wish: str = ""
    name: str = ""
    wrote: dt.datetime | None = None
    handed: bool = False
    acked_s: float | None = None
    met: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A stored message named two addresses; seconds of the steady clock."""

    wrote_s: float
    acked_s: float


class Linked:
    """Which addresses are known to be one person's, as stored messages said it."""

    def __init__(self) -> None:
        self._parent: dict[address.Address, address.Address] = {}
        self._joins: dict[frozenset[address.Address], list[Join]] = {}
        self._forgotten: dict[frozenset[address.Address], list[float]] = {}

    def of(self, one: address.Address) -> address.Address:
        """The component's name."""
        while self._parent.get(one, one) != one:
            one = self._parent[one]
        return one

    def join(self, one: address.Address, other: address.Address, at: Join) -> None:
        """A stored message named both."""
        a, b = self.of(one), self.of(other)
        self._joins.setdefault(frozenset((one, other)), []).append(at)
        if a != b:
            self._parent[b] = a

    def forget(self, whose: address.Address, at_s: float) -> None:
        """That component's links went, with all that was known of it."""
        for pair in self._joins:
            if any(self.of(one) == whose for one in pair):
                self._forgotten.setdefault(pair, []).append(at_s)

    def joined_s(self, one: address.Address, other: address.Address, by_s: float) -> float:
        """Since when both are known to be one person's by then; infinity if they are not."""
        pair = frozenset((one, other))
        gone = [at_s for at_s in self._forgotten.get(pair, ()) if at_s < by_s]
        last_s = max(gone, default=float("-inf"))
        known = [at.acked_s for at in self._joins.get(pair, ()) if at.wrote_s > last_s]
        return min((at_s for at_s in known if at_s < by_s), default=float("inf"))


def may_be_linked(letters: Iterable[Letter]) -> Linked:
    """Also by messages of which nobody was told that they are stored."""
    known = Linked()
    for letter in letters:
        if letter.handed and letter.alias is not None:
            known.join(letter.sender, letter.alias, Join(wrote_s=letter.at_s, acked_s=letter.at_s))
    return known


def number_of(who: int) -> address.Address:
    return address.Address(address.SMS, f"+3363998{who:04d}")


def aci_of(who: int) -> address.Address:
    return address.Address(address.SIGNAL, f"{who:08x}-0000-4000-8000-00000000000a")


def mxid_of(who: int) -> address.Address:
    return address.Address(address.MATRIX, f"@p{who}:example.org")


def short(one: address.Address) -> str:
    """A person in a history: a few digits."""
    if one.network == address.MATRIX:
        return one.value.partition(":")[0]
    return one.value[-4:] if one.value.startswith("+") else str(int(one.value[:8], 16)).zfill(4)


def letters(
    draw: random.Random,
    count: int,
    channels: tuple[str, ...],
    people: int | None = None,
    *,
    crowd: bool = False,
) -> list[Letter]:
    """`count` messages of about a fifth as many people over ten hours, in their order.

    A few write STOP just before or just after their reply is due, whenever that is. `crowd`: and
    those of many strangers besides, of whom the last all say the same.
    """
    people = people or max(count // 5, 3)
    out: list[Letter] = []
    first: dict[int, float] = {}
    taken: set[tuple[int, str, int]] = set()
    while len(out) < count:
        who = draw.randrange(people)
        at_s = draw.uniform(0, 36_000)
        if draw.random() < 0.15 and out:
            at_s = out[-1].at_s + 1.5
        wish, text = "", draw.choice(TEXTS)
        roll = draw.random()
        if roll < 0.04:
            wish, text = "stop", draw.choice(("STOP", "arret", "Stop."))
        elif roll < 0.05:
            wish, text = "start", "START"
        elif roll < 0.09 and who in first:
            wish, text, at_s = "stop at due", "STOP", first[who] + draw.uniform(*_DUE_S)
        while (who, text, int(at_s)) in taken:
            # The same words of the same person within a second are one SMS to a phone.
            at_s += 1.5
        taken.add((who, text, int(at_s)))
        first[who] = min(first.get(who, at_s), at_s)
        channel, sender, alias = _way(draw, who, channels)
        out.append(
            Letter(
                number=len(out),
                channel=channel,
                sender=sender,
                alias=alias,
                text=text,
                at_s=at_s,
                wish=wish,
            )
        )
    if crowd:
        out += _crowd(draw, channels, len(out))
    return sorted(out, key=lambda letter: letter.at_s)


def _crowd(draw: random.Random, channels: tuple[str, ...], first: int) -> list[Letter]:
    out: list[Letter] = []
    begins_s = draw.uniform(15_000, 22_000)
    for n in range(_USUAL + _CROWD):
        usual = n < _USUAL
        channel, sender, alias = _way(draw, 100 + n, channels)
        at_s = draw.uniform(0, 5_000) if usual else begins_s + draw.uniform(0, 1_500)
        out.append(
            Letter(
                number=first + n,
                channel=channel,
                sender=sender,
                alias=alias,
                text=draw.choice(TEXTS) if usual else SLOGAN,
                at_s=at_s,
            )
        )
    return out


def _way(
    draw: random.Random, who: int, channels: tuple[str, ...]
) -> tuple[str, address.Address, address.Address | None]:
    """By which channel, from which address, and the number that the network tells with it."""
    home = channels[who % len(channels)]
    # Some have a second way to us: another number of ours, or Signal, that may tell theirs.
    channel = draw.choice(channels) if draw.random() < 0.15 else home
    if channel == SIGNAL:
        return channel, aci_of(who), number_of(who) if draw.random() < 0.4 else None
    return channel, mxid_of(who) if channel == MATRIX else number_of(who), None

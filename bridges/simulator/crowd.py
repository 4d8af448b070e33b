"""A made-up evening at the number: who writes what and when. Pure; the same seed, the same evening.

`raid`   a forum agreed to empty the kitty: slogans from hundreds of numbers, a few write by the
         dozen; meanwhile people write as on any evening
`viral`  nobody means harm, everybody writes at once
`bait`   an advertisement shows our number: people ask about a thing that nobody sells

An ordinary day may come before it: a number that was never written to has no idea of what is usual,
and what is new is only seen against that.

What is true of each sender is kept beside, as only a made-up world can know it; the core sees the
messages and nothing else. The numbers are drawn when they are needed and stand nowhere: they lie in
ranges in use, because others are not answered. A simulated phone has no way out.
"""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Iterator
from typing import Final

import phonenumbers

from bridges.simulator import crowd_words


class Kind(enum.StrEnum):
    """What kind of evening."""

    RAID = "raid"
    VIRAL = "viral"
    BAIT = "bait"


class Role(enum.StrEnum):
    """Who somebody is; only the made-up world knows. `before`: they wrote the day before."""

    BEFORE = "before"
    PERSON = "person"
    RAIDER = "raider"
    MISLED = "misled"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Line:
    """One message: `after_s` since the beginning."""

    after_s: float
    sender: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evening:
    """The whole: `lines` in order of time, `roles` by sender.

    `begins_s`: the end of the ordinary day, 0 without one; after `ends_s` nobody writes any more.
    """

    kind: Kind
    begins_s: float
    ends_s: float
    lines: tuple[Line, ...]
    roles: dict[str, Role]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """`usual`: people as always; `more`: the crowd, of whom `dozens` write by the dozen."""

    usual: int
    more: int
    dozens: int = 0


_SIZES: Final = {
    Kind.RAID: _Size(usual=90, more=700, dozens=45),
    Kind.VIRAL: _Size(usual=30, more=100),
    Kind.BAIT: _Size(usual=60, more=160),
}
_DAY_S: Final = 12.0 * 3600
_DAYS_PEOPLE: Final = 220
_LASTS_S: Final = 4.0 * 3600
_CROWD_S: Final = (0.4 * 3600, 3.4 * 3600)
_DOZENS: Final = (20, 90)
_PREFIXES: Final = ("+336", "+337")
_AGAIN: Final = 0.35


def evening(kind: Kind, language: str, seed: int, *, after_a_day: bool) -> Evening:
    """Draw one. `language`: one of crowd_words.LANGUAGES."""
    return _Drawing(kind, language, seed).all(_DAY_S if after_a_day else 0.0)


class _Drawing:
    def __init__(self, kind: Kind, language: str, seed: int) -> None:
        self._kind, self._size = kind, _SIZES[kind]
        self._draw = random.Random(f"{kind} {seed}")  # noqa: S311 (a game, not a secret)
        self._voice = crowd_words.Voice(language, self._draw)
        self._roles: dict[str, Role] = {}

    def all(self, begins_s: float) -> Evening:
        ends_s = begins_s + _LASTS_S
        lines: list[Line] = []
        if begins_s:
            lines += self._people(Role.BEFORE, _DAYS_PEOPLE, 0.0, begins_s)
        lines += self._people(Role.PERSON, self._size.usual, begins_s, ends_s)
        lines += self._crowd(begins_s)
        lines.sort(key=lambda line: line.after_s)
        return Evening(
            kind=self._kind,
            begins_s=begins_s,
            ends_s=ends_s,
            lines=tuple(lines),
            roles=self._roles,
        )

    def _crowd(self, evening_s: float) -> Iterator[Line]:
        begins_s, ends_s = (evening_s + at_s for at_s in _CROWD_S)
        match self._kind:
            case Kind.RAID:
                return self._raid(begins_s, ends_s)
            case Kind.VIRAL:
                return self._people(Role.PERSON, self._size.more, begins_s, ends_s, crowded=True)
            case Kind.BAIT:
                return self._misled(begins_s, ends_s)

    def _people(
        self, role: Role, count: int, begins_s: float, ends_s: float, *, crowded: bool = False
    ) -> Iterator[Line]:
        for _ in range(count):
            sender = self._new(role)
            at_s = (
                self._swelling(begins_s, ends_s)
                if crowded
                else self._draw.uniform(begins_s, ends_s)
            )
            yield Line(after_s=at_s, sender=sender, text=self._voice.person())
            while self._draw.random() < _AGAIN and at_s < ends_s:
                at_s += self._draw.expovariate(1 / 1_200)
                yield Line(after_s=min(at_s, ends_s), sender=sender, text=self._voice.again())

    def _raid(self, begins_s: float, ends_s: float) -> Iterator[Line]:
        for place in range(self._size.more):
            sender = self._new(Role.RAIDER)
            times = self._draw.randint(*_DOZENS) if place < self._size.dozens else 1
            for _ in range(times):
                at_s = self._swelling(begins_s, ends_s)
                yield Line(after_s=at_s, sender=sender, text=self._voice.slogan())

    def _misled(self, begins_s: float, ends_s: float) -> Iterator[Line]:
        for _ in range(self._size.more):
            sender = self._new(Role.MISLED)
            at_s = self._swelling(begins_s, ends_s)
            yield Line(after_s=at_s, sender=sender, text=self._voice.misled())

    def _swelling(self, begins_s: float, ends_s: float) -> float:
        """A moment; most come a little before the middle."""
        return begins_s + (ends_s - begins_s) * self._draw.betavariate(2.0, 2.6)

    def _new(self, role: Role) -> str:
        """A French mobile number that nobody here has yet."""
        while True:
            prefix = self._draw.choice(_PREFIXES)
            found = f"{prefix}{self._draw.randrange(10**8):08}"
            if found in self._roles or not phonenumbers.is_valid_number(phonenumbers.parse(found)):
                continue
            self._roles[found] = role
            return found

"""Made-up floods whose truth is known: people as always, and one kind of flood on top.

The same plan gives the same recording, byte for byte. Tune settings with them, not rules: a rule
that knows a word of these knows nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import io
import json
import pathlib
import random
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bot.contract import segments
from bot.simulate import made_senders, made_words

KINDS: Final = (
    "raid",
    "rotating",
    "sequential",
    "drip",
    "slow-ramp",
    "pumping",
    "bait",
    "callback",
    "curious",
    "viral",
    "quiet",
)
CURRENCY: Final = "EUR"
PERSON: Final = "person"
BAIT: Final = "bait"
SPOOFED: Final = "spoofed"
_OWN: Final = "+33639980000"
_MORNING: Final = 8
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
# New people by local hour; only the shape matters.
_BY_HOUR: Final = (5, 3, 2, 1, 1, 1, 2, 3, 4, 5, 6, 7, 9, 8, 7, 7, 8, 10, 12, 14, 16, 17, 14, 9)
_ZONES: Final = {
    "fr": "Europe/Paris",
    "en": "Europe/London",
    "es": "Europe/Madrid",
    "de": "Europe/Berlin",
    "it": "Europe/Rome",
    "nl": "Europe/Amsterdam",
    "pt": "Europe/Lisbon",
}
# How long each kind goes on, in hours; None: from beginning to end.
_LASTS: Final[Mapping[str, float | None]] = {
    "raid": 10,
    "rotating": 5,
    "sequential": 4,
    "drip": 10_000,
    "slow-ramp": None,
    "pumping": 6,
    "bait": 10,
    "callback": 3,
    "curious": 6,
    "viral": 7,
    "quiet": 0,
}
_EVERY_PEST: Final = 12
_PEST_MESSAGES: Final = 60

Said = tuple[float, str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A plan. `hours`: of the whole; the flood begins at the local `start_hour` of a later day.

    `crowd`: what those write in who make the flood, and where they live, if not as in `language`.
    `attackers` are its
    senders: trolls, made-up numbers, the misled, or in a viral hour simply more people.
    """

    kind: str
    people: int = 2_000
    attackers: int = 1_000
    hours: float = 72.0
    start_hour: int = 14
    language: str = "fr"
    crowd: str | None = None
    seed: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Who each sender is, and when the flood was on (seconds; both zero without one).

    `inbound_parts`: parts received by kind of sender, for providers that bill them.
    """

    kinds: Mapping[str, str] = dataclasses.field(repr=False)
    from_s: float
    to_s: float
    inbound_parts: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def real(self, number: str) -> bool:
        """Whether somebody has the number: what a look-up says."""
        return self.kinds.get(number) != SPOOFED


def write(path: pathlib.Path, plan: Flood) -> Truth:
    """Write the recording (gzip if the name ends so). Raises ValueError for a senseless plan."""
    if plan.kind not in KINDS:
        raise ValueError(f"no such scenario; choose from {', '.join(KINDS)}")
    if plan.language not in _ZONES or (plan.crowd or plan.language) not in _ZONES:
        raise ValueError(f"no such language; choose from {', '.join(_ZONES)}")
    making = _Making(plan)
    lines = sorted(making.everybody(), key=lambda said: said[0])
    parts: dict[str, int] = {}
    world = {
        "world": f"{plan.kind}-{plan.seed}",
        "start": making.start.isoformat(),
        "timezone": _ZONES[plan.language],
        "to": _OWN,
        "signal": [],
        "sms_price_per_segment": {"currency": CURRENCY, **made_senders.PRICES},
    }
    with _opened(path) as file:
        file.write(json.dumps(world) + "\n")
        for number, (at, sender, body) in enumerate(lines):
            kind = making.kinds[sender]
            parts[kind] = parts.get(kind, 0) + segments.count(body).parts
            line = {"at": round(at, 3), "id": f"F{number:08}", "from": sender, "to": _OWN}
            file.write(json.dumps({**line, "body": body}) + "\n")
    return Truth(kinds=making.kinds, from_s=making.from_s, to_s=making.to_s, inbound_parts=parts)


def _opened(path: pathlib.Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        # Without a time in its head, or the same plan would not give the same bytes.
        packed = gzip.GzipFile(path, "wb", mtime=0)
        return io.TextIOWrapper(packed, encoding="utf-8", write_through=False)
    return path.open("w", encoding="utf-8")


class _Making:
    """One plan being carried out."""

    def __init__(self, plan: Flood) -> None:
        self._plan = plan
        self._draw = random.Random(f"{plan.kind} {plan.seed}")
        self._numbers = made_senders.Numbers(self._draw)
        self.kinds: dict[str, str] = {}
        self._home = made_senders.home(plan.language)
        self._speakers = {n: made_words.Speaker(n, self._draw) for n in made_words.LANGUAGES}
        day = dt.date(2023, 1, 10) + dt.timedelta(days=self._draw.randrange(600))
        self._zone = zoneinfo.ZoneInfo(_ZONES[plan.language])
        self.start = dt.datetime.combine(day, dt.time(_MORNING), self._zone)
        self._span_s = plan.hours * _HOUR_S
        self.from_s, self.to_s = self._window()

    def _window(self) -> tuple[float, float]:
        """The first such hour after four tenths of the whole, but never past its end."""
        lasts = _LASTS[self._plan.kind]
        if lasts is None:
            return 0.0, self._span_s
        begins_s = float((self._plan.start_hour - _MORNING) % 24 * _HOUR_S)
        while begins_s < 0.4 * self._span_s:
            begins_s += _DAY_S
        begins_s = min(begins_s, 0.7 * self._span_s)
        return begins_s, min(begins_s + lasts * _HOUR_S, self._span_s)

    def everybody(self) -> Iterator[Said]:
        """Every message, in no order."""
        yield from self._people(self._plan.people, self._usual_s)
        yield from self._robots()
        flood: Callable[[], Iterator[Said]] = {
            "raid": self._raid,
            "rotating": lambda: self._spoofed(self._mobile),
            "sequential": lambda: self._spoofed(self._sequence()),
            "drip": self._drip,
            "slow-ramp": self._ramp,
            "pumping": self._pumping,
            "bait": lambda: self._asking(BAIT, self._crowd().misled),
            "callback": lambda: self._asking(BAIT, self._crowd().called),
            "curious": lambda: self._asking("curious", self._crowd().curious),
            "viral": lambda: self._people(self._plan.attackers, self._flooding_s, crowd=True),
            "quiet": lambda: iter(()),
        }[self._plan.kind]
        yield from flood()

    # ------------------------------------------------------------ when

    def _usual_s(self) -> float:
        """A moment by the shape of a day."""
        while True:
            at = self._draw.random() * self._span_s
            hour = int(_MORNING + at // _HOUR_S) % 24
            if self._draw.random() * max(_BY_HOUR) < _BY_HOUR[hour]:
                return at

    def _flooding_s(self) -> float:
        """A moment of the flood, most in its middle."""
        return self.from_s + (self.to_s - self.from_s) * self._draw.betavariate(1.6, 2.2)

    # ------------------------------------------------------------ who

    def _mobile(self) -> str:
        return self._numbers.mobile(made_senders.home(self._plan.crowd or self._plan.language))

    def _crowd(self) -> made_words.Speaker:
        return self._speakers[self._plan.crowd or self._plan.language]

    def _sequence(self) -> Callable[[], str]:
        block = self._numbers.block(self._home)
        return lambda: next(block)

    def _is(self, kind: str, sender: str) -> str:
        self.kinds[sender] = kind
        return sender

    # ------------------------------------------------------------ what

    def _people(
        self, count: int, when: Callable[[], float], *, crowd: bool = False
    ) -> Iterator[Said]:
        draw = self._draw
        home = made_senders.home(self._plan.crowd or self._plan.language) if crowd else self._home
        own = self._crowd() if crowd else self._speakers[self._plan.language]
        others = [made_senders.home(name) for name in made_words.LANGUAGES]
        for _ in range(count):
            country = home if draw.random() < 0.9 else draw.choice(others)  # noqa: PLR2004
            sender = self._is(PERSON, self._numbers.mobile(country))
            speaker = own
            if draw.random() < 0.12:  # noqa: PLR2004 (a share)
                speaker = self._speakers[draw.choice(made_words.LANGUAGES)]
            at = when()
            yield at, sender, speaker.person()
            while draw.random() < 0.45 and at < self._span_s:  # noqa: PLR2004 (a share)
                at += draw.expovariate(1 / 2_400)
                yield min(at, self._span_s), sender, speaker.again()

    def _robots(self) -> Iterator[Said]:
        for _ in range(self._plan.people // 100):
            sender = self._is("robot", self._numbers.robot())
            code = self._draw.randrange(100_000, 1_000_000)
            yield self._usual_s(), sender, f"{code} is your verification code"

    def _raid(self) -> Iterator[Said]:
        """Slogans from many numbers, and a few pests who write by the hundred."""
        draw, crowd = self._draw, self._crowd()
        for number in range(self._plan.attackers):
            pest = number % _EVERY_PEST == 0
            sender = self._is("troll" if pest else SPOOFED, self._mobile())
            for _ in range(draw.randrange(_PEST_MESSAGES) + 1 if pest else 1):
                said = crowd.gibberish if draw.random() < 0.1 else crowd.slogan  # noqa: PLR2004
                yield self._flooding_s(), sender, said()

    def _spoofed(self, number: Callable[[], str]) -> Iterator[Said]:
        """Made-up numbers with people's words."""
        for _ in range(self._plan.attackers):
            sender = self._is(SPOOFED, number())
            yield self._flooding_s(), sender, self._crowd().person()

    def _drip(self) -> Iterator[Said]:
        """Slogans, but few an hour and for days."""
        for _ in range(self._plan.attackers):
            sender = self._is(SPOOFED, self._mobile())
            at = self._draw.uniform(self.from_s, self.to_s)
            yield at, sender, self._crowd().slogan()

    def _ramp(self) -> Iterator[Said]:
        """People's words, a little more each day, to teach us that it is usual."""
        for _ in range(self._plan.attackers):
            sender = self._is(SPOOFED, self._mobile())
            yield self._span_s * self._draw.random() ** 0.4, sender, self._crowd().person()

    def _pumping(self) -> Iterator[Said]:
        """Half from ranges that cost a fortune, half from one block of a dear country."""
        block = self._numbers.block("LT")
        for number in range(self._plan.attackers):
            dear = number % 2 == 0
            sender = self._is("pumping", self._numbers.dear() if dear else next(block))
            yield self._flooding_s(), sender, self._crowd().person()

    def _asking(self, kind: str, ask: Callable[[], str]) -> Iterator[Said]:
        """Real people who were misled, or are curious."""
        for _ in range(self._plan.attackers):
            sender = self._is(kind, self._mobile())
            yield self._flooding_s(), sender, ask()

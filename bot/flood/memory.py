"""What the leader knows, kept over a restart as one text in the store (C20)."""

from __future__ import annotations

import base64
import dataclasses
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeVar

from bot.policy.flood import breaker, topics, words
from bot.policy.flood.snapshot import Mode

T = TypeVar("T")
# So many words are usual at the most; the rarest go first.
WORDS: Final = 20_000
ONCE: Final = 20_000
DAYS: Final = 7
WEEK_MS: Final = 7 * 86_400_000
# What is usual moves at most so much a week once a week is known (C47).
WEEKLY: Final = 0.1


@dataclasses.dataclass(slots=True)
class Bucket:
    """A quarter of an hour: new senders, those of them on a known topic, senders by word."""

    senders: int = 0
    topical: int = 0
    words: dict[int, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Memory:
    """Everything but the last two hours' counts, which are rows of their own."""

    usual_senders: float = 0.0
    usual_words: dict[int, float] = dataclasses.field(default_factory=dict)
    week_ms: int = 0
    week_senders: float = 0.0
    flagged: dict[int, int] = dataclasses.field(default_factory=dict)
    strong: set[int] = dataclasses.field(default_factory=set)
    surges: set[int] = dataclasses.field(default_factory=set)
    days: dict[str, dict[int, float]] = dataclasses.field(default_factory=dict)
    anchor: tuple[float, ...] | None = None
    learned_ms: int = 0
    # Since when somebody looked without a gap.
    looking_ms: int = 0
    setting: breaker.Setting = dataclasses.field(default_factory=breaker.Setting)
    once: dict[int, None] = dataclasses.field(default_factory=dict)
    # What was last worked out of it, each with all that it follows from (`derived`); not kept.
    worked_out: dict[str, tuple[object, Any]] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    def derived(self, name: str, of: object, work: Callable[[], T]) -> T:
        """What `work` gives, from the last time if it follows from the same: looks are many."""
        known = self.worked_out.get(name)
        if known is None or known[0] != of:
            known = self.worked_out[name] = (of, work())
        value: T = known[1]
        return value

    def seen(self, recent: Mapping[int, Bucket], open_ms: int) -> topics.Counts:
        """All recent buckets together; those that began before `open_ms` are added up once."""
        shut = tuple(b for start, b in recent.items() if start < open_ms)
        before: topics.Counts = self.derived("shut", shut, lambda: _sum(topics.Counts(0, {}), shut))
        return _sum(before, [b for start, b in recent.items() if start >= open_ms])

    def usual(self, common: AbstractSet[int]) -> topics.Counts:
        """As policy takes it."""
        return topics.Counts(self.usual_senders, self.usual_words, common)

    def learn(self, bucket: Bucket, now_ms: int) -> None:
        """Take a calm bucket into what is usual, within the week's bound; topics never."""
        if self.week_ms == 0:
            self.week_ms = now_ms
        if now_ms - self.week_ms >= WEEK_MS:
            self.week_ms, self.week_senders = now_ms, self.usual_senders
        if self.week_senders and self.usual_senders >= self.week_senders * (1 + WEEKLY):
            return
        self.usual_senders += bucket.senders
        for word, n in bucket.words.items():
            if word not in self.flagged and (known := self._known(word)) is not None:
                self.usual_words[word] = known + n
        if len(self.usual_words) > WORDS:
            common = sorted(self.usual_words.items(), key=lambda item: -item[1])
            self.usual_words = dict(common[: WORDS // 2])

    def _known(self, word: int) -> float | None:
        """How often a word was used before; None for a wording's first time, which is not kept.

        There are nearly as many wordings as messages, and one that is used once is no habit. The
        same goes for blocks of numbers.
        """
        known = self.usual_words.get(word)
        if known is not None or not word & (words.WHOLE | words.BLOCK):
            return known or 0.0
        if word in self.once:
            del self.once[word]
            return 1.0
        self.once[word] = None
        if len(self.once) > ONCE:
            del self.once[next(iter(self.once))]
        return None

    def saw_hour(self, day: str, hour: int, senders: float) -> None:
        """Add calm new senders of a local hour; the oldest days go."""
        seen = self.days.setdefault(day, {})
        seen[hour] = seen.get(hour, 0.0) + senders
        for old in sorted(self.days)[: -(DAYS + 1)]:
            del self.days[old]

    def mark(self) -> tuple[object, ...]:
        """Differs when there is something new to keep."""
        return (self.learned_ms, set(self.flagged), set(self.surges), self.setting.mode)

    def text(self) -> str:
        """For the store: JSON, the many words packed (12 bytes each)."""
        n, once = len(self.usual_words), len(self.once)
        usual = struct.pack(f"<{n}q{n}f", *self.usual_words, *self.usual_words.values())
        wordings = struct.pack(f"<{once}q", *self.once)
        plain = json.dumps(
            {
                "usual_senders": self.usual_senders,
                "week_ms": self.week_ms,
                "week_senders": self.week_senders,
                "flagged": self.flagged,
                "strong": sorted(self.strong),
                "surges": sorted(self.surges),
                "days": self.days,
                "anchor": self.anchor,
                "learned_ms": self.learned_ms,
                "looking_ms": self.looking_ms,
                "setting": dataclasses.asdict(self.setting),
            }
        )
        # Base 64 holds nothing that JSON spells in another way, so it need not be looked through.
        return (
            f'{plain[:-1]}, "usual_words": "{base64.b64encode(usual).decode()}", '
            f'"once": "{base64.b64encode(wordings).decode()}"}}'
        )


def _sum(before: topics.Counts, more: Sequence[Bucket]) -> topics.Counts:
    words_ = dict(before.words)
    for bucket in more:
        for word, n in bucket.words.items():
            words_[word] = words_.get(word, 0) + n
    return topics.Counts(before.senders + sum(b.senders for b in more), words_)


def _unpack(text: str) -> dict[int, float]:
    packed = base64.b64decode(text)
    n = len(packed) // 12
    values = struct.unpack(f"<{n}q{n}f", packed)
    return dict(zip(values[:n], values[n:], strict=True))


def read(text: str | None) -> Memory:
    """Back from the store; a fresh memory if there is none yet.

    Another version of the program may have kept it: what it did not know is as in a fresh one, and
    what only it knew is left out, so that neither an upgrade nor a roll-back stops at it.
    """
    fresh = Memory()
    if text is None:
        return fresh
    plain: dict[str, Any] = json.loads(fresh.text()) | json.loads(text)
    told = plain["setting"]
    names = [field.name for field in dataclasses.fields(breaker.Setting) if field.name in told]
    setting = {name: told[name] for name in names} | {"mode": Mode(told["mode"])}
    return Memory(
        usual_senders=plain["usual_senders"],
        usual_words=_unpack(plain["usual_words"]),
        week_ms=plain["week_ms"],
        week_senders=plain["week_senders"],
        flagged={int(k): v for k, v in plain["flagged"].items()},
        strong=set(plain["strong"]),
        surges=set(plain["surges"]),
        days={d: {int(h): n for h, n in hours.items()} for d, hours in plain["days"].items()},
        anchor=tuple(plain["anchor"]) if plain["anchor"] else None,
        learned_ms=plain["learned_ms"],
        looking_ms=plain["looking_ms"],
        setting=breaker.Setting(**setting),
        once=dict.fromkeys(words.unpack(base64.b64decode(plain["once"]))),
    )

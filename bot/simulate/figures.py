"""What came of a simulation, as values; nothing is decided here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bot.contract import money
from bot.simulate import truth


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One calendar day of the budget's time zone. `spent`: as the outside world billed it."""

    day: str
    reserved_micros: int
    spent_micros: int
    replies: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """An hour of the course, for the chart. `bill_micros`: all replies so far."""

    from_ms: int
    messages: int
    replies: int
    bill_micros: int
    mode: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """One period of a channel's quota: `what` is parts or recipients, `period` a day or month."""

    channel: str
    what: str
    period: str
    used: int
    limit: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Money in micros of `currency`; `fates`: what became of each message.

    `saved_micros`: what other channels than the one written to saved.

    The keys of `fates` are `answered`, `opted_out`, `duplicate`, and `held:`, `pending:`,
    `cancelled:`, `silenced:` and so on with the reason; their sum is `messages`.
    """

    trace: str
    currency: str
    timezone: str
    messages: int
    senders: int
    replies: int
    replies_by_route: Mapping[str, int]
    parts: int
    bill_micros: int
    inbound_micros: int
    opinions_micros: int
    naive_2017_micros: int
    fates: Mapping[str, int]
    pending_at_end: Mapping[str, int]
    twice: int
    early: int
    on_time: float | None
    cap_day_micros: int | None
    days: Sequence[Day]
    course: Sequence[Stretch]
    faults: Sequence[str]
    wall_s: float
    saved_micros: int = 0
    quotas: Sequence[QuotaUse] = ()
    judged: truth.Judged | None = None

    @property
    def messages_per_s(self) -> float:
        """How fast it went."""
        return self.messages / self.wall_s if self.wall_s else 0.0

    @property
    def reserved_day_max_micros(self) -> int:
        """The most that was reserved for one calendar day."""
        return max((day.reserved_micros for day in self.days), default=0)

    def as_json(self) -> dict[str, Any]:
        """Plain values; money as decimal strings."""
        cap = self.cap_day_micros
        return {
            "trace": self.trace,
            "currency": self.currency,
            "timezone": self.timezone,
            "messages": self.messages,
            "senders": self.senders,
            "replies": self.replies,
            "replies_by_route": dict(self.replies_by_route),
            "parts": self.parts,
            "bill": money.plain(self.bill_micros),
            "inbound": money.plain(self.inbound_micros),
            "opinions": money.plain(self.opinions_micros),
            "naive_2017": money.plain(self.naive_2017_micros),
            "fates": dict(self.fates),
            "pending_at_end": dict(self.pending_at_end),
            "twice": self.twice,
            "early": self.early,
            "on_time": self.on_time,
            "cap_day": None if cap is None else money.plain(cap),
            "saved_by_routes": money.plain(self.saved_micros),
            "quotas": [dataclasses.asdict(one) for one in self.quotas],
            "reserved_day_max": money.plain(self.reserved_day_max_micros),
            "days": [
                {
                    "day": day.day,
                    "reserved": money.plain(day.reserved_micros),
                    "spent": money.plain(day.spent_micros),
                    "replies": day.replies,
                }
                for day in self.days
            ],
            "faults": list(self.faults),
            "judged": None if self.judged is None else self.judged.as_json(),
            "wall_s": round(self.wall_s, 3),
            "messages_per_s": round(self.messages_per_s, 1),
        }

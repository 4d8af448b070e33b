"""A run judged by the truth of its flood: people on time, and who got the money."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bot.contract import money
from bot.simulate import made_floods, world

# On time is from 45 minutes to two hours; who first wrote later than that before the end has not
# had his time yet and is left out.
EARLIEST_MS: Final = 45 * 60_000
LATEST_MS: Final = 120 * 60_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Shares are None where there was nobody. `all_knowing_micros`: one part to each person."""

    people: int
    on_time: float | None
    on_time_outside: float | None
    on_time_inside: float | None
    spent_micros: Mapping[str, int]
    senders: Mapping[str, int]
    answered: Mapping[str, int]
    inbound_parts: Mapping[str, int]
    bait_accused: float | None
    all_knowing_micros: int

    @property
    def bill(self) -> float | None:
        """The bill against that of one who knows everybody."""
        if not self.all_knowing_micros:
            return None
        return sum(self.spent_micros.values()) / self.all_knowing_micros

    def as_json(self) -> dict[str, Any]:
        """Plain values; money as decimal strings."""
        bill = self.bill
        return {
            "people": self.people,
            "on_time": self.on_time,
            "on_time_outside": self.on_time_outside,
            "on_time_inside": self.on_time_inside,
            "spent_by_kind": {k: money.plain(n) for k, n in self.spent_micros.items()},
            "senders_by_kind": dict(self.senders),
            "answered_by_kind": dict(self.answered),
            "inbound_parts_by_kind": dict(self.inbound_parts),
            "bait_accused": self.bait_accused,
            "all_knowing": money.plain(self.all_knowing_micros),
            "bill_by_all_knowing": None if bill is None else round(bill, 4),
        }


def judge(
    truth: made_floods.Truth,
    seen: Sequence[world.Seen],
    first_ms: Mapping[str, int],
    *,
    price: Callable[[str], int | None],
    start_ms: int,
    last_ms: int,
) -> Judged:
    """Against what reached whom."""
    reached = {one.to: one for one in reversed(seen)}
    people = [
        who
        for who, at_ms in first_ms.items()
        if truth.kinds[who] == made_floods.PERSON and at_ms + LATEST_MS < last_ms
    ]
    spent: collections.Counter[str] = collections.Counter()
    answered: collections.Counter[str] = collections.Counter()
    for one in seen:
        spent[truth.kinds[one.to]] += one.micros
        answered[truth.kinds[one.to]] += 1

    def share(among: Sequence[str]) -> float | None:
        good = sum(
            who in reached and EARLIEST_MS <= reached[who].at_ms - first_ms[who] <= LATEST_MS
            for who in among
        )
        return round(good / len(among), 4) if among else None

    from_ms, to_ms = start_ms + truth.from_s * 1000, start_ms + truth.to_s * 1000
    inside = [who for who in people if from_ms <= first_ms[who] < to_ms]
    within = set(inside)
    senders = collections.Counter(truth.kinds.values())
    bait = senders[made_floods.BAIT]
    return Judged(
        people=len(people),
        on_time=share(people),
        on_time_outside=share([who for who in people if who not in within]),
        on_time_inside=share(inside),
        spent_micros=dict(spent),
        senders=dict(senders),
        answered=dict(answered),
        inbound_parts=dict(truth.inbound_parts),
        bait_accused=round(answered[made_floods.BAIT] / bait, 4) if bait else None,
        all_knowing_micros=sum(price(who) or 0 for who in people),
    )

"""What a reply counts against: the names of its caps, how much of each, and their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bot.policy import settings

NO_LIMIT: Final = 1 << 62
DONATIONS: Final = "donations"
# Caps that the operator may set and take away; the others are kept from the first reply on.
_OPTIONAL: Final = ("country:", "channel:", "parts:", "recipients:", "first:", "sent:")

Scope = tuple[str, int, int, str]
"""Name, amount, limit, reason of a refusal."""


def optional(name: str) -> bool:
    """Whether a scope is there only while a setting asks for it."""
    return name.startswith(_OPTIONAL)


def sent(channel: str, day: str) -> str:
    """The scope that counts a channel's replies of a day, while `sent_per_received` is set."""
    return f"sent:{channel}:{day}"


def of(
    budget: settings.Budget,
    *,
    channel: str,
    country: str | None,
    micros: int,
    parts: int,
    hour: str,
    crossed: bool = False,
    ratio_room: int = NO_LIMIT,
) -> list[Scope]:
    """The scopes of one reply whose send starts in `hour` (periods.hour).

    `crossed`: it goes to somebody of another network than the channel's. `ratio_room`: how many
    replies `sent_per_received` leaves for this day.
    """
    day, month = hour[:10], hour[:7]
    cap_day, cap_month = budget.cap_day_micros, budget.cap_month_micros
    out: list[Scope] = []
    quota = budget.quotas.get(channel)
    if micros:
        out = [
            (f"day:{day}", micros, NO_LIMIT if cap_day is None else cap_day, "money"),
            (f"month:{month}", micros, NO_LIMIT if cap_month is None else cap_month, "money"),
            (DONATIONS, micros, 0 if budget.donations_only else NO_LIMIT, "money"),
        ]
        cap = budget.country_cap_day_micros.get(country or "")
        if cap is not None:
            out.append((f"country:{country}:{day}", micros, cap, "money"))
        if quota and quota.cap_day_micros is not None:
            out.append((f"channel:{channel}:{day}", micros, quota.cap_day_micros, "money"))
    if quota:
        if crossed:
            out.append((f"first:{channel}:{day}", 1, quota.first_contacts_per_day, "quota"))
        if quota.sent_per_received is not None:
            out.append((sent(channel, day), 1, ratio_room, "quota"))
        for scope, amount, limit in (
            (f"parts:{channel}:{hour}", parts, quota.parts_per_hour),
            (f"parts:{channel}:{day}", parts, quota.parts_per_day),
            (f"recipients:{channel}:{month}", 1, quota.recipients_per_month),
        ):
            if limit is not None:
                out.append((scope, amount, limit, "quota"))
    return out


def asked(wanted: Iterable[Iterable[Scope]]) -> dict[str, tuple[int, int]]:
    """Of each scope what all of them want together, and its limit."""
    out: dict[str, tuple[int, int]] = {}
    for each in wanted:
        for name, x, cap, _ in each:
            out[name] = out.get(name, (0, 0))[0] + x, cap
    return out


def room(told: Mapping[str, tuple[int, int]], used: Mapping[str, int], times: int) -> bool:
    """Whether what is `asked` would fit so many times."""
    return all(used.get(name, 0) + times * x <= cap for name, (x, cap) in told.items())


def judge(
    wanted: Iterable[Iterable[Scope]], used: Mapping[str, int]
) -> tuple[list[str | None], dict[str, int], dict[str, int]]:
    """Each in its order: None where all of it fits, else why not; what those take; their limits."""
    taken: dict[str, int] = {}
    limits: dict[str, int] = {}
    answers: list[str | None] = []
    for each in map(tuple, wanted):
        refusal = None
        for name, x, cap, why in each:
            if used.get(name, 0) + taken.get(name, 0) + x > cap:
                refusal = why
                break
        answers.append(refusal)
        if refusal is None:
            for name, x, cap, _ in each:
                taken[name] = taken.get(name, 0) + x
                limits[name] = cap
    return answers, taken, limits

"""What a reply counts against: the names of its caps, how much of each, and their limits."""

from __future__ import annotations

from typing import Final

from bot.policy import settings

NO_LIMIT: Final = 1 << 62
DONATIONS: Final = "donations"
# Caps that the operator may set and take away; the others are kept from the first reply on.
_OPTIONAL: Final = ("country:", "channel:", "parts:", "recipients:")

Scope = tuple[str, int, int, str]
"""Name, amount, limit, reason of a refusal."""


def optional(name: str) -> bool:
    """Whether a scope is there only while a setting asks for it."""
    return name.startswith(_OPTIONAL)


def of(
    budget: settings.Budget,
    *,
    channel: str,
    country: str | None,
    micros: int,
    parts: int,
    hour: str,
) -> list[Scope]:
    """The scopes of one reply whose send starts in `hour` (periods.hour)."""
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
        for scope, amount, limit in (
            (f"parts:{channel}:{hour}", parts, quota.parts_per_hour),
            (f"parts:{channel}:{day}", parts, quota.parts_per_day),
            (f"recipients:{channel}:{month}", 1, quota.recipients_per_month),
        ):
            if limit is not None:
                out.append((scope, amount, limit, "quota"))
    return out

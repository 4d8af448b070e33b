"""A day's cap spread over its hours, so that a raid at noon cannot take the evening's people.

What may be spent now is what is left of the cap less what the rest of the day usually needs. The
usual need of an hour is learned from the days before; until there is one, a plain human day.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

HOURS: Final = 24
# Kept back of what the rest of the day usually needs. From those in doubt a little more than
# all: what is left over is spent on them late. From the credible only half: when the cap is too
# small for the day, those who write early are worth as much as those who write late.
DOUBTFUL: Final = 1.15
CREDIBLE: Final = 0.5
_FEW: Final = 4
# Share of a day's new senders by local hour where nothing is known yet: few at night, most in the
# evening. Only its shape matters.
_PLAIN: Final = tuple(
    weight / 100
    for weight in (3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 5, 5, 5, 5, 6, 7, 8, 8, 8, 6, 4)
)


def usual_by_hour(days: Sequence[Mapping[int, float]]) -> tuple[float, ...] | None:
    """Usual new senders in each local hour of past days (calm hours only); None without any.

    The upper quartile: too little kept back costs the evening's people, too much only waits. An
    hour that was never seen is guessed from those that were, by the plain human day.
    """
    seen = {h: _upper([d[h] for d in days if h in d]) for h in range(HOURS)}
    known = {h: n for h, n in seen.items() if any(h in d for d in days)}
    if not known:
        return None
    scale = sum(known.values()) / sum(_PLAIN[h] for h in known)
    return tuple(known.get(h, scale * _PLAIN[h]) for h in range(HOURS))


def _upper(seen: Sequence[float]) -> float:
    if len(seen) < _FEW:
        return max(seen, default=0.0)
    return statistics.quantiles(seen, n=4, method="inclusive")[2]


def still_to_come(usual: Sequence[float], hour: int, share_left: float) -> float:
    """Usual new senders from now to midnight; `share_left` of the current hour, in [0, 1]."""
    return usual[hour] * share_left + sum(usual[hour + 1 :])


def allowance(
    *,
    cap_micros: int,
    used_micros: int,
    usual: Sequence[float] | None,
    hour: int,
    share_left: float,
    price_micros: int,
    keep: float,
) -> int:
    """What may be reserved by now, in micros: never more than what is left of the cap.

    With no usual day known, what the plain human day leaves for later is kept back of the cap
    itself. `price_micros`: what one reply usually costs. `keep`: DOUBTFUL or CREDIBLE. Only whole
    replies are kept back: of a very small cap the last one would wait for midnight.
    """
    left = cap_micros - used_micros
    one = max(price_micros, 1)
    day = _PLAIN if usual is None else usual
    ahead = still_to_come(day, hour, share_left)
    # What the cap cannot pay anyway is not kept back: then all hours get their even share of it.
    # Counted as what is left is, or a part of a reply that was spent would round the two apart.
    whole = max(0, left) // one + used_micros // one
    need = whole * one * ahead / (sum(day) or 1.0)
    if usual is not None:
        need = min(need, ahead * price_micros)
    return max(0, left - int(need * keep) // one * one)

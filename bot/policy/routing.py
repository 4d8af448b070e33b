"""Which way a reply goes: from the address he wrote to, unless the operator chose cheapest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bot.policy import settings

HISTORY_DAYS = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one channel would take for this reply, in micros of the budget's currency."""

    channel: str
    own_address: str
    micros: int
    parts: int


def ranked(
    offers: Sequence[Offer],
    *,
    written_to: str,
    rules: settings.Reply,
    ceiling_micros: int,
    least: Mapping[str, int] | None = None,
) -> list[Offer]:
    """The offers at or below the ceiling a part, the one to take first; empty if none fits.

    An unknown second number that accuses looks like fraud and breaks STOP, so `same` takes
    nothing but the channel written to. `least`: a channel whose quota is short is taken last
    where it would save less than that (`least_saving`).
    """
    fit = [o for o in offers if o.micros <= ceiling_micros * o.parts]
    if rules.route == settings.ROUTE_SAME:
        return [o for o in fit if o.channel == written_to]
    short = least or {}
    dearest = max((o.micros for o in fit), default=0)

    def rank(offer: Offer) -> tuple[bool, int, bool, str]:
        spared = dearest - offer.micros < short.get(offer.channel, 0)
        return spared, offer.micros, offer.channel != written_to, offer.channel

    return sorted(fit, key=rank)


def saving(offers: Sequence[Offer]) -> int:
    """What the first of these saves against the dearest of the others, in micros."""
    return max((o.micros for o in offers), default=0) - offers[0].micros if offers else 0


def least_saving(wanted: Mapping[int, int], left: int, share_left: float) -> int:
    """From which saving on a scarce free quota is spent now, so that the dearest get it.

    `wanted`: saving in micros -> people of the last HISTORY_DAYS whom it would have saved that;
    `left`: of the quota; `share_left`: how much of those days the rest of its period is. If the
    dearest alone are expected to use it up, the others pay; with little history nobody waits.
    """
    expected = 0.0
    for micros in sorted(wanted, reverse=True):
        expected += wanted[micros] * share_left
        if expected >= left:
            return micros
    return 0

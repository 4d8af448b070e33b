"""Which way a reply goes: from the address he wrote to, unless the operator chose cheapest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bot.policy import settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one channel would take for this reply, in micros of the budget's currency."""

    channel: str
    own_address: str
    micros: int
    parts: int


def choose(
    offers: Sequence[Offer], *, written_to: str, rules: settings.Reply, ceiling_micros: int
) -> Offer | None:
    """The offer to take, None if there is none at or below the ceiling a part.

    An unknown second number that accuses looks like fraud and breaks STOP, so `same` takes
    nothing but the channel written to.
    """
    fit = [o for o in offers if o.micros <= ceiling_micros * o.parts]
    if rules.route == settings.ROUTE_SAME:
        fit = [o for o in fit if o.channel == written_to]
    return min(fit, key=lambda o: (o.micros, o.channel != written_to, o.channel), default=None)

"""What is told in heaps and seldom, and who is on duty when something must be acted on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HOUR_MS: Final = 3_600_000
# Kinds that are gathered: (name, at most once in so long, English, French); {n} is how many.
KINDS: Final[Mapping[str, tuple[int, str, str]]] = {
    "unknown_sends": (
        HOUR_MS // 2,
        "{n} sends may or may not have gone out; !sends asks about each.",
        "{n} envois sont peut-être partis ; !envois demande pour chacun.",
    ),
    "new_topic": (
        HOUR_MS,
        "Many write about something new; what is held so waits for !review.",
        "Beaucoup écrivent sur un sujet nouveau ; ce qui est retenu attend !revue.",
    ),
    "late_price": (
        6 * HOUR_MS,
        "{n} replies cost more than was set aside; the next period bears it.",
        "{n} réponses ont coûté plus que prévu ; la période suivante le porte.",
    ),
    "odd_price": (
        6 * HOUR_MS,
        "{n} prices could not be read; the operator looks into the ledger.",
        "{n} prix illisibles ; l'exploitant regarde les comptes.",
    ),
    "unknown_currency": (
        6 * HOUR_MS,
        "{n} prices came in a currency without a rate; the operator sets one under [fx].",
        "{n} prix dans une monnaie sans taux ; l'exploitant en met un sous [fx].",
    ),
    "inbound_alarm": (
        HOUR_MS,
        "Receiving alone costs more than its alarm today. Replies to people go on.",
        "La réception seule dépasse son alerte aujourd'hui. Les réponses continuent.",
    ),
    "clock_jump": (
        HOUR_MS,
        "The clock jumped; sending paused for a minute.",
        "L'horloge a sauté ; les envois ont attendu une minute.",
    ),
    "more_lane": (
        HOUR_MS,
        "{n} more messages should be read by somebody: !read priority",
        "{n} autres messages devraient être lus : !lire priority",
    ),
}


def on_duty(hours: tuple[int, int], hour: int) -> bool:
    """Whether an hour of the day lies in `hours`, which may go over midnight; equal: always."""
    begin, end = hours
    if begin == end:
        return True
    return begin <= hour < end if begin < end else hour >= begin or hour < end

"""The mode: which one is in force and why, and setting one by hand.

The claim heeds what is set here at once; the flood's leader follows at its next look, tells it as
an event, and goes back to its rules when the time is over.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Final

import sqlalchemy as sa

from bot.console import audit
from bot.console.results import Done, Words, said
from bot.flood import orders
from bot.policy.flood import byhand
from bot.policy.flood.snapshot import Mode
from bot.store import events, tables

HISTORY: Final = 20
_e = tables.events

_DOES: Final = {
    Mode.NORMAL: (
        "Replies go out when they fall due, as the day's money is shared out.",
        "Les réponses partent à leur heure, selon le partage de l'argent du jour.",
    ),
    Mode.TIGHT: (
        "People who come in a crowd wait until those outside it are sure of theirs.",
        "Qui arrive avec une foule attend que les autres soient sûrs d'avoir la leur.",
    ),
    Mode.FREE_ONLY: (
        "Only free networks answer; what costs money waits.",
        "Seuls les réseaux gratuits répondent ; ce qui coûte attend.",
    ),
    Mode.REVIEW: (
        "Every reply waits for a moderator.",
        "Chaque réponse attend une décision.",
    ),
    Mode.RECEIVE_ONLY: (
        "Messages are taken in; nothing is answered.",
        "Les messages sont reçus ; rien ne part.",
    ),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, with what the leader saw then.

    `senders`, `topical`: new senders of the last hour, and those of them on a new topic. `spent`:
    share of the day's cap, None without one.
    """

    at_ms: int
    mode: str
    by_hand: bool
    until_ms: int | None
    why: Words
    senders: int
    topical: int
    spent: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The mode in force. `does`: what it means for replies. `until_ms`: it ends by itself then."""

    mode: str
    why: Words
    does: Words
    since_ms: int | None
    by_hand: bool
    until_ms: int | None
    senders: int
    topical: int
    spent: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The present mode and how it came to that, newest first."""

    now: Present
    history: tuple[Change, ...]


def present(tx: sa.Connection, now_ms: int) -> Present:
    """What is in force this moment, also where no leader has looked since it was set."""
    told = orders.told(tx)
    order = byhand.order(events.controls(tx), now_ms)
    if order is not None:
        told = dataclasses.replace(
            told,
            mode=order.mode,
            since_ms=order.since_ms,
            by_hand=True,
            cause=orders.BY_HAND,
            until_ms=order.until_ms,
            who=order.who,
        )
    elif told.by_hand:
        ended_ms = min(told.until_ms or now_ms, now_ms)
        told = orders.Told(
            since_ms=ended_ms,
            cause=orders.HAND_OVER,
            senders=told.senders,
            topical=told.topical,
            spent=told.spent,
        )
    return Present(
        mode=told.mode.value,
        why=why(told),
        does=said(*_DOES[told.mode]),
        since_ms=told.since_ms or None,
        by_hand=told.by_hand,
        until_ms=told.until_ms,
        senders=round(told.senders),
        topical=round(told.topical),
        spent=None if told.spent is None else round(told.spent, 3),
    )


def view(tx: sa.Connection, now_ms: int) -> View:
    """With the last changes."""
    query = sa.select(_e.c.at_ms, _e.c.data).where(_e.c.kind == orders.KIND)
    rows = tx.execute(query.order_by(_e.c.id.desc()).limit(HISTORY)).all()
    return View(now=present(tx, now_ms), history=tuple(_change(at, data) for at, data in rows))


def _change(at_ms: int, data: str) -> Change:
    told = orders.parsed(json.loads(data))
    return Change(
        at_ms=at_ms,
        mode=told.mode.value,
        by_hand=told.by_hand,
        until_ms=told.until_ms,
        why=why(told),
        senders=round(told.senders),
        topical=round(told.topical),
        spent=None if told.spent is None else round(told.spent, 3),
    )


_WHY: Final = {
    orders.BY_HAND: ("Set by hand by {who}.", "Choisi à la main par {who}."),
    orders.HAND_OVER: (
        "What was set by hand is over; the rules decide again.",
        "Le choix fait à la main est terminé ; les règles décident à nouveau.",
    ),
    orders.MONEY: (
        "{spent} % of the day's money is used.",
        "{spent} % de l'argent du jour est utilisé.",
    ),
    orders.TOPIC: (
        "{share} % of {senders} new senders in an hour write about one new thing.",
        "{share} % de {senders} nouveaux numéros en une heure écrivent sur un même sujet nouveau.",
    ),
    orders.SURGE: (
        "{senders} new senders in an hour, far more than usual.",
        "{senders} nouveaux numéros en une heure, bien plus que d'habitude.",
    ),
    orders.CALM: ("Nothing unusual is seen.", "Rien d'inhabituel n'est vu."),
}


def why(told: orders.Told) -> Words:
    """The reason of a mode with its figures, as one sentence."""
    figures = {
        "who": told.who,
        "spent": round(100 * (told.spent or 0.0)),
        "share": round(100 * told.topical / max(told.senders, 1)),
        "senders": round(told.senders),
    }
    en, fr = _WHY.get(told.cause, _WHY[orders.CALM])
    return said(en.format(**figures), fr.format(**figures))


def set_mode(
    tx: sa.Connection, mode: Mode, *, now_ms: int, who: str, until_ms: int | None = None
) -> Done:
    """Set a mode until then, or until another is set.

    `normal` with an end means: no mode of the rules until then. Without an end it means that the
    rules decide again, so that nobody leaves the house without a defence by mistake.
    """
    audit.note(tx, now_ms, who, "mode", mode=mode.value, until_ms=until_ms)
    if mode is Mode.NORMAL and until_ms is None:
        events.control(tx, now_ms, byhand.KEY, None)
        return Done(
            ok=True,
            said=said(
                "No mode is set by hand any more; the rules decide.",
                "Plus aucun mode choisi à la main ; les règles décident.",
            ),
        )
    order = byhand.Order(mode=mode, since_ms=now_ms, until_ms=until_ms, who=who)
    events.control(tx, now_ms, byhand.KEY, order.text())
    en, fr = _DOES[mode]
    return Done(ok=True, said=said(f"Mode {mode}. {en}", f"Mode {mode}. {fr}"))

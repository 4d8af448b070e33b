"""The flood's part in what became of one reply, in plain words and figures; never a text."""

from __future__ import annotations

import datetime as dt
from typing import Final

import sqlalchemy as sa

from bot.console import clusters, modes
from bot.console.results import Words, said
from bot.flood import look, rows
from bot.policy import periods, settings
from bot.policy.decision import Reason
from bot.policy.flood import opinions, snapshot
from bot.policy.lifecycle import State
from bot.store import tables

_QUARTERS: Final = 4
_r = tables.replies


def of_reply(
    tx: sa.Connection, row: sa.RowMapping, budget: settings.Budget, now_ms: int
) -> Words | None:
    """Why the flood held it; None where the flood had no part in it."""
    found = _held(tx, row, budget, now_ms)
    if found is None or row["opinion"] != opinions.REAL:
        return found
    return said(
        f"{found.en} A look-up says that somebody has this number.",
        f"{found.fr} Une vérification dit que ce numéro est à quelqu'un.",
    )


def _held(
    tx: sa.Connection, row: sa.RowMapping, budget: settings.Budget, now_ms: int
) -> Words | None:
    if row["reason"] == Reason.PACE:
        return _pace(tx, row, budget)
    if row["reason"] == Reason.MODE:
        return _mode(tx, now_ms)
    if row["topic"] is not None:
        return _topic(tx, row)
    return None


def _topic(tx: sa.Connection, row: sa.RowMapping) -> Words:
    count, first, last = sa.func.count(), sa.func.min(_r.c.first_ms), sa.func.max(_r.c.first_ms)
    query = sa.select(count, first, last).where(_r.c.topic == row["topic"])
    n, first_ms, last_ms = tx.execute(query).one()
    en, fr = clusters.span(last_ms - first_ms)
    about = (
        f"{n} people wrote about the same new thing within {en}",
        f"{n} personnes ont écrit sur le même sujet nouveau en {fr}",
    )
    if row["state"] == State.HELD:
        return said(f"Held: {about[0]}.", f"Retenue : {about[1]}.")
    return said(f"It was held before: {about[0]}.", f"Elle a été retenue : {about[1]}.")


def _mode(tx: sa.Connection, now_ms: int) -> Words:
    now = modes.present(tx, now_ms)
    return said(
        f"Held by a mode; it is {now.mode} now. {now.why.en}",
        f"Retenue par un mode ; c'est {now.mode} à présent. {now.why.fr}",
    )


def _pace(tx: sa.Connection, row: sa.RowMapping, budget: settings.Budget) -> Words:
    known = rows.load(tx)
    start_ms = snapshot.bucket_ms(row["first_ms"])
    count = sa.select(sa.func.count()).select_from(_r)
    if row["state"] == State.HELD:
        before = count.where(sa.literal_column("replies.state") == sa.literal_column("'held'"))
        before = before.where(_r.c.reason == Reason.PACE.value, _r.c.due_ms < row["due_ms"])
        n = tx.execute(before).scalar_one()
        turn = (f"waits for its turn, {n} before it", f"attend son tour, {n} avant elle")
    else:
        turn = ("had to wait for its turn", "a dû attendre son tour")
    if start_ms not in known.surges:
        return said(
            f"The day's money is spread over its hours; it {turn[0]}.",
            f"L'argent du jour est réparti sur ses heures ; elle {turn[1]}.",
        )
    end_ms = start_ms + snapshot.BUCKET_MS
    came = tx.execute(
        count.where(_r.c.automatic, _r.c.first_ms >= start_ms, _r.c.first_ms < end_ms)
    ).scalar_one()
    usual = look.usual(known, periods.day(row["first_ms"], budget.timezone))
    hour = dt.datetime.fromtimestamp(start_ms / 1000, budget.timezone).hour
    quarter = usual[hour] / _QUARTERS if usual is not None else 0.0
    if quarter < 1:
        times = (f"{came} new people, far more than usual", f"{came} personnes nouvelles")
    else:
        times = (
            f"{came / quarter:.0f} times the usual number",
            f"{came / quarter:.0f} fois plus de monde que d'habitude",
        )
    return said(
        f"Came in a quarter of an hour with {times[0]}; {turn[0]}.",
        f"Arrivée dans un quart d'heure avec {times[1]} ; {turn[1]}.",
    )

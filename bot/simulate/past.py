"""The installation's own past, to be played again under other settings: facts, never texts.

The table of inbound messages holds what was seen of each (when, from which person, country, kind
of number, what was decided), and a reply's row the keyed words of the first message. Numbers and
texts are gone; `past_stage` makes others up that are alike. Reads only.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import ledger
from bot.contract import messages
from bot.policy.decision import Reason, Verdict
from bot.policy.numbers import Ineligible
from bot.store import tables

_DAY_MS: Final = 86_400_000
_i, _r, _p, _m = tables.inbound, tables.replies, tables.persons, tables.postings
# Who met one of these first was known before: what he had got then is not in these days.
_KNOWN: Final = frozenset({Reason.ANSWERED, Reason.PENDING, Reason.OPTED_OUT, Reason.BLOCKED})
_LINES = (
    sa.select(
        _i.c.received_ms,
        _i.c.person_id,
        _i.c.channel,
        _i.c.network,
        _i.c.kind,
        _i.c.decision,
        _i.c.reason,
        _i.c.parts,
        _i.c.country,
        _i.c.number_type,
        _i.c.prefix,
        _r.c.words,
    )
    .outerjoin(
        _r,
        sa.and_(_r.c.id == _i.c.reply_id, _i.c.decision.in_((Verdict.REPLY, Verdict.HOLD))),
    )
    .where(_i.c.received_ms >= sa.bindparam("since"))
    .order_by(_i.c.received_ms, _i.c.id)
)
_MERGED = sa.select(_p.c.id, _p.c.merged_into).where(_p.c.merged_into.is_not(None))
_COST = (
    sa.select(_m.c.channel, sa.func.sum(_m.c.amount_micros))
    .where(_m.c.account == ledger.INBOUND, _m.c.at_ms >= sa.bindparam("since"))
    .group_by(_m.c.channel)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message. `block`: what its sender's number shares with its neighbours, keyed.

    `machine`: a program wrote it. `answerable`: its sender was answered or might have been.
    `words`: the keyed words of a first message, as the reply's row kept them.
    """

    at_ms: int
    person: int
    channel: str
    network: str
    kind: messages.Kind
    wish: messages.Wish | None
    machine: bool
    answerable: bool
    parts: int
    country: str | None
    number_type: str | None
    block: bytes | None
    words: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """`left_out`: messages that cannot be played, by why. `inbound_micros`: a part, by channel."""

    lines: Sequence[Line]
    left_out: Mapping[str, int]
    inbound_micros: Mapping[str, int]


def read(tx: sa.Connection, now_ms: int, days: int) -> Past:
    """The last days."""
    since = {"since": now_ms - days * _DAY_MS}
    merged: dict[int, int] = dict(tx.execute(_MERGED).all())
    known: dict[int, bool] = {}
    lines: list[Line] = []
    left_out: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for row in tx.execute(_LINES, since).mappings():
        person = row["person_id"]
        while person in merged:
            person = merged[person]
        parts[row["channel"]] += row["parts"]
        if row["reason"] == Ineligible.OWN_NUMBER:
            left_out["from an address of ours"] += 1
        elif known.setdefault(person, row["reason"] in _KNOWN):
            left_out["from people who were known before these days"] += 1
        else:
            lines.append(_line(row, person))
    spent = {channel: int(micros) for channel, micros in tx.execute(_COST, since)}
    return Past(
        lines=lines,
        left_out=dict(left_out),
        inbound_micros={c: n // parts[c] for c, n in spent.items() if parts.get(c)},
    )


def _line(row: sa.RowMapping, person: int) -> Line:
    wish = None
    if row["decision"] == Verdict.OPT_OUT:
        wish = messages.Wish.STOP
    elif row["reason"] == Reason.START:
        wish = messages.Wish.START
    return Line(
        at_ms=row["received_ms"],
        person=person,
        channel=row["channel"],
        network=row["network"],
        kind=messages.Kind(row["kind"]),
        wish=wish,
        machine=row["reason"] == Reason.MACHINE,
        answerable=row["decision"] in (Verdict.REPLY, Verdict.HOLD),
        parts=row["parts"],
        country=row["country"],
        number_type=row["number_type"],
        block=row["prefix"],
        words=row["words"],
    )

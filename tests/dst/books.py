"""Our own books against the providers' ledgers: nothing is missing, nothing stands there twice."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import address
from bot.policy.decision import Verdict
from bot.policy.lifecycle import State
from bot.store import tables
from tests.dst import people, told

_r, _i, _a = tables.replies, tables.inbound, tables.audit
_OPEN: Final = frozenset({State.HELD, State.SCHEDULED, State.SENDING})
_WENT_OUT: Final = frozenset({State.SENT, State.DELIVERED, State.UNKNOWN})
_NEEDS_REASON: Final = frozenset({State.CANCELLED, State.EXPIRED, State.FAILED})


def stored(run: told.Run) -> Iterator[str]:
    """Each acknowledged message is there once but for what was erased, and nothing else."""
    query = sa.select(_i.c.channel, sa.func.count()).group_by(_i.c.channel)
    rows = dict(run.disk._read(lambda tx: [(c, n) for c, n in tx.execute(query)]))
    for name, network in run.networks.items():
        ours = [letter for letter in run.letters if letter.channel == name]
        least, most = network.rows(ours)
        gone = sum(one.gone[name] for one in erased(run))
        if not least <= rows.get(name, 0) + gone <= most:
            yield (
                f"{name}: {least} to {most} messages, {rows.get(name, 0)} are stored, {gone} erased"
            )


def erased(run: told.Run) -> list[told.Erasure]:
    """Those that were stored, as the trail says; of some a crash hid it."""
    query = sa.select(_a.c.at_ms, _a.c.data).where(_a.c.act == "erase")
    trail = run.disk._read(lambda tx: tx.execute(query).all())
    noted = {(at_ms, *json.loads(data)["persons"]) for at_ms, data in trail}
    return [one for one in run.erasures if (one.at_ms, one.person) in noted]


def erasures(run: told.Run) -> Iterator[str]:
    """Each that was told stored is in the trail, and took all of hers and nobody else's."""
    done = erased(run)
    for one in run.erasures:
        if one.sure and one.person is not None and one not in done:
            yield f"an erasure at {one.at_s:.0f} s is not in the trail"
    known = people.may_be_linked(run.letters)
    last: dict[address.Address, float] = {}
    for one in done:
        whose = known.of(one.who)
        for name in run.channels:
            hers = [n for n in run.letters if known.of(n.sender) == whose and n.channel == name]
            least, most = _erasable(hers, one, last.get(whose, 0))
            # An invitation is a message too, and one is read later than it came.
            if name == people.MATRIX:
                least, most = 0, len(run.letters) if most else 0
            if not least <= one.gone[name] <= most:
                yield f"{name}: {one.gone[name]} erased at {one.at_s:.0f} s, not {least} to {most}"
        last[whose] = one.at_s


def _erasable(hers: Sequence[people.Letter], one: told.Erasure, before_s: float) -> tuple[int, int]:
    """How many must be, and may be, there to be erased; `before_s`: when all of hers went last."""
    least = sum(
        n.sender == one.who and n.acked_s is not None and n.acked_s < one.at_s and n.at_s > before_s
        for n in hers
    )
    return least, sum(n.handed and n.at_s <= one.at_s for n in hers)


def endings(run: told.Run) -> Iterator[str]:
    """Each message was decided with a reason, each reply has ended as its provider knows."""
    known = {verdict.value for verdict in Verdict}
    replies = {row["id"]: row for row in run.disk._read(_replies)}
    for row in run.disk._read(lambda tx: tx.execute(sa.select(_i)).mappings().all()):
        if row["decision"] not in known or not row["reason"]:
            yield f"a message with decision {row['decision']!r}, reason {row['reason']!r}"
        wants = row["decision"] in {Verdict.REPLY, Verdict.HOLD}
        if wants and row["reply_id"] not in replies:
            yield f"a message decided as {row['decision']} without a reply"
    yield from _ended(run, replies)


def _ended(run: told.Run, replies: Mapping[int, sa.RowMapping]) -> Iterator[str]:
    for row in replies.values():
        if row["state"] in _OPEN:
            yield f"a reply is {row['state']} at the end"
        if row["state"] in _NEEDS_REASON and not row["reason"]:
            yield f"a reply is {row['state']} for no reason"
    by_key = {outbox.key(run.keys, i): row for i, row in replies.items()}
    taken = {call.provider_id for call in run.outside.calls if call.taken}
    for row in replies.values():
        if row["provider_id"] is not None and row["provider_id"] not in taken:
            yield f"a reply is {row['state']} under a name that no provider gave"
    for call in run.outside.calls:
        found = by_key.get(call.reply_id)
        if found is not None and call.taken and not call.failed and found["state"] not in _WENT_OUT:
            yield f"{call.channel} took it at {call.steady_s:.0f} s, we say {found['state']}"


def _replies(tx: sa.Connection) -> list[sa.RowMapping]:
    return list(tx.execute(sa.select(_r)).mappings())


def how_it_ended(run: told.Run) -> collections.Counter[str]:
    """What became of the first messages of people, one ending each."""
    out: collections.Counter[str] = collections.Counter()
    replies = {row["id"]: row["state"] for row in run.disk._read(_replies)}
    query = sa.select(_i.c.decision, _i.c.reply_id).where(_i.c.first)
    for decision, reply_id in run.disk._read(lambda tx: tx.execute(query).all()):
        out[f"first {replies.get(reply_id, decision)}"] += 1
    return out


def money(run: told.Run) -> Iterator[str]:
    """The caps' rows are the sum of their postings, and no bill is missing from them."""
    postings, caps = tables.postings, tables.caps
    sums = (
        sa.select(postings.c.day, sa.func.sum(postings.c.amount_micros))
        .where(postings.c.account == ledger.REPLIES)
        .group_by(postings.c.day)
    )
    booked = {day: int(n) for day, n in run.disk._read(lambda tx: tx.execute(sums).all())}
    billed = sum((call.price or 0) for call in run.outside.calls if call.taken)
    if sum(booked.values()) < billed:
        yield f"billed {billed}, booked {sum(booked.values())}"
    held = sa.select(caps.c.scope, caps.c.used).where(caps.c.scope.startswith("day:"))
    for scope, used in run.disk._read(lambda tx: tx.execute(held).all()):
        if booked.get(scope.removeprefix("day:"), 0) != used:
            yield f"{scope}: {used} held, {booked.get(scope.removeprefix('day:'), 0)} posted"
    priced = sa.select(_r.c.provider_id, _r.c.price_micros).where(
        _r.c.provider_id.is_not(None), _r.c.price_micros.is_not(None)
    )
    true = {call.provider_id: call for call in run.outside.calls if call.taken}
    for provider_id, price in run.disk._read(lambda tx: tx.execute(priced).all()):
        call = true.get(provider_id)
        if call is not None and price not in {call.price, call.quote, 0}:
            yield f"{call.channel} billed {call.price}, booked {price}"

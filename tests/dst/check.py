"""What no run may show, judged by the outside's own ledger; the books are only added up."""

from __future__ import annotations

import collections
import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from bot import ledger
from bot.contract import address
from bot.policy import periods, settings
from bot.policy.lifecycle import State
from bot.store import tables
from tests.dst import people
from tests.dst.outside import Call
from tests.dst.run import Run

_ZONE = zoneinfo.ZoneInfo("Europe/Paris")
_ENDED = {State.HELD, State.SCHEDULED, State.SENDING}


def faults(run: Run) -> list[str]:
    """Every broken promise, in plain sentences; empty when all are kept."""
    return [
        *run.odd,
        *_stored(run),
        *_once(run),
        *_resent(run),
        *_early(run),
        *_caps(run),
        *_paused(run),
        *_wishes(run),
        *_books(run),
    ]


def _stored(run: Run) -> Iterator[str]:
    """Each acknowledged message is there once, and nothing else."""
    query = sa.select(sa.func.count()).select_from(tables.inbound)
    rows = run.disk._read(lambda tx: tx.execute(query).scalar_one())
    acked = sum(letter.acked_s is not None for letter in run.letters)
    if acked != len(run.letters):
        yield f"{len(run.letters) - acked} messages were never acknowledged"
    if rows != acked:
        yield f"{acked} messages were acknowledged, {rows} are stored"


def _components(run: Run) -> dict[address.Address, list[Call]]:
    out: dict[address.Address, list[Call]] = {}
    for call in run.outside.calls:
        if call.maybe_out:
            out.setdefault(run.linked.of(call.to), []).append(call)
    return out


def _once(run: Run) -> Iterator[str]:
    """Nobody gets two replies, or one that may be a second one."""
    for calls in _components(run).values():
        for n, call in enumerate(calls):
            for before in calls[:n]:
                same = before.to == call.to
                joined = run.linked.joined_s.get(frozenset((before.to, call.to)))
                known = joined is not None and joined < min(before.steady_s, call.steady_s)
                repeat = before.reply_id == call.reply_id and before.channel == call.channel
                # One account drops repeats; a crash before it heard of the first is no second.
                if repeat and before.channel == "sim" and before.provider_id is None:
                    continue
                if same or known:
                    yield f"two replies to one person: {_told(before)}, {_told(call)}"


def _told(call: Call) -> str:
    return f"{call.channel} {call.fate} at {call.steady_s:.0f} s"


def _resent(run: Run) -> Iterator[str]:
    """What may be out is never handed over again, but to an account that drops repeats."""
    seen: dict[str, Call] = {}
    for call in run.outside.calls:
        before = seen.get(call.reply_id)
        if before is not None and before.maybe_out and before.channel != "sim":
            yield f"sent again after {before.fate}: {before.steady_s:.0f} s, {call.steady_s:.0f} s"
        seen[call.reply_id] = call


def _early(run: Run) -> Iterator[str]:
    delay_s = settings.Reply().delay_min_s
    first: dict[address.Address, dt.datetime] = {}
    for letter in run.letters:
        for one in (letter.message.sender, *letter.message.aliases):
            key = run.linked.of(one)
            at = letter.message.received_at
            first[key] = min(first.get(key, at), at)
    for call in run.outside.calls:
        wrote = first.get(run.linked.of(call.to))
        if wrote is None or (call.begun - wrote).total_seconds() < delay_s:
            yield f"a reply before its time at {call.steady_s:.0f} s"


def _caps(run: Run) -> Iterator[str]:
    spent: collections.Counter[str] = collections.Counter()
    parts: collections.Counter[str] = collections.Counter()
    for call in run.outside.calls:
        day = periods.day(int(call.begun.timestamp() * 1000), _ZONE)
        # The account's own money: what it billed, whether it told us or not; and what may have
        # been billed for all that we can know.
        unsure = call.quote if call.maybe_out else 0
        spent[day] += (call.price or 0) if call.provider_id else unsure
        parts[day] += call.channel == "sim" and call.maybe_out
    for day, micros in spent.items():
        if micros > run.caps["all"]:
            yield f"{micros - run.caps['all']} millionths over the cap of {day}"
    for day, n in parts.items():
        if n > 4:
            yield f"{n} parts on the quota of {day}"


def _paused(run: Run) -> Iterator[str]:
    for call in run.outside.calls:
        for pause in run.pauses:
            if pause.from_s < call.steady_s and (pause.to_s is None or call.steady_s < pause.to_s):
                yield f"a send at {call.steady_s:.0f} s while paused since {pause.from_s:.0f} s"


def _wishes(run: Run) -> Iterator[str]:
    """After a stored STOP nothing starts; where a START was said too, nothing is judged."""
    stops: dict[address.Address, float] = {}
    unsure: set[address.Address] = set()
    for letter in run.letters:
        if letter.acked_s is None:
            continue
        if letter.wish == "start":
            unsure.add(run.linked.of(letter.message.sender))
        elif letter.wish == "stop":
            who = letter.message.sender
            stops[who] = min(stops.get(who, letter.acked_s), letter.acked_s)
    for call in run.outside.calls:
        for who, at_s in stops.items():
            if run.linked.of(who) in unsure:
                continue
            joined = run.linked.joined_s.get(frozenset((who, call.to)), float("inf"))
            if who == call.to or max(joined, at_s) < call.steady_s:
                since = at_s if who == call.to else max(joined, at_s)
                if since < call.steady_s:
                    yield f"a send at {call.steady_s:.0f} s after the STOP of {since:.0f} s"


def _books(run: Run) -> Iterator[str]:
    """All replies ended, and the caps' rows are the sum of their postings."""
    replies, postings, caps = tables.replies, tables.postings, tables.caps
    states = sa.select(replies.c.state, sa.func.count()).group_by(replies.c.state)
    for state, n in run.disk._read(lambda tx: tx.execute(states).all()):
        if state in _ENDED:
            yield f"{n} replies are {state} at the end"
    sums = (
        sa.select(postings.c.day, sa.func.sum(postings.c.amount_micros))
        .where(postings.c.account == ledger.REPLIES)
        .group_by(postings.c.day)
    )
    booked = {day: int(n) for day, n in run.disk._read(lambda tx: tx.execute(sums).all())}
    billed = sum((call.price or 0) for call in run.outside.calls if call.provider_id)
    if sum(booked.values()) < billed:
        yield f"billed {billed}, booked {sum(booked.values())}"
    held = sa.select(caps.c.scope, caps.c.used).where(caps.c.scope.startswith("day:"))
    for scope, used in run.disk._read(lambda tx: tx.execute(held).all()):
        if booked.get(scope.removeprefix("day:"), 0) != used:
            yield f"{scope}: {used} held, {booked.get(scope.removeprefix('day:'), 0)} posted"
    known = sa.select(replies.c.provider_id, replies.c.price_micros).where(
        replies.c.provider_id.is_not(None), replies.c.price_micros.is_not(None)
    )
    true = {call.provider_id: call for call in run.outside.calls}
    for provider_id, price in run.disk._read(lambda tx: tx.execute(known).all()):
        call = true[provider_id]
        if price not in {call.price, call.quote, 0}:
            yield f"{provider_id}: booked {price}, billed {call.price}"


def answered(run: Run) -> int:
    """How many people got a reply."""
    return len({run.linked.of(call.to) for call in run.outside.calls if call.provider_id})


def told(run: Run, found: Sequence[str]) -> str:
    """The history of a run that broke a promise, to be read and played again."""
    lines = [f"seed {run.seed}: {len(found)} broken promises", *found, "", *run.history]
    lines += [
        f"{call.steady_s:9.0f} s  {call.channel} {call.reply_id[:16]} {call.fate}"
        f"{' not delivered' if call.failed else ''} quote {call.quote}"
        for call in run.outside.calls
    ]
    lines += [
        f"{letter.acked_s or -1:9.0f} s  stored {letter.message.provider_id} of person "
        f"{_who(letter)} via {letter.message.channel}"
        f" {letter.wish}{' with number' if letter.message.aliases else ''}"
        for letter in run.letters
    ]
    return "\n".join([*lines, f"play it again: python -m tests.dst --seed {run.seed}"])


def _who(letter: people.Letter) -> str:
    value = letter.message.sender.value
    return value[-4:] if value.startswith("+") else str(int(value[:8], 16)).zfill(4)

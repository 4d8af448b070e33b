"""One simulation from its recording to its report."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import functools
import gc
import json
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import build, ledger
from bot.contract import bridge, money
from bot.policy import settings
from bot.policy.lifecycle import State
from bot.simulate import accounts, course, made_floods, report, stage, trace, truth, world
from bot.store import database, pool, schema, vault

SEED: Final = 2017
PARTS_2017: Final = 2
WAITING: Final = frozenset({State.HELD, State.SCHEDULED, State.SENDING, State.UNKNOWN})


def run(
    recording: pathlib.Path,
    core: settings.Core,
    *,
    replies: pathlib.Path | None = None,
    progress: course.Progress | None = None,
    seed: int = SEED,
    known: made_floods.Truth | None = None,
    others: Sequence[bridge.Bridge] = (),
    opinion_micros: int | None = None,
) -> report.Report:
    """Play a recording; the same bytes in `replies` for the same recording, settings and seed.

    Currency and time zone of the budget are the recording's. `progress` is told messages so far
    and in all. With what is `known` of a made-up flood the report is judged by it. `others`: the
    operator's further channels, for the route `cheapest`; the recording's own is `sms`. With
    `opinion_micros` it tells for so much whether a number is made up, by what is `known`. Raises
    trace.TraceError before anything is done, and before `replies` is touched.
    """
    size = trace.measure(recording)
    core = _fitted(core, size.world)
    if core.reply.route == settings.ROUTE_SAME:
        others = ()

    def convert(told: money.Money) -> int | None:
        amount = ledger.convert(core.budget, told)
        return None if amount is None else amount.micros

    telling = None
    if opinion_micros is not None and known is not None:
        telling = stage.Telling(real=known.real, micros=opinion_micros)
    made = stage.of_trace(recording, size, others, convert, telling)
    outcome = play(made, core, progress=progress, seed=seed, known=known)
    if replies is not None:
        _write(replies, made.seen, size.world.start_ms)
    return outcome


def play(
    made: stage.Stage,
    core: settings.Core,
    *,
    progress: course.Progress | None = None,
    seed: int = SEED,
    known: made_floods.Truth | None = None,
) -> report.Report:
    """Play what is on the stage, once; with `core` as it is."""
    started_s = time.perf_counter()
    with _rarely_collected():
        outcome = asyncio.run(_played(made, core, progress, seed, known))
    return dataclasses.replace(outcome, wall_s=time.perf_counter() - started_s)


@contextlib.contextmanager
def _rarely_collected() -> Iterator[None]:
    """A run makes next to no cycles; looking for them as often as usual takes a tenth of it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _fitted(core: settings.Core, of: trace.World) -> settings.Core:
    """The operator's settings in the recording's money and days.

    Numbers of films are people here: nobody real is reached, and made-up recordings use them.
    """
    budget = dataclasses.replace(core.budget, currency=of.currency, timezone=of.timezone)
    own = core.who.own | {of.to.value}
    who = dataclasses.replace(core.who, own=own, answer_fiction=True)
    return dataclasses.replace(core, budget=budget, who=who)


async def _played(
    made: stage.Stage,
    core: settings.Core,
    progress: course.Progress | None,
    seed: int,
    known: made_floods.Truth | None,
) -> report.Report:
    store = database.Store(None)
    await store.open()
    try:
        await store.write(functools.partial(_prepare, made=made))
        rooms = build.rooms(
            store=store,
            core=core,
            keys=vault.throwaway(seed),
            bridges=made.bridges,
            moment=made.clock,
            hashed=made.hashed,
        )
        ran = course.Course(rooms, made.seen, made.clock, progress)
        await ran.play(made.inbound(), made.count)
        pending = await ran.states()
        await ran.finish(made.last_ms + _longest_ms(core.reply))
        books = await store.read(accounts.read)
    finally:
        await store.close()
    told = _report(made, core, ran, pending, books)
    if known is None:
        return told
    judged = truth.judge(
        known,
        made.seen,
        ran.first_ms,
        price=made.price,
        start_ms=made.start_ms,
        last_ms=made.last_ms,
    )
    return dataclasses.replace(told, judged=judged)


def _prepare(tx: sa.Connection, made: stage.Stage) -> None:
    schema.create(tx)
    for name, way in made.bridges.items():
        pool.enter(tx, name, way.addresses, made.start_ms)


def _longest_ms(rules: settings.Reply) -> int:
    """After so long no reply waits any more; one more expiry covers what waited for the night."""
    return (rules.delay_max_s + 2 * rules.expires_after_s) * 1000


def _report(
    made: stage.Stage,
    core: settings.Core,
    ran: course.Course,
    pending: Mapping[str, int],
    books: accounts.Books,
) -> report.Report:
    seen, budget = made.seen, core.budget
    days = accounts.days(books, seen, budget)
    naive = sum(PARTS_2017 * n * (made.price(who) or 0) for who, n in ran.written.items())
    return report.Report(
        trace=made.name,
        currency=budget.currency,
        timezone=budget.timezone.key,
        messages=made.count,
        senders=len(ran.written),
        replies=len(seen),
        replies_by_route=dict(collections.Counter(one.channel for one in seen)),
        parts=sum(one.parts for one in seen),
        bill_micros=sum(one.micros for one in seen),
        inbound_micros=books.accounts.get(ledger.INBOUND, 0),
        opinions_micros=books.accounts.get(ledger.OPINIONS, 0),
        naive_2017_micros=naive,
        fates=books.fates,
        pending_at_end={state: n for state, n in pending.items() if n and state in WAITING},
        twice=accounts.twice(seen, core.reply),
        early=accounts.early(seen, ran.first_ms, core.reply),
        on_time=accounts.on_time(seen, ran.first_ms),
        cap_day_micros=budget.cap_day_micros,
        saved_micros=sum(one.saved_micros for one in seen),
        quotas=accounts.quotas(books, budget),
        days=days,
        course=accounts.hours(books, seen),
        faults=accounts.faults(books, seen, days, budget, made.count),
        wall_s=0.0,
    )


def _write(path: pathlib.Path, seen: Sequence[world.Seen], start_ms: int) -> None:
    """One line a reply; whole or not at all, so that nobody scores half a file."""
    # Beside its goal, because a rename does not cross file systems.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            for one in seen:
                line = {
                    "to": one.to,
                    "at": (one.at_ms - start_ms) / 1000,
                    "network": one.network,
                    "segments": one.parts,
                    "cost": money.plain(one.micros),
                }
                file.write(json.dumps(line) + "\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)

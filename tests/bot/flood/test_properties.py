"""What holds in every flood: shares, money, languages, order, restarts, slow teaching."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from bot.contract import messages
from bot.flood import look, memory, rows
from bot.policy import periods, settings
from bot.policy.flood import pacing, snapshot, topics, words
from bot.simulate import clock
from bot.store import database, schema, tables
from tests.bot.flood.test_look import core
from tests.fakes import world as fake

PRICE = 80_000
QUARTERS = 4
DAY_MS = 86_400_000

USUAL = st.lists(st.sampled_from([0.0, 0.4, 1.0, 2.5, 7.0, 30.0]), min_size=24, max_size=24).map(
    tuple
)


# ---------------------------------------------------------------- money and shares


def _arrivals(usual: Sequence[float]) -> list[int]:
    """People by the quarter of an hour, as many as usual."""
    owed, out = 0.0, []
    for hour in usual:
        for _ in range(QUARTERS):
            owed += hour / QUARTERS
            out.append(int(owed))
            owed -= int(owed)
    return out


def _day(cap: int, usual: tuple[float, ...], people: Sequence[int], crowd: int) -> tuple[int, int]:
    """How many people and how many of a crowd that asks for `crowd` a quarter are answered.

    The order of one moment is the house's own: who is in doubt comes last.
    """
    used, answered, waiting, fooled, asking = 0, 0, 0, 0, 0

    def room(keep: float, step: int) -> bool:
        allowed = pacing.allowance(
            cap_micros=cap,
            used_micros=used,
            usual=usual,
            hour=step // QUARTERS,
            share_left=1 - step % QUARTERS / QUARTERS,
            price_micros=PRICE,
            keep=keep,
        )
        return allowed >= PRICE

    for step, fresh in enumerate(people):
        waiting += fresh
        asking += crowd
        while waiting and room(pacing.CREDIBLE, step):
            used, waiting, answered = used + PRICE, waiting - 1, answered + 1
        while asking and room(pacing.DOUBTFUL, step):
            used, asking, fooled = used + PRICE, asking - 1, fooled + 1
    assert used <= max(cap, 0)
    return answered, fooled


@pytest.mark.case("C17")
@hypothesis.given(USUAL, st.floats(0, 3), st.integers(0, 500))
def test_whoever_is_outside_the_crowd_is_answered_as_if_there_were_none(
    usual: tuple[float, ...], much: float, crowd: int
) -> None:
    """Whatever the crowd asks for, at any cap, each day anew: so however long it lasts."""
    people = _arrivals(usual)
    cap = int(much * sum(people) * PRICE)
    alone, _ = _day(cap, usual, people, 0)
    beside, _ = _day(cap, usual, people, crowd)
    # People come whole and are usual in fractions: one may fall between two.
    assert beside >= alone - 1
    if much >= 1.5:
        assert beside >= sum(people) - 1


def test_without_what_is_kept_back_the_crowd_takes_the_evening() -> None:
    """The property above is no empty one: it falls if nothing is kept back."""
    usual = (30.0,) * 24
    people, cap = _arrivals(usual), 720 * PRICE
    kept = pacing.DOUBTFUL
    try:
        pacing.DOUBTFUL = 0.0  # type: ignore[misc]
        beside, _ = _day(cap, usual, people, 100)
    finally:
        pacing.DOUBTFUL = kept  # type: ignore[misc]
    assert beside < 0.2 * _day(cap, usual, people, 100)[0]


@hypothesis.given(USUAL, st.integers(0, 2_000), st.integers(0, 500), st.integers(0, 100))
def test_more_money_never_answers_fewer_people(
    usual: tuple[float, ...], replies: int, more: int, crowd: int
) -> None:
    """At one price, with and without a crowd; nor does it answer fewer in all."""
    people = _arrivals(usual)
    less = _day(replies * PRICE, usual, people, crowd)
    rich = _day((replies + more) * PRICE, usual, people, crowd)
    assert rich[0] >= less[0] - 1
    assert sum(rich) >= sum(less)


# ---------------------------------------------------------------- languages

_WORDS = st.integers(1, 30)
_TEXTS = st.lists(_WORDS, min_size=1, max_size=8, unique=True).map(tuple)


def _counts(texts: Sequence[Sequence[int]]) -> topics.Counts:
    found: dict[int, float] = {}
    for text in texts:
        for word in text:
            found[word] = found.get(word, 0.0) + 1
    return topics.Counts(float(len(texts)), found)


def _decided(
    before: Sequence[Sequence[int]], now: Sequence[Sequence[int]], in_words: Mapping[int, int]
) -> list[bool]:
    """Who is on a topic, everything said in other words."""
    usual = _counts([[in_words[w] for w in text] for text in before])
    recent = _counts([[in_words[w] for w in text] for text in now])
    rules = settings.Flood(topic_senders=3)
    flagged = topics.flag(recent, usual, {}, 7, rules)
    strong = topics.strong(recent, usual, flagged, frozenset())
    said = [tuple(in_words[w] for w in text) for text in now]
    plain = topics.plain(usual)
    return [topics.of(text, flagged, plain, strong) is not None for text in said]


@hypothesis.given(
    st.lists(_TEXTS, min_size=30, max_size=60),
    st.lists(_TEXTS, min_size=3, max_size=30),
    st.permutations(range(1, 31)),
)
def test_the_same_things_in_another_language_are_decided_alike(
    before: list[tuple[int, ...]], now: list[tuple[int, ...]], other: list[int]
) -> None:
    """A language is another set of words for the same things: which words they are is nothing."""
    own = {word: word for word in range(1, 31)}
    foreign = {word: 1_000 + other[word - 1] for word in range(1, 31)}
    assert _decided(before, now, own) == _decided(before, now, foreign)


@hypothesis.given(
    st.lists(_TEXTS, min_size=30, max_size=60), st.lists(_TEXTS, min_size=3, max_size=30), _TEXTS
)
def test_who_shares_no_word_with_a_crowd_is_in_none(
    before: list[tuple[int, ...]], now: list[tuple[int, ...]], said: tuple[int, ...]
) -> None:
    """One person in a language that nobody else writes in has no less of a chance."""
    usual, recent = _counts(before), _counts(now)
    flagged = topics.flag(recent, usual, {}, 7, settings.Flood(topic_senders=3))
    strong = topics.strong(recent, usual, flagged, frozenset())
    foreign = tuple(word + 1_000 for word in said)
    assert topics.of(foreign, flagged, topics.plain(usual), strong) is None


# ---------------------------------------------------------------- order


def _batch() -> list[messages.InboundMessage]:
    """Sixty people within two minutes, some of one second, some twice."""
    draw = random.Random(11)
    out = []
    for number in range(60):
        at = fake.START.replace(minute=draw.randrange(2), second=draw.randrange(0, 60, 20))
        said = draw.choice(["salut", "ruine 12", "coucou toi", "le vélo est dispo ?"])
        out.append(fake.message(number % 50, text=said, at=at, provider_id=f"m{number}"))
    return out


@hypothesis.settings(max_examples=5, deadline=None)
@hypothesis.given(st.randoms(use_true_random=False))
async def test_the_order_within_one_batch_is_nothing(shuffler: random.Random) -> None:
    """It is put in the order of arrival; with little money the same people are answered too."""
    turned = _batch()
    shuffler.shuffle(turned)
    assert await _outcome(turned) == await _outcome(_batch())


async def _outcome(batch: Sequence[messages.InboundMessage]) -> tuple[object, ...]:
    world = fake.World()
    rooms = await fake.rooms(world, core=core(20 * fake.PRICE))
    await rooms.intake.accept(batch)

    def counted(tx: sa.Connection) -> list[tuple[int, ...]]:
        f = tables.flood
        return sorted(tuple(row) for row in tx.execute(sa.select(f.c.bucket_ms, f.c.word, f.c.n)))

    def decided(tx: sa.Connection) -> list[tuple[object, ...]]:
        i = tables.inbound
        query = sa.select(i.c.received_ms, i.c.person_id, i.c.decision, i.c.reason)
        return [tuple(row) for row in tx.execute(query.order_by(i.c.id))]

    found = await rooms.store.read(counted), await rooms.store.read(decided)
    moment = rooms.clock
    assert isinstance(moment, fake.Clock)
    for _ in range(30):
        await moment.advance(300)
        await rooms.flood.look()
        while await rooms.dispatcher.step():
            pass
    return *found, [reply.recipient.value for reply in world.sent]


# ---------------------------------------------------------------- restarts


@pytest.mark.case("C20")
@hypothesis.settings(max_examples=5, deadline=None)
@hypothesis.given(st.sets(st.integers(0, 79), max_size=12))
async def test_a_leader_that_starts_anew_at_any_point_sees_the_same(cuts: set[int]) -> None:
    """Eighty looks in twenty hours with a raid in them; at each cut only the store goes on."""
    assert await _seen(cuts) == await _seen(set())


async def _seen(cuts: set[int]) -> list[snapshot.Snapshot]:
    draw, moment = random.Random(4), clock.VirtualClock(_START_MS)
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    leader = look.Flood(store, core(None), moment)
    out = []
    for step in range(80):
        raid = 40 <= step < 52
        said = {7: 60, 8: 60, words.WHOLE | 9: 60} if raid else {}
        people = 20 + draw.randrange(8)
        for n in range(people):
            said[100 + n % 12] = said.get(100 + n % 12, 0) + 1
        said[words.SENDERS] = people + 60 * raid
        if raid and 7 in leader.snapshot.flagged:
            said[words.TOPICAL] = 60
        await _write(store, moment.now_ms, said)
        moment.move_to(moment.now_ms + snapshot.BUCKET_MS)
        if step in cuts:
            leader = look.Flood(store, core(None), moment)
        await leader.look()
        out.append(leader.snapshot)
    assert any(seen.flagged for seen in out)
    assert any(seen.mode is snapshot.Mode.TIGHT for seen in out)
    return out


_START_MS = 1_800_000_000_000 - 1_800_000_000_000 % snapshot.BUCKET_MS


async def _write(store: database.Store, at_ms: int, counts: Mapping[int, int]) -> None:
    start_ms = snapshot.bucket_ms(at_ms)
    told = [{"bucket_ms": start_ms, "word": word, "n": n} for word, n in counts.items()]
    await store.write(lambda tx: tx.execute(sa.insert(tables.flood), told))


async def test_looks_that_were_left_out_leave_out_no_bucket() -> None:
    """The database was away for an hour: what came meanwhile is seen and learned all the same."""

    async def lived(steps: int) -> snapshot.Snapshot:
        moment = clock.VirtualClock(_START_MS)
        store = database.Store(None)
        await store.open()
        await store.write(schema.create)
        leader = look.Flood(store, core(None), moment)
        for quarter in range(4 * 48):
            await _write(store, moment.now_ms, {words.SENDERS: 10, 5: 4})
            moment.move_to(moment.now_ms + snapshot.BUCKET_MS)
            if quarter % steps == steps - 1:
                await leader.look()
        return leader.snapshot

    assert (await lived(4)).usual == (await lived(1)).usual == (40.0,) * 24


async def test_a_machine_that_slept_learns_no_empty_hours() -> None:
    moment = clock.VirtualClock(_START_MS)
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    leader = look.Flood(store, core(None), moment)
    for quarter in range(4 * 72):
        if quarter == 4 * 40:
            moment.move_to(moment.now_ms + 10 * 3_600_000)
        await _write(store, moment.now_ms, {words.SENDERS: 10, 5: 4})
        moment.move_to(moment.now_ms + snapshot.BUCKET_MS)
        await leader.look()
    usual = leader.snapshot.usual
    assert usual is not None
    assert min(usual) >= 30


# ---------------------------------------------------------------- slow teaching


@pytest.mark.case("C47")
async def test_weeks_of_slow_growth_teach_a_tenth_a_week() -> None:
    """Four per cent more each day, which is no surge: twice as many in 18 days, if heeded."""
    moment = clock.VirtualClock(_START_MS)
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    told = core(None)
    leader = look.Flood(store, told, moment)
    by_week: list[float] = []
    for day in range(50):
        senders = 40 * 1.04 ** max(0, day - 10)
        for quarter in range(96):
            # Every look writes its memory, so a day is looked at in steps of an hour.
            await _write(store, moment.now_ms, {words.SENDERS: round(senders / 4), 5: 3})
            moment.move_to(moment.now_ms + snapshot.BUCKET_MS)
            if quarter % 4 == 3:
                await leader.look()
        if day % 7 == 6:
            known = await store.read(rows.load)
            today = periods.day(moment.now_ms, told.budget.timezone)
            usual = look.usual(known, today)
            assert usual is not None
            by_week.append(max(usual))
    assert not leader.snapshot.surges
    first = by_week[1]
    for week, most in enumerate(by_week[1:]):
        assert most <= first * (1 + memory.WEEKLY) ** (week + 1) + 1
    assert by_week[-1] > first
    # What came in truth is much more by now.
    assert 2.5 * by_week[-1] < 40 * 1.04**39

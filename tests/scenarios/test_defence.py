"""What the defence promises: on the recordings, on floods of its own, and for every flood."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from bot import simulate
from bot.contract import money
from bot.policy import settings
from bot.policy.flood import pacing, topics
from bot.simulate import made_words
from bot.store import database, schema
from tests.fakes import world as fake
from tests.scenarios.conftest import Play

CAP_SEED = 300 * money.MICROS
CAP_ROTATING = 120 * money.MICROS


def euros(score: Mapping[str, str], key: str) -> Decimal:
    return Decimal(score[key])


# ---------------------------------------------------------------- the recordings


@pytest.mark.slow
@pytest.mark.case("C17", "C19")
def test_the_raid_of_2017_costs_next_to_nothing(play: Play) -> None:
    score = play("seed-2017", None).score
    assert euros(score, "spend") <= euros(score, "all_knowing") * Decimal("1.10")
    assert score["answered_on_time"] >= 0.985
    assert score["to_robots_or_stops"] == 0


@pytest.mark.slow
@pytest.mark.case("C06", "C17")
def test_under_a_cap_the_people_outside_the_raid_are_answered(play: Play) -> None:
    played = play("seed-2017", CAP_SEED)
    assert played.report.reserved_day_max_micros <= CAP_SEED
    assert played.score["answered_outside_raid"] >= 0.97
    assert played.score["answered_inside_raid"] >= 0.85


@pytest.mark.slow
@pytest.mark.case("C18")
def test_a_viral_day_is_no_raid(play: Play) -> None:
    assert play("viral", None).score["answered_on_time"] >= 0.995


@pytest.mark.slow
@pytest.mark.case("C41")
def test_the_misled_are_not_accused(play: Play) -> None:
    score = play("bait", None).score
    assert score["bait_accused"] <= 0.1
    assert score["answered_on_time"] >= 0.97


@pytest.mark.slow
@pytest.mark.case("C06", "C17")
def test_a_raid_in_peoples_words_takes_only_its_share(play: Play) -> None:
    played = play("rotating", CAP_ROTATING)
    assert played.report.reserved_day_max_micros <= CAP_ROTATING
    assert played.score["answered_outside_raid"] >= 0.97
    # Inside, nobody can be told from anybody: people get their share of what is spent there.
    spoofed = Decimal(played.score["spend_by_kind"]["spoofed"]) / Decimal("0.08")
    assert played.score["answered_inside_raid"] >= 0.9 * float(spoofed) / 30_000


# ---------------------------------------------------------------- floods of its own


def judged(
    folder: Path, flood: simulate.Flood, cap: int | None = None, **signals: bool
) -> simulate.Report:
    path = folder / "flood.jsonl"
    known = simulate.write(path, flood)
    budget = settings.Budget(cap_day_micros=cap, cap_month_micros=None)
    core = settings.Core(budget=budget, flood=settings.Flood(**signals))
    report = simulate.run(path, core, known=known)
    assert (report.faults, report.twice, report.early) == ([], 0, 0)
    assert report.judged is not None
    return report


def own(kind: str, language: str, people: int, attackers: int, crowd: str = "") -> simulate.Flood:
    return simulate.Flood(
        kind=kind,
        language=language,
        crowd=crowd or None,
        people=people,
        attackers=attackers,
        hours=60,
        start_hour=15,
        seed=77,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flood", "answered_most", "on_time"),
    [
        (own("quiet", "nl", 150, 0), 0.0, 0.99),
        (own("raid", "es", 600, 800), 0.25, 0.97),
        (own("raid", "fr", 600, 800, crowd="de"), 0.25, 0.97),
        (own("bait", "en", 600, 400), 0.25, 0.97),
        (own("callback", "it", 600, 400), 0.2, 0.95),
        (own("curious", "pt", 600, 400), 0.2, 0.95),
        (own("sequential", "de", 400, 800), 0.1, 0.98),
        (own("pumping", "fr", 400, 400), 0.1, 0.98),
        (own("viral", "it", 400, 1_200), 0.0, 0.98),
        (own("viral", "fr", 400, 1_200, crowd="pt"), 0.0, 0.97),
    ],
    ids=lambda one: f"{one.kind}-{one.language}" if isinstance(one, simulate.Flood) else "",
)
@pytest.mark.case("C17", "C18", "C19", "C41")
def test_floods_of_other_words_and_languages(
    tmp_path: Path, flood: simulate.Flood, answered_most: float, on_time: float
) -> None:
    found = judged(tmp_path, flood).judged
    assert found is not None
    assert found.on_time is not None
    assert found.on_time >= on_time
    others = {kind: n for kind, n in found.senders.items() if kind not in {"person", "robot"}}
    answered = sum(found.answered.get(kind, 0) for kind in others)
    assert answered <= answered_most * sum(others.values())
    assert found.answered.get("robot", 0) == 0


@pytest.mark.slow
@pytest.mark.case("C06", "C17")
def test_an_attack_that_never_ends_leaves_people_their_share(tmp_path: Path) -> None:
    """Days of made-up numbers in people's words under a cap that pays people alone."""
    flood = simulate.Flood(
        kind="rotating", language="es", people=900, attackers=3_000, hours=72, start_hour=11, seed=5
    )
    cap = 40 * money.MICROS
    report = judged(tmp_path, flood, cap)
    found = report.judged
    assert found is not None
    assert report.reserved_day_max_micros <= cap
    assert found.on_time_outside is not None
    assert found.on_time_outside >= 0.95
    without = judged(tmp_path, flood, cap, pacing=False).judged
    assert without is not None
    assert without.on_time_outside is not None
    assert without.on_time_outside <= found.on_time_outside


@pytest.mark.slow
def test_nobodys_chance_falls_by_his_language(tmp_path: Path) -> None:
    shares = []
    for language in made_words.LANGUAGES:
        flood = simulate.Flood(
            kind="raid", language=language, crowd="fr", people=250, attackers=300, hours=48, seed=9
        )
        found = judged(tmp_path, flood).judged
        assert found is not None
        assert found.on_time is not None
        shares.append(found.on_time)
    assert min(shares) >= 0.97


@pytest.mark.slow
@pytest.mark.case("C42")
def test_long_texts_by_the_thousand_silence_nobody(tmp_path: Path) -> None:
    path = tmp_path / "flood.jsonl"
    flood = simulate.Flood(kind="quiet", people=200, hours=24, seed=3)
    known = simulate.write(path, flood)
    lines = path.read_text().splitlines()
    pest = fake.phone(4_321)
    for number in range(3_000):
        line = lines[1 + number % 100]
        at = line.split(",")[0]
        lines.append(
            f'{at}, "id": "P{number}", "from": "{pest}", "to": "+33639980000", '
            f'"body": "{"bla " * 300}"}}'
        )
    head, *rest = lines
    rest.sort(key=lambda one: float(one.split(",")[0].removeprefix('{"at": ')))
    path.write_text("\n".join([head, *rest]) + "\n")
    known = dataclasses.replace(known, kinds={**known.kinds, pest: "troll"})
    budget = settings.Budget(cap_day_micros=20 * money.MICROS, cap_month_micros=None)
    found = simulate.run(path, settings.Core(budget=budget), known=known).judged
    assert found is not None
    assert found.answered["troll"] == 1
    assert found.on_time is not None
    assert found.on_time >= 0.98


# ---------------------------------------------------------------- for every flood


@pytest.mark.slow
@hypothesis.settings(
    max_examples=6, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.integers(1, 1_000),
    st.integers(1, 40),
    st.integers(0, 30),
    st.sampled_from(["raid", "rotating"]),
)
def test_more_money_never_answers_fewer(
    tmp_path: Path, seed: int, cap: int, more: int, kind: str
) -> None:
    """At one price; within one day, for what waits over midnight is the next day's."""
    replies = []
    for replies_paid in (cap, cap + more):
        flood = simulate.Flood(kind=kind, people=40, attackers=40, hours=15, seed=seed)
        budget = settings.Budget(cap_day_micros=replies_paid * 120_000, cap_month_micros=None)
        path = tmp_path / "flood.jsonl"
        simulate.write(path, flood)
        lines = path.read_text().splitlines()
        # One price for all.
        lines[0] = lines[0][: lines[0].index('"sms_price')] + (
            '"sms_price_per_segment": {"currency": "EUR", "default": "0.12"}}'
        )
        path.write_text("\n".join(lines) + "\n")
        replies.append(simulate.run(path, settings.Core(budget=budget)).replies)
    assert replies[0] <= replies[1]


@hypothesis.given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.lists(st.floats(0, 500), min_size=24, max_size=24).map(tuple) | st.none(),
    st.integers(0, 23),
)
def test_the_outsiders_share_is_kept_however_much_the_crowd_takes(
    cap: int, used: int, usual: tuple[float, ...] | None, hour: int
) -> None:
    """What the crowd is refused is there for those outside it, whatever was used before."""

    def left(keep: float) -> int:
        return pacing.allowance(
            cap_micros=cap,
            used_micros=min(used, cap),
            usual=usual,
            hour=hour,
            share_left=1.0,
            price_micros=80_000,
            keep=keep,
        )

    assert left(pacing.CREDIBLE) >= left(pacing.DOUBTFUL) >= 0
    assert left(pacing.CREDIBLE) <= max(cap - min(used, cap), 0)


_COUNTS = st.dictionaries(st.integers(1, 40), st.integers(1, 200), max_size=30)


@hypothesis.given(_COUNTS, _COUNTS, st.randoms(use_true_random=False))
def test_topics_do_not_depend_on_the_order_of_counting(
    recent: dict[int, int], usual: dict[int, int], shuffler: random.Random
) -> None:
    def flagged(counts: dict[int, int]) -> dict[int, int]:
        seen = topics.Counts(max(counts.values(), default=0) + 50, counts)
        return topics.flag(seen, topics.Counts(3_000, usual), {}, 7, settings.Flood())

    turned = list(recent.items())
    shuffler.shuffle(turned)
    assert flagged(dict(turned)) == flagged(recent)


@pytest.mark.slow
@pytest.mark.case("C08", "C20")
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_restart_at_any_point_changes_nothing(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    cuts = {draw.randrange(200) for _ in range(6)}
    whole = await _answered(tmp_path / "whole.db", set(), seed)
    assert await _answered(tmp_path / "cut.db", cuts, seed) == whole


async def _answered(path: Path, cuts: set[int], seed: int) -> tuple[object, ...]:
    """A raid of 17 hours in steps of five minutes; at each cut the program dies and comes back.

    What is known at the end and who was answered; the minute of each reply is drawn anew.
    """
    draw, moment, world = random.Random(seed), fake.Clock(), fake.World()
    core = settings.Core(
        who=settings.Who(answer_fiction=True),
        budget=settings.Budget(cap_day_micros=None, cap_month_micros=None),
    )
    store = database.Store(path)
    await store.open()
    await store.write(schema.create)
    rooms = await fake.rooms(world, core=core, store=store, moment=moment)
    said, number = made_words.Speaker("fr", draw), 0
    for step in range(200):
        batch = []
        for raiding in [False] * draw.randrange(2) + [True] * (6 if 100 <= step < 130 else 0):
            text = said.slogan() if raiding else said.person()
            batch.append(fake.message(number, text=text, at=moment.now()))
            number += 1
        await rooms.intake.accept(batch)
        await moment.advance(300)
        if step in cuts:
            await store.close()
            store = database.Store(path)
            await store.open()
            rooms = await fake.rooms(world, core=core, store=store, moment=moment)
        await rooms.flood.look()
        while await rooms.dispatcher.step():
            pass
    seen = rooms.flood.snapshot
    await moment.advance(7_200)
    while await rooms.dispatcher.step():
        pass
    await store.close()
    told = sorted(reply.recipient.value for reply in world.sent)
    return seen.mode, sorted(seen.flagged), sorted(seen.surges), seen.usual, seen.plain, told

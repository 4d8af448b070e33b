"""When a second opinion is worth its price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.flood import opinions
from bot.policy.flood.opinions import Learned

PRICES = st.integers(0, 10_000_000)
LEARNED = st.integers(0, 10_000).flatmap(
    lambda n: st.integers(0, n).map(lambda nobody: Learned(answers=n, nobody=nobody))
)


@pytest.mark.parametrize(
    ("price", "reply", "answers", "nobody", "worth"),
    [
        (8_000, 80_000, 0, 0, True),  # nothing known: as likely as not
        (40_000, 80_000, 0, 0, False),  # as dear as what it may save
        (39_999, 80_000, 0, 0, True),
        (8_000, 80_000, 8, 0, False),  # hardly ever false: (0 + 1) / (8 + 2) of 80,000 is 8,000
        (7_999, 80_000, 8, 0, True),
        (70_000, 80_000, 30, 30, True),  # always false: nearly the whole price
        (80_000, 80_000, 10_000, 10_000, False),  # never more than the reply itself
        (0, 1, 1_000, 0, True),  # a free one
        (0, 0, 0, 0, False),  # a free reply wastes nothing
    ],
)
def test_an_opinion_is_worth_less_than_the_probable_waste(
    price: int, reply: int, answers: int, nobody: int, *, worth: bool
) -> None:
    learned = Learned(answers=answers, nobody=nobody)
    assert opinions.worth(price, reply, learned) is worth


@given(PRICES, PRICES, LEARNED)
def test_what_costs_as_much_as_the_reply_is_never_asked(
    price: int, reply: int, learned: Learned
) -> None:
    assert not opinions.worth(max(price, reply), reply, learned)


@given(PRICES, PRICES, LEARNED, st.integers(1, 100))
def test_more_false_ones_never_make_a_question_less_worth(
    price: int, reply: int, learned: Learned, more: int
) -> None:
    worse = Learned(answers=learned.answers + more, nobody=learned.nobody + more)
    better = Learned(answers=learned.answers + more, nobody=learned.nobody)
    if opinions.worth(price, reply, learned):
        assert opinions.worth(price, reply, worse)
    else:
        assert not opinions.worth(price, reply, better)


@given(st.dictionaries(st.text(max_size=9), LEARNED, max_size=30))
def test_what_was_learned_comes_back(learned: dict[str, Learned]) -> None:
    assert opinions.read(opinions.text(learned)) == learned


def test_only_the_newest_clusters_are_kept() -> None:
    many = {f"topic:{n}": Learned(answers=n) for n in range(opinions.CLUSTERS + 5)}
    kept = opinions.read(opinions.text(many))
    assert list(kept) == list(many)[5:]
    assert opinions.read(None) == {}


def test_a_surge_is_learned_by_its_day_and_a_topic_by_its_word() -> None:
    day = 86_400_000
    assert opinions.cluster(7, 0) == opinions.cluster(7, 3 * day)
    assert opinions.cluster(None, 0) == opinions.cluster(None, day - 1)
    assert (
        len({opinions.cluster(7, 0), opinions.cluster(None, 0), opinions.cluster(None, day)}) == 3
    )


@given(LEARNED, st.lists(st.booleans(), max_size=20))
def test_each_answer_counts_once(learned: Learned, said: list[bool]) -> None:
    after = learned
    for nobody in said:
        after = after.and_also(nobody=nobody)
    assert after.answers == learned.answers + len(said)
    assert after.nobody == learned.nobody + said.count(True)


def test_what_bridges_said_of_one_cluster_is_added_up_and_of_no_other() -> None:
    seven, day = opinions.cluster(7, 0), opinions.cluster(None, 0)
    learned = {
        opinions.learned_from("sms", seven): Learned(answers=5, nobody=2),
        opinions.learned_from("voice", seven): Learned(answers=30, nobody=10),
        opinions.learned_from("sms", opinions.cluster(17, 0)): Learned(answers=400, nobody=300),
        opinions.learned_from("sms", day): Learned(answers=4_000, nobody=3_000),
    }
    assert opinions.together(learned, seven) == Learned(answers=35, nobody=12)
    assert opinions.together(learned, day) == Learned(answers=4_000, nobody=3_000)
    assert opinions.together(learned, opinions.cluster(8, 0)) == opinions.NOTHING

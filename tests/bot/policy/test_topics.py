"""Topics to the last figure: what is usual, what is flagged, what says nothing, what is on one."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import settings
from bot.policy.flood import topics
from bot.policy.flood.words import BLOCK

RULES = settings.Flood(topic_senders=10, topic_share=0.015, topic_lift=6.0)
NOW_MS = 1_800_000_000_000
EMPTY = frozenset[int]()


def test_the_usual_share_is_drawn_up_while_little_is_known() -> None:
    usual = topics.Counts(70, {1: 7, 3: 7}, frozenset({2, 3}))
    assert topics.usual_share(usual, 1) == pytest.approx(10 / 100)
    assert topics.usual_share(usual, 9) == pytest.approx(3 / 100)
    # A word of the language: as if a fifth of a hundred more had said it.
    assert topics.usual_share(usual, 2) == pytest.approx(23 / 200)
    assert topics.usual_share(usual, 3) == pytest.approx(30 / 200)
    assert topics.usual_share(topics.Counts(0, {}), 1) == pytest.approx(3 / 30)


@given(st.integers(0, 10_000), st.floats(0, 1), st.booleans())
def test_a_usual_share_is_a_share_and_of_a_common_word_never_tiny(
    senders: int, part: float, common: bool
) -> None:
    usual = topics.Counts(senders, {1: senders * part}, frozenset({1} if common else ()))
    share = topics.usual_share(usual, 1)
    assert part * senders / (senders + 130) < share <= 1


# A sixteenth of all: of 160 new senders, six times that is 60.
SIXTEENTH = topics.Counts(226, {1: 13})


@pytest.mark.parametrize(
    ("recent", "usual", "word", "topic"),
    [
        (topics.Counts(160, {1: 60}), SIXTEENTH, 1, True),
        (topics.Counts(160, {1: 59}), SIXTEENTH, 1, False),
        # As many as topics ask for, and one fewer.
        (topics.Counts(20, {1: 10}), topics.Counts(1_000, {}), 1, True),
        (topics.Counts(20, {1: 9}), topics.Counts(1_000, {}), 1, False),
        # A share of all, where there are many.
        (topics.Counts(2_000, {1: 30}), topics.Counts(5_000, {}), 1, True),
        (topics.Counts(2_000, {1: 29}), topics.Counts(5_000, {}), 1, False),
        # Something is known from here on.
        (topics.Counts(30, {1: 30}), topics.Counts(topics.WARM, {}), 1, True),
        (topics.Counts(30, {1: 30}), topics.Counts(topics.WARM - 1, {}), 1, False),
        # What everybody says in some language is no topic, however many say it of a sudden.
        (topics.Counts(100, {1: 100}), topics.Counts(5_000, {}, frozenset({1})), 1, False),
        (topics.Counts(100, {1: 100}), topics.Counts(5_000, {}, frozenset({2})), 1, True),
    ],
)
def test_a_topic_to_the_last_sender(
    recent: topics.Counts, usual: topics.Counts, word: int, *, topic: bool
) -> None:
    found = topics.flag(recent, usual, {}, NOW_MS, RULES)
    assert found == ({word: NOW_MS} if topic else {})


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({}, {3, 4, BLOCK | 3}),
        ({"blocks": False}, {3, 4}),
        ({"topics": False}, {BLOCK | 3}),
        ({"blocks": False, "topics": False}, set()),
    ],
)
def test_what_is_not_heeded_is_not_flagged_and_hides_nothing_behind_it(
    rules: dict[str, bool], found: set[int]
) -> None:
    heeded = dataclasses.replace(RULES, **rules)
    recent = topics.Counts(100, {9: 1, 3: 50, BLOCK | 3: 50, 8: 1, 4: 50})
    usual = topics.Counts(5_000, {})
    assert topics.flag(recent, usual, {}, NOW_MS, heeded) == dict.fromkeys(found, NOW_MS)
    # With neither, what was flagged is forgotten too.
    before = {7: NOW_MS - 1}
    after = topics.flag(topics.Counts(0, {}), usual, before, NOW_MS, heeded)
    assert after == (before if found else {})


def test_only_use_by_some_keeps_a_topic_young() -> None:
    usual, before = topics.Counts(5_000, {}), {3: NOW_MS - 10, 4: NOW_MS - topics.KEPT_MS}
    for said, since_ms in (({3: 3}, NOW_MS), ({3: 2}, NOW_MS - 10), ({}, NOW_MS - 10)):
        recent = topics.Counts(100, said)
        assert topics.flag(recent, usual, before, NOW_MS, RULES) == {3: since_ms}
        # Kept as well while nothing else is known.
        assert topics.flag(recent, topics.Counts(0, {}), before, NOW_MS, RULES) == {3: since_ms}


def test_a_strong_word_is_said_by_a_tenth_and_by_ten_times_the_usual() -> None:
    usual, flagged = topics.Counts(5_000, {}), {3: 1, 4: 2}
    assert topics.strong(topics.Counts(300, {3: 30, 4: 29}), usual, flagged, EMPTY) == {3}
    assert topics.strong(topics.Counts(100, {3: 20, 4: 19}), usual, flagged, EMPTY) == {3}
    # Of 128, ten times a sixteenth is 80.
    often = topics.Counts(226, {3: 13, 4: 13})
    assert topics.strong(topics.Counts(128, {3: 80, 4: 79}), often, flagged, EMPTY) == {3}
    # Nobody says it any more: it stays so if it was, and does not become so.
    silent = topics.Counts(300, {})
    assert topics.strong(silent, usual, flagged, EMPTY) == EMPTY
    assert topics.strong(silent, usual, flagged, frozenset({4, 9})) == {4}
    # Who is not flagged is not strong, whoever says it.
    assert topics.strong(topics.Counts(300, {9: 300}), usual, flagged, EMPTY) == EMPTY


def test_plain_words_are_those_of_many_and_those_of_a_language() -> None:
    assert topics.plain(topics.Counts(1_000, {1: 20, 2: 19.5, 3: 10})) == {1}
    assert topics.plain(topics.Counts(100, {1: 10, 2: 9.5}, frozenset({2, 7}))) == {1, 2, 7}
    assert topics.plain(topics.Counts(0, {})) == EMPTY


B = BLOCK | 5
PASSING = (3, 1, 2, 5, 6, 7, 8, 99)


@pytest.mark.parametrize(
    ("said", "flagged", "topic"),
    [
        # The sender's block, first, is a topic by itself, and else no word of the message.
        ((B,), {B: 1}, B),
        ((B,), {3: 1}, None),
        ((B, *PASSING), {B: 9, 3: 1}, B),
        ((B, *PASSING), {3: 1}, None),
        ((B, 3), {3: 1}, 3),
        ((B, 3, 1, 2, 99), {3: 1}, 3),
        # The first word is a word like the others.
        (PASSING, {3: 1}, None),
        # Three tenths of it, to which its own whole word does not count.
        ((3, 1, 2, 99), {3: 1}, 3),
        ((3, 1, 2, 5, 99), {3: 1}, None),
        ((3,), {3: 1}, 3),
        ((3, 4, 5, *range(10, 17), 99), {3: 1, 4: 1, 5: 1}, 3),
        ((3, 4, 5, *range(10, 18), 99), {3: 1, 4: 1, 5: 1}, None),
        # Two that are half of it, though not three tenths with one.
        ((3, 4, 1, 2, 99), {3: 1, 4: 2}, 3),
        # The one that was flagged first; of two at once the smaller.
        ((3, 4, 99), {3: 2, 4: 1}, 4),
        ((4, 3, 99), {3: 1, 4: 1}, 3),
        ((1, 2, 5, 6, 42), {42: 1}, 42),
    ],
)
def test_which_topic_a_message_is_on(
    said: tuple[int, ...], flagged: dict[int, int], topic: int | None
) -> None:
    assert topics.of(said, flagged) == topic


@pytest.mark.parametrize(
    ("said", "unsaying", "topic"),
    [
        # Eight words, two flagged: a quarter of all, half of what is said.
        ((3, 4, 1, 2, 5, 6, 7, 8, 99), {5, 6, 7, 8}, 3),
        ((3, 4, 1, 2, 5, 6, 7, 8, 99), {6, 7, 8}, None),
        # One alone needs its three tenths, whatever the others say.
        ((3, 1, 2, 5, 99), {1, 2, 5}, None),
        # A flagged word counts even among those that say nothing.
        ((3, 4, 1, 2, 5, 6, 7, 8, 99), {3, 4, 5, 6, 7, 8}, 3),
        ((3, 4, 1, 2, 9, 6, 7, 8, 99), {3, 4, 6, 7, 8}, None),
        # The whole wording is not one of its words.
        ((3, 4, 1, 2, 5, 6, 7, 8, 99), {5, 6, 7, 8, 99}, 3),
    ],
)
def test_words_that_say_nothing_do_not_water_a_topic_down(
    said: tuple[int, ...], unsaying: set[int], topic: int | None
) -> None:
    assert topics.of(said, {3: 1, 4: 2}, unsaying) == topic


def test_of_several_strong_words_the_first_is_the_topic() -> None:
    long = (4, 3, 9, 1, 2, 5, 6, 7, 8, 10, 99)
    assert topics.of(long, {3: 2, 4: 2, 9: 1}, EMPTY, frozenset({3, 4})) == 3
    assert topics.of(long, {3: 2, 4: 1, 9: 3}, EMPTY, frozenset({3, 4, 77})) == 4
    # Strong and not in the message, or in it and not flagged: no topic.
    assert topics.of((4, 1, 2, 5, 99), {4: 1}, EMPTY, frozenset({3})) is None
    assert topics.of((4, 1, 2, 5, 99), {3: 1}, EMPTY, frozenset({3, 4})) is None

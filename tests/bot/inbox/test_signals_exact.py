"""To the word: what a first contact adds to the flood's counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bot.contract import messages
from bot.inbox import load, signals, state
from bot.policy.flood import snapshot, words
from tests.bot.store import rows

pytestmark = pytest.mark.sqlite_only("no database is opened here")

HASHED = signals.hasher(rows.KEYS)
PHONE = rows.phone(7)
BLOCK = HASHED(PHONE[:-4])
# Eight words: two of them are a quarter of the text, and one is less.
TEXT = "rendez vous demain soir devant la gare centrale"
SPOKEN = tuple(map(HASHED, words.of(TEXT)))
START_MS = snapshot.bucket_ms(rows.NOW_MS)


def context(**seen: object) -> state.Context:
    """Intake's, with what the leader saw."""
    told = dataclasses.replace(snapshot.CALM, **seen)  # type: ignore[arg-type]
    return dataclasses.replace(rows.context(), hashed=HASHED, flood=lambda: told)


def noted(told: state.Context, *batch: messages.InboundMessage) -> state.Written:
    """The counts after these first contacts."""
    written = state.Written()
    for item in load.items(told, batch, rows.NOW_MS):
        signals.note(told, item, written)
    return written


def first(
    name: str = "a",
    text: str = TEXT,
    sender: str = PHONE,
    **changes: Any,  # noqa: ANN401 (any field of a message)
) -> messages.InboundMessage:
    return rows.message(name, text, sender=sender, **changes)


def topical(told: state.Context, *batch: messages.InboundMessage) -> int | None:
    """How many of them were counted as on a topic; None: not even none."""
    return noted(told, *batch).flood.get((START_MS, words.TOPICAL))


def test_a_word_is_counted_under_the_newest_key_and_its_own_name() -> None:
    """The counts of last week are read with these numbers."""
    assert HASHED("gare") == words.number("gare", rows.KEYS.hash("word", "gare"))


def test_what_everybody_says_is_known_under_the_same_numbers() -> None:
    usual = signals.common(HASHED)
    assert {HASHED("salut"), HASHED("bonjour")} <= usual
    assert not usual & {HASHED("gare"), HASHED("")}
    # As a message's own are counted: bare of accents, each part and the whole.
    for said in ("soirée", "week-end"):
        assert set(map(HASHED, words.of(said))) <= usual


def test_each_word_its_block_and_its_sender_count_once_a_first_contact() -> None:
    everything = (words.SENDERS, BLOCK, *SPOKEN)
    assert len(set(everything)) == 1 + 1 + 8 + 1
    once = noted(context(), first())
    assert once.flood == {(START_MS, word): 1 for word in everything}
    late_s = snapshot.BUCKET_MS / 1000
    more = noted(context(), first(), first("b"), first("c", at_s=late_s))
    assert more.flood == {
        **{(START_MS, word): 2 for word in everything},
        **{(START_MS + snapshot.BUCKET_MS, word): 1 for word in everything},
    }


def test_the_words_stay_with_the_reply_the_block_before_them() -> None:
    told = context()
    (item,) = load.items(told, [first()], rows.NOW_MS)
    assert words.unpack(signals.note(told, item, state.Written())) == (BLOCK, *SPOKEN)
    (hidden,) = load.items(told, [first(sender="aci-1", network="signal")], rows.NOW_MS)
    assert words.unpack(signals.note(told, hidden, state.Written())) == SPOKEN


def test_who_is_on_a_topic_is_counted_and_who_is_not_is_not() -> None:
    on_topic = context(flagged={HASHED("gare"): 1, HASHED("centrale"): 1})
    said = "gare centrale"
    other = "tu fais quoi ce soir toi"
    assert topical(on_topic, first("a", said)) == 1
    assert topical(on_topic, first("a", said), first("b", said), first("c", other)) == 2
    assert topical(on_topic, first("c", other)) is None
    assert topical(context(), first("a", said)) is None


def test_a_block_is_a_topic_by_itself() -> None:
    assert topical(context(flagged={BLOCK: 1}), first()) == 1
    assert topical(context(flagged={BLOCK: 1}), first(sender="+12025550107")) is None


@pytest.mark.parametrize("counted", [True, False])
def test_words_that_say_nothing_leave_the_topic_to_the_others(counted: bool) -> None:
    two = dict.fromkeys(map(HASHED, ("gare", "centrale")), 1)
    nothing = frozenset(map(HASHED, ("vous", "la", "devant", "soir")))
    told = context(flagged=two, plain=nothing if counted else frozenset())
    assert topical(told, first()) == (1 if counted else None)


@pytest.mark.parametrize("counted", [True, False])
def test_a_strong_word_is_a_topic_by_itself(counted: bool) -> None:
    one = HASHED("gare")
    told = context(flagged={one: 1}, strong=frozenset({one} if counted else ()))
    assert topical(told, first()) == (1 if counted else None)

"""The flood's signals, each by itself: words, topics, pacing, breaker."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.policy import settings
from bot.policy.flood import breaker, pacing, snapshot, topics, words
from bot.policy.flood.snapshot import Mode

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bim 1234", "BIM 98765!!"),
        ("encoooore", "encore"),
        ("Salut ÇA va ?", "salut ca va"),
        ("0.16€ 4711", "12,50€ 99"),
        ("ru\u200bine", "ruine"),
        ("ｒｕｉｎｅ", "ruine"),
    ],
)
def test_what_looks_the_same_gives_the_same_words(one: str, other: str) -> None:
    assert words.of(one) == words.of(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("1234", ()),
        ("?", ("?",)),
        ("😊", ("😊",)),
        ("le vélo", ("le", "velo", "=le velo")),
        ("raid 3-1", ("raid",)),
    ],
)
def test_words_of_short_texts(text: str, expected: tuple[str, ...]) -> None:
    assert words.of(text) == expected


@given(st.text(max_size=3000))
def test_words_are_few_short_and_never_raise(text: str) -> None:
    found = words.of(text)
    assert len(found) <= words.MOST
    assert len(set(found)) == len(found)
    assert not any(digit in word for word in found for digit in "0123456789")


@given(st.lists(st.integers(1, 1 << 56), max_size=12))
def test_packed_words_come_back(hashes: list[int]) -> None:
    assert words.unpack(words.pack(hashes)) == tuple(hashes)


RULES = settings.Flood()
USUAL = topics.Counts(5000, {1: 2000, 2: 40})


@pytest.mark.parametrize(
    ("word", "senders", "of_all", "topic"),
    [
        (1, 400, 1000, False),  # always common: being one of many is no sign
        (1, 1000, 1000, False),  # even if everybody says it now
        (2, 10, 500, False),  # twice the usual share
        (2, 60, 500, True),  # 12 % instead of under 1 %
        (3, 9, 100, False),  # too few to say
        (3, 10, 100, True),  # never heard before, and a tenth of all
        (3, 10, 1000, False),  # too small a share
    ],
)
def test_a_topic_is_new_and_shared_by_many(
    word: int, senders: int, of_all: int, *, topic: bool
) -> None:
    flagged = topics.flag(topics.Counts(of_all, {word: senders}), USUAL, {}, 0, RULES)
    assert (word in flagged) is topic


def test_nothing_is_a_topic_while_nothing_is_known() -> None:
    little = topics.Counts(topics.WARM - 1, {})
    assert topics.flag(topics.Counts(100, {3: 100}), little, {}, 0, RULES) == {}


def test_a_topic_stays_while_it_is_used_and_a_day_after() -> None:
    flagged = topics.flag(topics.Counts(100, {3: 50}), USUAL, {}, 0, RULES)
    for hour in range(1, 40):
        flagged = topics.flag(topics.Counts(100, {3: 3}), USUAL, flagged, hour * HOUR_MS, RULES)
    assert 3 in flagged
    gone_ms = 39 * HOUR_MS + topics.KEPT_MS
    assert 3 in topics.flag(topics.Counts(100, {3: 2}), USUAL, flagged, gone_ms - 1, RULES)
    assert topics.flag(topics.Counts(100, {3: 2}), USUAL, flagged, gone_ms, RULES) == {}


@pytest.mark.parametrize(
    ("said", "topic"),
    [
        ((3, 9), 3),  # the whole message
        ((1, 2, 3, 5, 6, 7, 99), None),  # one word in passing
        ((1, 3, 4, 5, 99), 3),  # half of what he says
        ((1, 2, 5, 6, 42), 42),  # the very wording
        ((), None),
    ],
)
def test_a_message_is_on_a_topic_by_its_weight(said: tuple[int, ...], topic: int | None) -> None:
    assert topics.of(said, {3: 1, 4: 2, 42: 3}) == topic


@pytest.mark.case("C41")
def test_what_a_tenth_says_of_a_sudden_is_a_topic_by_itself() -> None:
    said = (1, 2, 5, 6, 7, 8, 3, 99)
    flagged = {3: 1}
    assert topics.of(said, flagged) is None
    assert topics.of(said, flagged, frozenset(), frozenset({3})) == 3
    many, few = topics.Counts(200, {3: 20}), topics.Counts(200, {3: 19})
    assert topics.strong(many, USUAL, flagged, frozenset()) == {3}
    assert topics.strong(few, USUAL, flagged, frozenset()) == frozenset()
    # It stays so while it is flagged, and what is usual never is.
    assert topics.strong(few, USUAL, flagged, frozenset({3})) == {3}
    assert topics.strong(few, USUAL, {}, frozenset({3})) == frozenset()
    common = topics.Counts(200, {1: 200})
    assert topics.strong(common, USUAL, {1: 1}, frozenset()) == frozenset()


_HOURS = st.lists(st.floats(0, 500), min_size=24, max_size=24).map(tuple)
_MONEY = st.integers(0, 500_000_000)
PRICE = 80_000


def _allowed(
    cap: int, used: int, usual: tuple[float, ...] | None, hour: int = 12, keep: float = 1.15
) -> int:
    return pacing.allowance(
        cap_micros=cap,
        used_micros=used,
        usual=usual,
        hour=hour,
        share_left=0.5,
        price_micros=PRICE,
        keep=keep,
    )


@pytest.mark.case("C06")
@given(_MONEY, _MONEY, st.none() | _HOURS, st.integers(0, 23))
def test_pacing_never_allows_more_than_is_left(
    cap: int, used: int, usual: tuple[float, ...] | None, hour: int
) -> None:
    assert 0 <= _allowed(cap, used, usual, hour) <= max(0, cap - used)


@given(_MONEY, _MONEY, _MONEY, st.none() | _HOURS, st.integers(0, 23))
@example(80_001, 2_799_999, 1, None, 8)
def test_more_money_never_allows_less(
    cap: int, more: int, used: int, usual: tuple[float, ...] | None, hour: int
) -> None:
    rich, poor = _allowed(cap + more, used, usual, hour), _allowed(cap, used, usual, hour)
    assert rich // PRICE >= poor // PRICE


@pytest.mark.case("C17")
@given(_MONEY, _MONEY, st.none() | _HOURS, st.integers(0, 23))
def test_the_credible_are_never_allowed_less_than_the_doubtful(
    cap: int, used: int, usual: tuple[float, ...] | None, hour: int
) -> None:
    doubtful = _allowed(cap, used, usual, hour, pacing.DOUBTFUL)
    assert _allowed(cap, used, usual, hour, pacing.CREDIBLE) >= doubtful


def test_the_last_half_hour_may_spend_what_is_left_but_its_own_need() -> None:
    assert _allowed(400_000_000, 0, (100.0,) * 24, hour=23) == 400_000_000 - 57 * PRICE


def test_a_cap_that_is_too_small_is_spread_evenly_and_not_kept_back() -> None:
    noon = _allowed(10_000_000, 5_000_000, (100.0,) * 24, hour=12, keep=1.0)
    assert noon == 5_000_000 - int(10_000_000 * 11.5 / 24) // PRICE * PRICE


def test_less_than_one_reply_is_not_kept_back() -> None:
    """Of a very small cap the last reply does not wait for midnight."""
    few = (5 / 24,) * 24
    assert _allowed(5 * PRICE, 4 * PRICE, few, hour=18, keep=pacing.CREDIBLE) == PRICE
    assert _allowed(5 * PRICE, 4 * PRICE, few, hour=12, keep=pacing.DOUBTFUL) < PRICE


def test_unseen_hours_are_guessed_from_seen_ones() -> None:
    usual = pacing.usual_by_hour([{20: 80.0, 21: 80.0}])
    assert usual is not None
    assert usual[20] == 80
    assert 0 < usual[3] < usual[14] < usual[20]
    assert pacing.usual_by_hour([]) is None
    assert pacing.usual_by_hour([{}]) is None


def _sight(
    hour: float, *, senders: float = 0, topical: float = 0, surging: bool = False, spent: float = 0
) -> breaker.Sight:
    return breaker.Sight(
        now_ms=int(hour * HOUR_MS), senders=senders, topical=topical, surging=surging, spent=spent
    )


@pytest.mark.case("C17")
def test_the_breaker_goes_up_at_once_and_down_after_a_calm_hour() -> None:
    setting = breaker.turn(breaker.Setting(), _sight(1, senders=100, topical=30))
    assert (setting.mode, setting.since_ms) == (Mode.TIGHT, HOUR_MS)
    assert "30%" in setting.reason
    setting = breaker.turn(setting, _sight(2, senders=500, surging=True))
    assert (setting.mode, setting.since_ms) == (Mode.TIGHT, HOUR_MS)
    for quarter in range(1, 4):
        setting = breaker.turn(setting, _sight(2 + quarter / 4))
        assert setting.mode is Mode.TIGHT
    assert breaker.turn(setting, _sight(3)).mode is Mode.NORMAL


def test_spent_money_leaves_only_free_networks_until_it_is_there_again() -> None:
    setting = breaker.turn(breaker.Setting(), _sight(5, spent=0.996))
    assert setting.mode is Mode.FREE_ONLY
    still = breaker.turn(setting, _sight(5.2, spent=0.98))
    assert still.mode is Mode.FREE_ONLY
    # At midnight the new day's money is there: nobody waits an hour for it.
    assert breaker.turn(still, _sight(5.3, spent=0.0)).mode is Mode.NORMAL


@pytest.mark.parametrize("mode", [Mode.REVIEW, Mode.RECEIVE_ONLY])
def test_what_a_person_set_no_look_changes(mode: Mode) -> None:
    by_hand = breaker.Setting(mode=mode)
    for sight in (_sight(9), _sight(1, senders=99, topical=99, surging=True, spent=1.0)):
        assert breaker.turn(by_hand, sight) == by_hand


@pytest.mark.case("C18")
@given(st.integers(0, 5000), st.integers(0, 23))
def test_a_crowd_is_a_surge_only_against_what_is_usual(senders: int, hour: int) -> None:
    usual = (40.0,) * 24
    surging = breaker.surging(senders, 0, usual, hour, 0.25, RULES)
    assert surging == (senders >= 30)
    assert not breaker.surging(senders, senders, usual, hour, 0.25, RULES)
    assert not breaker.surging(senders, 0, None, hour, 0.25, RULES)


def test_a_snapshot_knows_its_surges_by_the_quarter() -> None:
    seen = snapshot.Snapshot(surges=frozenset({snapshot.BUCKET_MS * 4}))
    assert seen.in_surge(snapshot.BUCKET_MS * 4)
    assert seen.in_surge(snapshot.BUCKET_MS * 5 - 1)
    assert not seen.in_surge(snapshot.BUCKET_MS * 5)
    assert not snapshot.CALM.in_surge(0)

"""Exact answers at the edges: what generated mutants of the policy changed and nobody saw."""

from __future__ import annotations

import datetime as dt
import itertools
import types
import zoneinfo

import pytest

from bot.contract import messages, money
from bot.policy import (
    decision,
    delay,
    exchange,
    overrides,
    periods,
    routing,
    scopes,
    settings,
)
from bot.policy.decision import Decision, Due, Reason, Step, Verdict
from bot.policy.flood import pacing

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


def facts(**change: object) -> decision.Facts:
    plain: dict[str, object] = {
        "at_ms": NOW_MS,
        "kind": messages.Kind.TEXT,
        "wish": None,
        "machine": False,
        "ineligible": None,
        "opted_out": False,
        "blocked": False,
        "blocked_until_ms": 0,
        "pending": False,
        "draw": 0.5,
    }
    return decision.Facts(**{**plain, **change})  # type: ignore[arg-type]


def due(**change: object) -> decision.DueFacts:
    plain: dict[str, object] = {
        "now_ms": NOW_MS,
        "first_ms": NOW_MS - 2 * HOUR_MS,
        "automatic": True,
        "opted_out": False,
        "blocked": False,
        "night_ends_ms": None,
    }
    return decision.DueFacts(**{**plain, **change})  # type: ignore[arg-type]


# ---------------------------------------------------------------- decision


def test_a_lane_a_release_and_a_reply_are_whole_decisions() -> None:
    rules = settings.Reply()
    at_ms = delay.first(NOW_MS, rules, 0.5)
    assert at_ms > NOW_MS
    held = Decision(verdict=Verdict.HOLD, reason=Reason.PRIORITY, due_ms=at_ms)
    assert decision.decide(facts(lane="distress"), rules) == held
    held = Decision(verdict=Verdict.HOLD, reason=Reason.RELEASE, due_ms=at_ms)
    assert decision.decide(facts(release=True), rules) == held
    reply = Decision(verdict=Verdict.REPLY, reason=Reason.FIRST_CONTACT, due_ms=at_ms)
    assert decision.decide(facts(), rules) == reply
    proof = Decision(verdict=Verdict.SILENCE, reason=Reason.PROOF)
    assert decision.decide(facts(proof=True), rules) == proof


def test_what_falls_due_is_decided_with_its_reason() -> None:
    rules = settings.Reply()
    least_ms, most_ms = rules.delay_min_s * 1000, rules.expires_after_s * 1000
    for told, expected in (
        (due(superseded=True), Due(step=Step.CANCEL, reason=Reason.MERGED)),
        (due(blocked=True), Due(step=Step.CANCEL, reason=Reason.BLOCKED)),
        (due(opted_out=True), Due(step=Step.CANCEL, reason=Reason.OPTED_OUT)),
        (due(first_ms=NOW_MS - most_ms), Due(step=Step.EXPIRE, reason=Reason.EXPIRED)),
        (due(first_ms=NOW_MS - most_ms + 1), Due(step=Step.SEND)),
        (due(first_ms=NOW_MS - least_ms), Due(step=Step.SEND)),
        (
            due(first_ms=NOW_MS - least_ms + 1),
            Due(step=Step.LATER, reason=Reason.FIRST_CONTACT, at_ms=NOW_MS + 1),
        ),
        (due(topic=7), Due(step=Step.HOLD, reason=Reason.NEW_TOPIC)),
        (due(topic=7, approved=True), Due(step=Step.SEND)),
        (due(mode_holds=True), Due(step=Step.HOLD, reason=Reason.MODE)),
        (
            due(night_ends_ms=NOW_MS + 9),
            Due(step=Step.LATER, reason=Reason.NIGHT, at_ms=NOW_MS + 9),
        ),
    ):
        assert decision.decide_due(told, rules) == expected, told


def test_a_torn_send_is_made_again_only_if_everything_speaks_for_it() -> None:
    most = decision.ATTEMPTS
    for idempotent, attempts, unwanted, expired in itertools.product(
        (False, True), (0, 1, most - 1, most, most + 1), (False, True), (False, True)
    ):
        again = decision.send_again(
            idempotent=idempotent, attempts=attempts, unwanted=unwanted, expired=expired
        )
        assert again is (idempotent and attempts < most and not unwanted and not expired)


# ---------------------------------------------------------------- delay, periods


def local_ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ((0, 8), "2026-11-22T07:59:59.999", "2026-11-22T08:00:00"),
        ((0, 8), "2026-11-22T08:00:00", None),
        ((0, 8), "2026-11-22T00:00:00", "2026-11-22T08:00:00"),
        ((22, 7), "2026-11-22T23:30:15.250", "2026-11-23T07:00:00"),
        ((22, 7), "2026-11-22T06:10:20.300", "2026-11-22T07:00:00"),
        ((22, 7), "2026-11-22T07:00:00", None),
        ((20, 24), "2026-11-22T23:59:00", "2026-11-23T00:00:00"),
        ((20, 0), "2026-11-22T21:00:00", "2026-11-23T00:00:00"),
        ((5, 5), "2026-11-22T05:10:00", None),
    ],
)
def test_the_night_ends_to_the_millisecond(
    hours: tuple[int, int], now: str, until: str | None
) -> None:
    rules = settings.Reply(night_hold=True, night_from_hour=hours[0], night_to_hour=hours[1])
    found = delay.after_night(local_ms(now), rules, PARIS, 0.0)
    assert found == (None if until is None else local_ms(until))
    if until is not None:
        assert delay.after_night(local_ms(now), rules, PARIS, 0.5) == local_ms(until) + 900_000


def test_a_reply_is_due_on_the_grid_and_never_after_the_range() -> None:
    rules = settings.Reply()
    least, most = NOW_MS + rules.delay_min_s * 1000, NOW_MS + rules.delay_max_s * 1000
    span = most - least
    assert delay.latest_ms(NOW_MS, rules) == most
    assert delay.first(NOW_MS, rules, 0.0) == -(-least // delay.GRID_MS) * delay.GRID_MS
    wanted = least + int(span * 0.6 * 0.5)
    assert delay.first(NOW_MS, rules, 0.5) == -(-wanted // delay.GRID_MS) * delay.GRID_MS
    quiet = NOW_MS + HOUR_MS + 600_000
    due_ms = delay.again(NOW_MS, NOW_MS + HOUR_MS, NOW_MS + HOUR_MS, rules)
    assert due_ms == -(-quiet // delay.GRID_MS) * delay.GRID_MS
    assert delay.again(NOW_MS, most, most - 1, rules) == most
    assert delay.again(NOW_MS, most + 5, NOW_MS, rules) == most + 5
    # Over a hundred hours, a second of each thousand would be two places on the grid.
    long = settings.Reply(delay_min_s=0, delay_max_s=360_000)
    assert delay.first(0, long, 0.75) == 162_000_000
    fixed = settings.Reply(delay_min_s=3_600, delay_max_s=3_600)
    assert delay.again(NOW_MS, NOW_MS + HOUR_MS, NOW_MS + 1, fixed) == NOW_MS + HOUR_MS


def test_the_names_of_periods() -> None:
    assert periods.hour_ms(HOUR_MS * 9 + 1) == HOUR_MS * 9
    assert periods.hour_ms(HOUR_MS * 9) == HOUR_MS * 9
    assert periods.hour_ms(HOUR_MS * 10 - 1) == HOUR_MS * 9
    assert periods.month(local_ms("2026-11-30T23:59:59"), PARIS) == "2026-11"
    assert periods.next_day("2026-12-31") == "2027-01-01"
    assert periods.next_month("2026-12") == "2027-01"
    assert periods.next_month("2026-01") == "2026-02"
    assert periods.day_start_ms("2026-11-22", PARIS) == local_ms("2026-11-22T00:00:00")


# ---------------------------------------------------------------- routing


def offer(channel: str, micros: int, parts: int = 1) -> routing.Offer:
    return routing.Offer(channel=channel, own_address="x", micros=micros, parts=parts)


def test_the_ceiling_itself_is_no_more_than_the_ceiling() -> None:
    at = [offer("a", 300, parts=3)]
    same = settings.Reply()
    assert routing.ranked(at, written_to="a", rules=same, ceiling_micros=100) == at
    assert routing.ranked(at, written_to="a", rules=same, ceiling_micros=99) == []


def test_a_scarce_quota_is_spared_unless_it_saves_enough() -> None:
    rules = settings.Reply(route="cheapest")
    free, dear = offer("free", 0), offer("dear", 100)

    def order(least: dict[str, int]) -> list[routing.Offer]:
        return routing.ranked(
            [free, dear], written_to="dear", rules=rules, ceiling_micros=1_000, least=least
        )

    assert order({"free": 100}) == [free, dear]
    assert order({"free": 101}) == [dear, free]
    # The dearest saves nothing against itself.
    assert order({"free": 101, "dear": 1}) == [free, dear]
    nothing = routing.ranked([], written_to="a", rules=rules, ceiling_micros=1, least={"a": 1})
    assert nothing == []


def test_what_the_first_offer_saves() -> None:
    assert routing.saving([]) == 0
    assert routing.saving([offer("a", 7)]) == 0
    assert routing.saving([offer("a", 30), offer("b", 100), offer("c", 80)]) == 70


def test_the_dearest_use_up_what_is_scarce() -> None:
    wanted = {100: 10, 50: 10, 20: 10}
    assert routing.least_saving(wanted, left=10, share_left=1.0) == 100
    assert routing.least_saving(wanted, left=11, share_left=1.0) == 50
    assert routing.least_saving(wanted, left=20, share_left=1.0) == 50
    assert routing.least_saving(wanted, left=10, share_left=0.5) == 50
    assert routing.least_saving(wanted, left=31, share_left=1.0) == 0
    assert routing.least_saving({}, left=1, share_left=1.0) == 0


# ---------------------------------------------------------------- money


def usd(micros: int) -> money.Rate:
    return money.Rate(currency="USD", micros=micros, dated="2026-11-01")


def test_a_price_is_converted_whole() -> None:
    budget = settings.Budget(currency="EUR", rates={"USD": usd(920_000)})
    own = exchange.convert(budget, money.Money(79_000, "EUR"))
    assert own == exchange.Amount(
        micros=79_000, original=money.Money(79_000, "EUR"), rate_micros=money.MICROS
    )
    foreign = exchange.convert(budget, money.Money(1, "USD"))
    assert foreign == exchange.Amount(micros=1, original=money.Money(1, "USD"), rate_micros=920_000)
    assert exchange.convert(budget, money.Money(1, "CHF")) is None


def test_a_price_of_a_billion_is_the_last_that_is_one() -> None:
    most = 1_000_000_000 * money.MICROS
    budget = settings.Budget(currency="EUR", rates={"USD": usd(money.MICROS)})
    assert not exchange.odd(money.Money(0, "EUR"))
    assert not exchange.odd(money.Money(most, "EUR"))
    assert exchange.odd(money.Money(most + 1, "EUR"))
    assert exchange.odd(money.Money(-1, "EUR"))
    converted = exchange.convert(budget, money.Money(most, "USD"))
    assert converted is not None
    assert converted.micros == most
    dearer = settings.Budget(currency="EUR", rates={"USD": usd(money.MICROS + 1)})
    assert exchange.convert(dearer, money.Money(most, "USD")) is None


def test_the_scopes_of_a_reply_are_all_that_it_counts_against() -> None:
    quota = settings.Quota(
        cap_day_micros=7,
        parts_per_hour=3,
        parts_per_day=4,
        recipients_per_month=5,
        first_contacts_per_day=6,
        sent_per_received=0.5,
    )
    budget = settings.Budget(
        cap_day_micros=10,
        cap_month_micros=20,
        donations_only=True,
        country_cap_day_micros={"FR": 9},
        quotas={"sms": quota},
    )
    hour, day, month = "2026-11-22T10+0100", "2026-11-22", "2026-11"

    def of(**change: object) -> list[scopes.Scope]:
        told: dict[str, object] = {
            "channel": "sms",
            "country": "FR",
            "micros": 2,
            "parts": 3,
            "hour": hour,
        }
        return scopes.of(budget, **{**told, **change})  # type: ignore[arg-type]

    quotas = [
        (f"sent:sms:{day}", 1, 11, "quota"),
        (f"parts:sms:{hour}", 3, 3, "quota"),
        (f"parts:sms:{day}", 3, 4, "quota"),
        (f"recipients:sms:{month}", 1, 5, "quota"),
    ]
    paid = [
        (f"day:{day}", 2, 10, "money"),
        (f"month:{month}", 2, 20, "money"),
        ("donations", 2, 0, "money"),
        (f"country:FR:{day}", 2, 9, "money"),
        (f"channel:sms:{day}", 2, 7, "money"),
    ]
    assert of(ratio_room=11) == paid + quotas
    first = (f"first:sms:{day}", 1, 6, "quota")
    assert of(ratio_room=11, crossed=True) == [*paid, first, *quotas]
    assert of(ratio_room=11, micros=0) == quotas
    assert of(ratio_room=11, country=None)[3][0] == f"channel:sms:{day}"
    assert of(channel="signal") == paid[:4]
    assert of()[-4] == (f"sent:sms:{day}", 1, scopes.NO_LIMIT, "quota")
    names = [name for name, *_ in of(crossed=True)]
    assert [name for name in names if scopes.optional(name)] == names[3:]


def test_what_is_asked_is_summed_and_fits_so_many_times() -> None:
    first: list[scopes.Scope] = [("a", 2, 9, "money"), ("b", 1, 5, "quota")]
    told = scopes.asked([first, [("a", 3, 9, "money")]])
    assert told == {"a": (5, 9), "b": (1, 5)}
    assert scopes.room(told, {}, 1)
    assert not scopes.room(told, {}, 2)
    assert scopes.room(told, {"a": 4, "b": 4}, 1)
    assert not scopes.room(told, {"a": 5}, 1)
    assert not scopes.room({"b": (2, 10)}, {"b": 4}, 4)
    # What nothing was taken of yet has all its room.
    assert scopes.room({"a": (5, 10)}, {}, 2)
    assert scopes.room({}, {"a": 5}, 1_000)


def test_what_moderators_changed_is_in_force_and_nothing_else() -> None:
    told = settings.Core(
        reply=settings.Reply(texts=types.MappingProxyType({"fr": "avant", "en": "before"})),
        budget=settings.Budget(cap_day_micros=10, cap_month_micros=20),
    )
    assert overrides.core(told, {"paused": "forever"}) is told
    changed = overrides.core(
        told, {"text:fr": "après", "text:de": "", "text:tlh": "nuqneH", "cap:day": "99"}
    )
    assert dict(changed.reply.texts) == {"fr": "après", "en": "before"}
    assert (changed.budget.cap_day_micros, changed.budget.cap_month_micros) == (99, 20)
    other = overrides.core(told, {"cap:month": "7", "textual": "x", "fr": "y"})
    assert dict(other.reply.texts) == {"fr": "avant", "en": "before"}
    assert (other.budget.cap_day_micros, other.budget.cap_month_micros) == (10, 7)
    for nonsense in ("", "-1", "1.5", "١", "many"):
        assert overrides.budget(told.budget, {"cap:day": nonsense}) is told.budget


# ---------------------------------------------------------------- pacing


def test_a_usual_day_is_the_upper_quartile_and_unseen_hours_are_guessed() -> None:
    assert pacing.usual_by_hour([]) is None
    assert pacing.usual_by_hour([{}]) is None
    few = pacing.usual_by_hour([dict.fromkeys(range(24), 1.0), {0: 5.0}, {0: 3.0}])
    assert few is not None
    assert few[:2] == (5.0, 1.0)
    # Four days: three quarters of the way, between the neighbours.
    four = pacing.usual_by_hour([{0: n} for n in (1.0, 2.0, 3.0, 9.0)])
    assert four is not None
    assert four[0] == 4.5
    # Hour 0 is 3 of a plain day's hundred, hour 19 is 8 of them.
    assert four[19] == pytest.approx(4.5 * 8 / 3)
    assert four[2] == pytest.approx(4.5 / 3)


def test_what_is_still_to_come() -> None:
    usual = [float(h) for h in range(24)]
    assert pacing.still_to_come(usual, 23, 1.0) == 23
    assert pacing.still_to_come(usual, 23, 0.0) == 0
    assert pacing.still_to_come(usual, 21, 0.5) == 10.5 + 22 + 23


def allowance(**change: object) -> int:
    told: dict[str, object] = {
        "cap_micros": 2_400,
        "used_micros": 0,
        "usual": [1.0] * 24,
        "hour": 12,
        "share_left": 1.0,
        "price_micros": 100,
        "keep": 1.0,
    }
    return pacing.allowance(**{**told, **change})  # type: ignore[arg-type]


def test_what_may_be_spent_now_leaves_the_rest_of_the_day_its_need() -> None:
    assert allowance() == 1_200
    assert allowance(keep=0.5) == 1_800
    assert allowance(used_micros=1_000) == 200
    assert allowance(used_micros=2_400) == 0
    assert allowance(used_micros=3_000) == 0
    # A cap that cannot pay the day keeps back its even share of whole replies only.
    assert allowance(cap_micros=1_250) == 650
    # One that could pay more keeps back what the day needs, no more.
    assert allowance(cap_micros=24_000) == 22_800
    # What costs nothing counts as a millionth, so that nothing is divided by zero.
    assert allowance(price_micros=0, cap_micros=24) == 24
    assert allowance(usual=[0.0] * 24) == 2_400
    assert allowance(price_micros=1, cap_micros=23) == 12
    # What was spent of a reply's price alone pays for none.
    assert allowance(cap_micros=1_000, used_micros=180, hour=4) == 120
    # Nothing learned yet: from noon on a plain day still has 72 of its hundred to come.
    assert allowance(usual=None, cap_micros=10_000, hour=12) == 10_000 - 7_200

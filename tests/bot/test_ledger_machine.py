"""Whatever is reserved, posted and voided in whatever order: no cap is passed, all adds up."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful
from hypothesis import strategies as st

from bot import ledger
from bot.contract import money
from bot.policy import settings
from bot.store import database, schema, tables
from tests.bot.store import rows

CAP_DAY, CAP_MONTH, CAP_COUNTRY, CAP_CHANNEL = 1_000_000, 2_500_000, 700_000, 800_000
BUDGET = settings.Budget(
    cap_day_micros=CAP_DAY,
    cap_month_micros=CAP_MONTH,
    country_cap_day_micros={"FR": CAP_COUNTRY},
    rates={"USD": money.Rate(currency="USD", micros=913_377, dated="2026-11-01")},
    quotas={
        "a": settings.Quota(
            cap_day_micros=CAP_CHANNEL, parts_per_hour=7, parts_per_day=20, recipients_per_month=12
        )
    },
)
wishes = st.tuples(
    st.integers(0, 400_000),
    st.sampled_from("ab"),
    st.sampled_from(["FR", "BE", None]),
    st.integers(1, 3),
)


class Ledger(stateful.RuleBasedStateMachine):
    """`open`: reserved and not voided; `paid`: what stands posted for each of them."""

    donations_only: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.store = database.Store(None)
        asyncio.run(self.store.open())
        self.store._write(schema.create)
        self.budget = dataclasses.replace(BUDGET, donations_only=self.donations_only)
        self.now_ms = rows.NOW_MS
        self.next_id = 1
        self.open: dict[int, ledger.Reservation] = {}
        self.paid: dict[int, int] = {}
        self.reserved_at_once: dict[str, int] = defaultdict(int)
        self.late = False
        self.given = 0

    def teardown(self) -> None:
        asyncio.run(self.store.close())

    @stateful.rule(batch=st.lists(wishes, min_size=1, max_size=6))
    def reserve(self, batch: Sequence[tuple[int, str, str | None, int]]) -> None:
        asked = []
        for micros, channel, country, parts in batch:
            told = money.Money(micros, "EUR")
            amount = ledger.Amount(micros=micros, original=told, rate_micros=money.MICROS)
            asked.append(
                ledger.Request(
                    reply_id=self.next_id,
                    channel=channel,
                    country=country,
                    amount=amount,
                    parts=parts,
                )
            )
            self.next_id += 1
        before = self.used()
        answers = self.store._write(lambda tx: ledger.reserve(tx, asked, self.budget, self.now_ms))
        self.check_limits(before)
        for one, refusal in zip(asked, answers, strict=True):
            if refusal is None:
                self.open[one.reply_id] = ledger.Reservation(
                    reply_id=one.reply_id,
                    channel=one.channel,
                    country=one.country,
                    micros=one.amount.micros,
                    parts=one.parts,
                    period=ledger.period(self.budget, self.now_ms),
                )
                self.paid[one.reply_id] = one.amount.micros

    def used(self) -> dict[str, int]:
        query = sa.select(tables.caps.c.scope, tables.caps.c.used)
        return self.store._write(lambda tx: dict(tx.execute(query).all()))

    def check_limits(self, before: dict[str, int]) -> None:
        """A reservation that moved a scope left it within its limit."""
        for scope, used in self.used().items():
            if used > before.get(scope, 0):
                assert used <= self.limit(scope), scope

    def limit(self, scope: str) -> int:
        kind, *rest = scope.split(":", 1)
        named = {
            "day": CAP_DAY,
            "month": CAP_MONTH,
            "country": CAP_COUNTRY,
            "channel": CAP_CHANNEL,
            "recipients": 12,
            "donations": 0 if self.donations_only else ledger.NO_LIMIT,
        }
        if kind == "parts":
            return 7 if "T" in rest[0] else 20
        return named[kind]

    @stateful.precondition(lambda self: self.open)
    @stateful.rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        one = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        held = dataclasses.replace(one, micros=self.paid.pop(one.reply_id))
        self.store._write(lambda tx: ledger.void(tx, [held], self.budget, self.now_ms))

    @stateful.precondition(lambda self: self.open)
    @stateful.rule(
        data=st.data(),
        micros=st.integers(0, 900_000),
        currency=st.sampled_from(["EUR", "EUR", "USD", "XXX"]),
    )
    def post(self, data: st.DataObject, micros: int, currency: str) -> None:
        # Also a second time for the same reply: a correction of what was posted.
        one = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        held = dataclasses.replace(one, micros=self.paid[one.reply_id])
        told = [(held, money.Money(micros, currency))]
        (posted,) = self.store._write(lambda tx: ledger.post(tx, told, self.budget, self.now_ms))
        if currency == "EUR":
            assert posted == micros
        if currency == "XXX":
            assert posted == held.micros
        self.late = self.late or posted > held.micros
        self.paid[one.reply_id] = posted
        # A voided reservation is one that was never posted.
        self.open.pop(one.reply_id) if posted > held.micros else None

    @stateful.rule(micros=st.integers(-500_000, 1_000_000))
    def donate(self, micros: int) -> None:
        self.store._write(lambda tx: ledger.donate(tx, micros, self.budget, self.now_ms))
        self.given += micros

    @stateful.rule(hours=st.sampled_from([1, 5, 30, 24 * 9]))
    def time_passes(self, hours: int) -> None:
        self.now_ms += hours * rows.HOUR_MS

    @stateful.invariant()
    def everything_adds_up(self) -> None:
        postings = self.store._write(
            lambda tx: list(tx.execute(sa.select(tables.postings)).mappings())
        )
        used = self.used()
        days: dict[str, int] = defaultdict(int)
        for row in postings:
            if row["account"] == ledger.REPLIES:
                days[row["day"]] += row["amount_micros"]
        for scope, amount in used.items():
            if scope.startswith("day:"):
                assert amount == days[scope[4:]], scope
        total = sum(self.paid.values())
        assert sum(days.values()) == total
        assert sum(v for s, v in used.items() if s.startswith("month:")) == total
        assert used.get(ledger.DONATIONS, 0) == total - self.given
        assert min(v for s, v in {**used, "": 0}.items() if s != ledger.DONATIONS) >= 0


class Donations(Ledger):
    donations_only = True


SETTINGS = hypothesis.settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.case("C06", "C31")
@pytest.mark.parametrize("machine", [Ledger, Donations])
def test_no_cap_is_passed_and_all_adds_up(
    machine: type[stateful.RuleBasedStateMachine],
) -> None:
    runs = stateful.run_state_machine_as_test(machine, settings=SETTINGS)  # type: ignore[func-returns-value]  # it raises
    assert runs is None

"""Least-cost routing: the operator's choice, within quotas, never twice (C43)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping

import pytest
import sqlalchemy as sa

from bot import build, ledger, outbox
from bot.contract import address, bridge, messages, money, outcomes
from bot.policy import routing, settings
from bot.store import pool, tables
from tests.bot.dispatcher import seen
from tests.fakes import world as fake

SIM = "+33639988888"
TWILIO_MICROS = 80_000


class Account(fake.World):
    """A second account with a price and an address of its own."""

    def __init__(self, channel: str, own: str, price: Callable[[str], int], **more: object) -> None:
        super().__init__(channel)
        self.addresses = (bridge.OwnAddress(address=address.Address(address.SMS, own)),)
        self.price = price
        self.network = str(more.get("network", address.SMS))
        self.knows: Callable[[address.Address], bool] = lambda _: True
        self.asked: list[address.Address] = []

    def reaches(self, recipient: address.Address) -> bool:
        return self.knows(recipient)

    def quote(self, recipient: address.Address, text: str) -> messages.Quote:
        return messages.Quote(price=money.Money(self.price(recipient.value), "EUR"), parts=1)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        told = self.outcome(reply)
        if told is None or isinstance(told, outcomes.Accepted | outcomes.Unknown):
            self.sent.append(reply)
        price = money.Money(self.price(reply.recipient.value), "EUR")
        return told or outcomes.Accepted(
            provider_id=f"{self.channel}{len(self.sent)}", parts=1, price=price
        )


class Handle(Account):
    """A free network that can say who is on it."""

    async def look_up(self, addresses: object) -> Mapping[address.Address, address.Address | None]:
        assert isinstance(addresses, list)
        self.asked += addresses
        return {}


def accounts() -> tuple[Account, Account]:
    twilio = Account("sms", fake.OURS, lambda _: TWILIO_MICROS)
    return twilio, Account("sim", SIM, lambda _: 0)


def core(route: str = "cheapest", **quota: object) -> settings.Core:
    quotas = {"sim": settings.Quota(**quota)}  # type: ignore[arg-type]
    return settings.Core(
        who=settings.Who(answer_fiction=True),
        reply=settings.Reply(route=route),
        budget=settings.Budget(quotas=quotas),
    )


async def open_house(*worlds: Account, core: settings.Core) -> build.Rooms:
    rooms = await fake.rooms(*worlds, core=core)
    for one in worlds:
        await rooms.store.write(
            lambda tx, one=one: pool.enter(tx, one.channel, one.addresses, 0)  # type: ignore[misc]
        )
    return rooms


@pytest.mark.case("C43")
async def test_by_default_he_is_answered_from_where_he_wrote_to_whatever_it_costs() -> None:
    twilio, sim = accounts()
    rooms = await open_house(twilio, sim, core=core("same"))
    await rooms.intake.accept([fake.message(n) for n in range(5)])
    await fake.lapse(rooms, 3)
    assert (len(twilio.sent), len(sim.sent)) == (5, 0)
    assert {one.sender.value for one in twilio.sent} == {fake.OURS}


@pytest.mark.case("C43")
async def test_cheapest_takes_the_free_sim_and_names_the_number_written_to() -> None:
    twilio, sim = accounts()
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 3)
    (reply,) = sim.sent
    assert twilio.sent == []
    assert reply.sender.value == SIM
    assert fake.OURS in reply.text
    # The message itself went to the other channel, where receipts of it must not be looked for.
    await rooms.intake.receipts(
        [
            messages.DeliveryReceipt(
                channel="sim",
                at=rooms.clock.now(),
                provider_id="sim1",
                delivery=messages.Delivery.DELIVERED,
            )
        ]
    )
    assert await seen.states(rooms) == {"delivered": 1}


async def test_a_quota_that_is_used_up_leaves_the_rest_to_the_next_cheapest() -> None:
    twilio, sim = accounts()
    rooms = await open_house(twilio, sim, core=core(recipients_per_month=3))
    await rooms.intake.accept([fake.message(n) for n in range(10)])
    await fake.lapse(rooms, 3)
    assert (len(sim.sent), len(twilio.sent)) == (3, 7)
    # Who is answered by the number he wrote to gets the operator's own text.
    assert not any(SIM in one.text or fake.OURS in one.text for one in twilio.sent)
    used = await rooms.store.read(lambda tx: ledger.used(tx, "day:2026-11-22"))
    assert used == 7 * TWILIO_MICROS


def on_sim(number: int, at: dt.datetime = fake.START) -> messages.InboundMessage:
    own = address.Address(address.SMS, SIM)
    return fake.message(number, at=at, channel="sim", recipient=own)


async def test_no_more_sent_than_the_ratio_to_what_was_received_allows() -> None:
    twilio, sim = accounts()
    rooms = await open_house(twilio, sim, core=core(sent_per_received=0.5))
    await rooms.intake.accept([on_sim(n) for n in range(8)])
    await fake.lapse(rooms, 3)
    assert (len(sim.sent), len(twilio.sent)) == (4, 4)
    # The days before count too, on both sides.
    await fake.lapse(rooms, 24)
    await rooms.intake.accept([on_sim(100 + n, rooms.clock.now()) for n in range(4)])
    await fake.lapse(rooms, 3)
    assert (len(sim.sent), len(twilio.sent)) == (6, 6)


async def test_the_dearest_destinations_get_the_free_quota() -> None:
    """Half are dear and half are cheap; once that is known, the quota goes to the dear ones."""
    dear, cheap = 140_000, 50_000
    twilio = Account("sms", fake.OURS, lambda n: dear if int(n[-1]) % 2 else cheap)
    sim = Account("sim", SIM, lambda _: 0)
    told = core(recipients_per_month=40)
    told = dataclasses.replace(
        told,
        budget=dataclasses.replace(told.budget, cap_day_micros=None, cap_month_micros=None),
        flood=settings.Flood(topics=False, blocks=False),
    )
    rooms = await open_house(twilio, sim, core=told)
    await rooms.store.write(
        lambda tx: tx.execute(
            sa.insert(tables.counters),
            [
                {"hour_ms": _hour(rooms), "name": f"saves:sim:{micros}", "n": 300}
                for micros in (dear, cheap)
            ],
        )
    )
    await rooms.intake.accept([fake.message(n) for n in range(30)])
    await fake.lapse(rooms, 3)
    assert {int(one.recipient.value[-1]) % 2 for one in sim.sent} == {1}
    assert len(sim.sent) == 15
    assert {int(one.recipient.value[-1]) % 2 for one in twilio.sent} == {0}


def _hour(rooms: build.Rooms) -> int:
    now = rooms.clock.now() - dt.timedelta(days=3)
    return int(now.timestamp()) // 3600 * 3_600_000


async def test_a_refusal_elsewhere_goes_back_to_the_number_written_to() -> None:
    twilio, sim = accounts()
    sim.outcome = lambda _: outcomes.Rejected(reason="not_reached")
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 3)
    assert len(twilio.sent) == 1
    assert twilio.sent[0].sender.value == fake.OURS
    assert fake.OURS not in twilio.sent[0].text
    assert await seen.states(rooms) == {"sent": 1}


@pytest.mark.case("C04")
async def test_no_other_way_once_it_may_be_out() -> None:
    twilio, sim = accounts()
    sim.outcome = lambda _: outcomes.Unknown(reason="timeout")
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 12)
    assert (len(sim.sent), len(twilio.sent)) == (1, 0)
    assert await seen.states(rooms) == {"unknown": 1}


async def test_a_refusal_by_the_number_written_to_is_the_end() -> None:
    twilio, sim = accounts()
    twilio.outcome = lambda _: outcomes.Rejected(reason="21614")
    sim.knows = lambda _: False
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 3)
    assert await seen.states(rooms) == {"failed": 1}


async def test_a_wait_elsewhere_keeps_where_he_wrote_to() -> None:
    twilio, sim = accounts()
    later = fake.START + dt.timedelta(hours=4)
    sim.outcome = lambda _: outcomes.NotNow(reason="busy", retry_at=later)
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(1)])
    await fake.lapse(rooms, 3)
    assert await seen.states(rooms) == {"scheduled": 1}
    sim.knows = lambda _: False
    await fake.lapse(rooms, 3)
    (reply,) = twilio.sent
    assert reply.sender.value == fake.OURS


async def test_a_stopped_channel_leaves_its_replies_to_others() -> None:
    twilio, sim = accounts()
    sim.outcome = lambda _: outcomes.Rejected(reason="auth", stop_channel=True)
    rooms = await open_house(twilio, sim, core=core())
    await rooms.intake.accept([fake.message(n) for n in range(3)])
    await fake.lapse(rooms, 3)
    assert (len(sim.sent), len(twilio.sent)) == (0, 3)


async def test_first_contacts_on_another_network_have_a_quota_and_look_ups_too() -> None:
    twilio = Account("sms", fake.OURS, lambda _: TWILIO_MICROS)
    own = "00000000-0000-4000-8000-000000000001"
    signal = Handle("sim", own, lambda _: 0, network="signal")
    signal.addresses = (bridge.OwnAddress(address=address.Address("signal", own)),)
    rooms = await open_house(
        twilio, signal, core=core(first_contacts_per_day=2, look_ups_per_day=5)
    )
    await rooms.intake.accept([fake.message(n) for n in range(9)])
    assert await rooms.janitor.step("look_ups") == {"looked_up": 0}
    assert isinstance(rooms.clock, fake.Clock)
    await rooms.clock.advance(3_600 + 45 * 60)
    assert await rooms.janitor.step("look_ups") == {"looked_up": 5}
    assert await rooms.janitor.step("look_ups") == {"looked_up": 0}
    assert len(set(signal.asked)) == 5
    signal.knows = lambda who: who in signal.asked
    await fake.lapse(rooms, 3)
    assert (len(signal.sent), len(twilio.sent)) == (2, 7)
    assert {one.recipient.network for one in signal.sent} == {address.SMS}


async def test_every_reply_is_accounted_for_whatever_way_it_went() -> None:
    twilio, sim = accounts()
    rooms = await open_house(twilio, sim, core=core(parts_per_day=4, recipients_per_month=6))
    for day in range(2):
        at = rooms.clock.now()
        await rooms.intake.accept([fake.message(100 * day + n, at=at) for n in range(8)])
        await fake.lapse(rooms, 24)
    assert len(sim.sent) == 6
    assert len(twilio.sent) == 10
    assert len({one.recipient for one in sim.sent + twilio.sent}) == 16
    counts = await rooms.store.read(outbox.counts)
    assert counts["sent"] == 16


def test_a_quota_is_kept_for_the_dear_only_where_they_will_use_it_up() -> None:
    wanted = {140_000: 100, 50_000: 1_000}
    assert routing.least_saving(wanted, left=50, share_left=1.0) == 140_000
    assert routing.least_saving(wanted, left=50, share_left=0.25) == 50_000
    assert routing.least_saving(wanted, left=500, share_left=0.25) == 0
    assert routing.least_saving({}, left=1, share_left=1.0) == 0

"""End to end with the real SDK against npm's emulator, the real rooms, and a virtual clock."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from bot.contract.conformance import fakes
from bot.store import tables
from bridges.sms.twilio import sending
from tests.bridges.sms.twilio import between, exchange, house
from tests.peers import emulate

HIS = "+33639981234"
PRICE = 79_800 * 95 // 100  # in EUR, by house.RATE


@pytest.fixture
async def clock() -> fakes.FakeClock:
    return fakes.FakeClock()


@pytest.fixture
async def network(clock: fakes.FakeClock) -> AsyncIterator[between.Between]:
    """The emulator behind the proxy; skipped aloud where it is missing."""
    reason = emulate.missing()
    if reason:
        pytest.skip(reason)
    numbers = [{"phone_number": exchange.OURS}]
    async with emulate.running(exchange.ACCOUNT, exchange.TOKEN, numbers) as url:
        made = between.Between(url, clock.now)
        await made.open()
        yield made
        await made.close()


async def opened(network: between.Between, clock: fakes.FakeClock, **table: object) -> house.House:
    made = await house.built(network, clock, table=table)
    network.core = made.take
    for finding in await made.bridge.set_up(apply=True):
        assert "failed" not in finding.sentence
    return made


async def closed(made: house.House) -> None:
    await made.bridge.close()
    await made.rooms.store.close()


async def rows(made: house.House) -> list[dict[str, object]]:
    query = sa.select(tables.replies)
    found = await made.rooms.store.read(lambda tx: tx.execute(query).mappings().all())
    return [dict(row) for row in found]


async def spent(made: house.House, account: str = "replies") -> int:
    """The sum of an account's postings."""
    p = tables.postings
    query = sa.select(sa.func.coalesce(sa.func.sum(p.c.amount_micros), 0)).where(
        p.c.account == account
    )
    found: int = await made.rooms.store.read(lambda tx: tx.execute(query).scalar_one())
    return found


@pytest.mark.case("C03", "C31", "C42", "C43")
async def test_sms_in_reply_out_delivered_price_posted_ledger_right(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock, at_provider="redact")
        await network.receive(HIS, "salut toi")
        await clock.advance(3_599)
        assert await made.rooms.dispatcher.step() == 0
        assert not await network.listed()
        await clock.advance(2_800)
        assert await made.rooms.dispatcher.step() == 1
        (message,) = await network.listed()
        assert (message["to"], message["from"]) == (HIS, exchange.OURS)
        ((reply, sids),) = network.accepted.items()
        assert sids == [message["sid"]]
        assert len(reply) == 32
        await network.report(message["sid"], "sent", "delivered")
        # The callbacks that came before the send was recorded wait for their reply.
        await made.rooms.janitor.step("early_receipts")
        (row,) = await rows(made)
        assert (row["state"], row["provider_id"]) == ("delivered", message["sid"])
        assert row["price_micros"] is None
        assert await spent(made) == row["reserved_micros"] == 100_000 * 95 // 100
        await clock.advance(600)
        assert (await made.rooms.janitor.step("afterwards"))["prices_asked"] == 1
        (row,) = await rows(made)
        assert row["price_micros"] == await spent(made) == PRICE
        # Receiving is billed too, on an account of its own.
        assert await spent(made, "inbound") == 7_500 * 95 // 100
        assert (await made.rooms.janitor.step("afterwards"))["deleted"] == 1
        (message,) = await network.listed()
        assert message["body"] == ""
        (row,) = await rows(made)
        assert row["provider_id"] is None
        await clock.advance(600)
        after = await made.rooms.janitor.step("afterwards")
        assert after == {"prices_asked": 0, "deleted": 0}
        await closed(made)


@pytest.mark.case("C03", "C04")
async def test_accepted_and_cut_is_unknown_and_found_again_by_the_list(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock)
        await network.receive(HIS, "salut toi")
        await clock.advance(6_400)
        network.manner = between.Manner(after=1.0, drop=1.0, stall_s=2.5)
        await made.rooms.dispatcher.step()
        (row,) = await rows(made)
        assert (row["state"], row["provider_id"]) == ("unknown", None)
        assert await spent(made) == row["reserved_micros"]
        for _ in range(3):
            await clock.advance(100)
            await made.rooms.dispatcher.step()
            await made.rooms.dispatcher.repair()
        assert len(await network.listed()) == 1, "an unknown one is not sent again by itself"
        await made.rooms.janitor.step("ask")
        (row,) = await rows(made)
        assert (row["state"], row["provider_id"]) == (
            "sent",
            (await network.listed())[0]["sid"],
        )
        await closed(made)


@pytest.mark.case("C03")
async def test_a_callback_brings_back_what_a_crash_lost(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock)
        await network.receive(HIS, "salut toi")
        await clock.advance(6_400)
        network.manner = between.Manner(after=1.0, stall_s=2.5)
        await made.rooms.dispatcher.step()
        (row,) = await rows(made)
        assert row["state"] == "unknown"
        # It came by the callback of `queued`, even before Twilio's answer was lost.
        await made.rooms.janitor.step("early_receipts")
        (row,) = await rows(made)
        assert row["state"] == "sent"
        assert row["provider_id"] == (await network.listed())[0]["sid"]
        await closed(made)


@pytest.mark.case("C05")
async def test_429_is_sent_later_once(network: between.Between, clock: fakes.FakeClock) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock)
        await network.receive(HIS, "salut toi")
        await clock.advance(6_400)
        network.manner = between.Manner(before=1.0, before_kinds=("429",))
        await made.rooms.dispatcher.step()
        network.manner = between.Manner()
        (row,) = await rows(made)
        assert row["state"] == "scheduled"
        assert await spent(made) == 0
        assert await made.rooms.dispatcher.step() == 0
        await clock.advance(3)
        await made.rooms.dispatcher.step()
        await clock.advance(600)
        await made.rooms.dispatcher.step()
        assert len(await network.listed()) == 1
        await closed(made)


@pytest.mark.case("C09", "C02")
async def test_what_came_while_we_were_away_is_swept_once_and_answered_once(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock)
        network.core = between.nobody
        await network.receive(HIS, "salut toi")
        await network.receive("+33639981235", "coucou")
        network.core = made.take
        await network.receive("+33639981236", "hello")
        for _ in range(2):
            await clock.advance(300)
            await made.rooms.janitor.step("sweep")
        assert len(await rows(made)) == 3
        await clock.advance(dt.timedelta(hours=2).total_seconds())
        await made.rooms.dispatcher.step()
        assert sorted(one["to"][-4:] for one in await network.listed()) == ["1234", "1235", "1236"]
        await closed(made)


@pytest.mark.case("C42")
async def test_long_texts_run_up_their_own_account_and_alarm_and_replies_go_on(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock, inbound_price="1")
        for number in range(1, 7):
            await network.receive(f"+3363998{number:04d}", "x" * 320)
        assert await spent(made, "inbound") == 6 * 2 * 950_000
        assert await spent(made) == 0
        query = sa.select(tables.events.c.kind)
        kinds = await made.rooms.store.read(lambda tx: tx.execute(query).scalars().all())
        assert list(kinds).count("inbound_alarm") == 1
        await clock.advance(6_400)
        await made.rooms.dispatcher.step()
        assert len(await network.listed()) == 6
        await closed(made)


async def test_refused_credentials_stop_the_channel_and_lose_nobody(
    network: between.Between, clock: fakes.FakeClock
) -> None:
    async with asyncio.timeout(60):
        made = await opened(network, clock)
        wrong = await house.built(
            network,
            clock,
            store=made.rooms.store,
            table={"auth_token": "a-token-of-yesterday", "webhook_secrets": [exchange.TOKEN]},
        )
        network.core = wrong.take
        for number in range(1, 31):
            await network.receive(f"+3363998{number:04d}", "salut")
        await clock.advance(6_400)
        for _ in range(3):
            await wrong.rooms.dispatcher.step()
            await clock.advance(60)
        assert {row["state"] for row in await rows(wrong)} == {"scheduled"}
        assert await spent(wrong) == 0
        clear = sa.delete(tables.control)
        await made.rooms.store.write(lambda tx: tx.execute(clear).rowcount)
        # A few at a time: who found no place is asked for again a second later.
        while await made.rooms.dispatcher.step():
            await clock.advance(sending.CROWDED_WAIT_S)
        assert len(await network.listed()) == 30
        await wrong.bridge.close()
        await closed(made)

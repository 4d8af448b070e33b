"""What intake does to persons, windows and replies, message by message."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.contract import address, messages, money
from bot.inbox import door, state
from bot.policy import settings
from bot.store import database, events, tables, vault
from tests.bot.store import rows

PHONE, OTHER = "+33639981231", "+33639981232"
DAY_S = 86_400


@dataclasses.dataclass(kw_only=True)
class House:
    store: database.Store
    context: state.Context

    async def take(self, *batch: messages.InboundMessage, now_ms: int = rows.NOW_MS) -> None:
        await self.context.ids.top_up(self.store, 4 * len(batch))
        await self.store.write(lambda tx: door.take_in(tx, self.context, batch, now_ms))

    async def replies(self) -> list[dict[str, Any]]:
        return await rows.rows(self.store, tables.replies)

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.replies()]

    async def persons(self) -> list[dict[str, Any]]:
        return await rows.rows(self.store, tables.persons)

    async def verdicts(self) -> list[tuple[str, str]]:
        found = await rows.rows(self.store, tables.inbound)
        return [(row["decision"], row["reason"]) for row in found]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with rows.memory() as store:
        yield House(store=store, context=rows.context())


def signal(provider_id: str, text: str = "salut", **changes: Any) -> messages.InboundMessage:  # noqa: ANN401 (any field of a message)
    values: dict[str, Any] = {"sender": "aci-1", "network": "signal"}
    return rows.message(provider_id, text, **(values | changes))


def known_as(phone: str) -> dict[str, Any]:
    return {"aliases": (address.Address("sms", phone),)}


async def test_a_first_contact_is_scheduled_within_the_range(house: House) -> None:
    await house.take(rows.message())
    (reply,) = await house.replies()
    rules = house.context.core.reply
    wait_s = (reply["due_ms"] - rows.NOW_MS) / 1000
    assert rules.delay_min_s <= wait_s <= rules.delay_max_s
    assert reply["window_ms"] == reply["due_ms"] + 30 * rows.DAY_MS
    (person,) = await house.persons()
    assert person["blocked_until_ms"] == reply["window_ms"]
    opened = rows.KEYS.open(reply["address_enc"], f"replies/{reply['id']}")
    assert opened == "+33639981234"


@pytest.mark.case("C02")
async def test_the_same_event_is_stored_once_and_counted(house: House) -> None:
    one = rows.message("a")
    await house.take(one)
    await house.take(one, one)
    await house.take(one, now_ms=rows.NOW_MS + 399 * rows.DAY_MS)
    assert len(await house.verdicts()) == 1
    assert len(await house.replies()) == 1
    (person,) = await house.persons()
    assert person["messages"] == 1
    totals = await house.store.read(events.totals)
    assert totals["duplicates"] == 3
    # The flood's figures count what is new only.
    assert totals["messages"] == 1


@pytest.mark.case("C02")
async def test_ids_are_of_a_channel_and_a_fingerprint_joins_two_of_them(house: House) -> None:
    await house.take(rows.message("a", fingerprint="f"))
    await house.take(rows.message("b", fingerprint="f"))
    assert len(await house.verdicts()) == 1
    await house.take(rows.message("a", channel="sms2"))
    assert len(await house.verdicts()) == 2


@pytest.mark.case("C08")
async def test_ten_thousand_from_one_sender_are_one_reply(house: House) -> None:
    flood = [rows.message(f"n{n}", f"salut {n}", sender=PHONE, at_s=n / 10) for n in range(10_000)]
    for n in range(0, len(flood), door.BATCH):
        await house.take(*flood[n : n + door.BATCH])
    (reply,) = await house.replies()
    latest_ms = reply["first_ms"] + house.context.core.reply.delay_max_s * 1000
    assert reply["state"] == "scheduled"
    assert reply["due_ms"] <= latest_ms
    (person,) = await house.persons()
    assert person["messages"] == 10_000
    # The cost of one: no money is touched by the other 9,999, each of which is a counter.
    assert await rows.rows(house.store, tables.postings) == []
    counted = {r["name"] for r in await rows.rows(house.store, tables.counters)}
    assert counted == {"messages", "reply:first_contact", "silence:pending"}


@pytest.mark.case("C08")
async def test_the_window_is_over_when_it_is_over(house: House) -> None:
    await house.take(rows.message("a"))
    (reply,) = await house.replies()
    sent = tables.replies.update().values(state="sent")
    await rows.run(house.store, sent)
    window_s = (reply["window_ms"] - rows.NOW_MS) / 1000
    await house.take(rows.message("b", at_s=window_s - 1))
    assert (await house.verdicts())[-1] == ("silence", "answered")
    await house.take(rows.message("c", at_s=window_s))
    assert (await house.verdicts())[-1] == ("reply", "first_contact")


@pytest.mark.case("C15", "C50")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("STOP", "opt_out"),
        ("stop.", "opt_out"),
        (" Arrêt !", "opt_out"),
        ("stop tu me plais", "reply"),
        ("arrête", "reply"),
    ],
)
async def test_only_the_whole_word_opts_out(house: House, text: str, verdict: str) -> None:
    await house.take(rows.message("a", text))
    assert (await house.verdicts())[0][0] == verdict
    assert bool((await house.persons())[0]["opted_out_ms"]) == (verdict == "opt_out")


@pytest.mark.case("C15")
async def test_an_opt_out_cancels_and_gives_the_window_back_exactly_once(house: House) -> None:
    await house.take(rows.message("a"))
    await house.take(rows.message("b", "STOP", at_s=60), rows.message("c", "STOP", at_s=61))
    (reply,) = await house.replies()
    assert (reply["state"], reply["reason"], reply["address_enc"]) == (
        "cancelled",
        "opted_out",
        None,
    )
    (person,) = await house.persons()
    assert (person["blocked_until_ms"], person["opted_out_ms"]) == (0, rows.NOW_MS + 60_000)
    assert await rows.kinds(house.store) == ["opt_outs"]
    await house.take(rows.message("d", at_s=90))
    assert (await house.verdicts())[-1] == ("silence", "opted_out")


@pytest.mark.case("C15", "C44")
async def test_the_networks_own_wish_counts_whatever_the_text(house: House) -> None:
    await house.take(rows.message("a", "salut", wish=messages.Wish.STOP))
    assert (await house.verdicts()) == [("opt_out", "stop")]


@pytest.mark.case("C44")
async def test_start_does_not_reset_the_window(house: House) -> None:
    await house.take(rows.message("a"))
    sent = tables.replies.update().values(state="sent")
    await rows.run(house.store, sent)
    window_ms = (await house.persons())[0]["blocked_until_ms"]
    for n, text in enumerate(["STOP", "START", "salut", "STOP", "START", "salut"]):
        await house.take(rows.message(f"n{n}", text, at_s=7_000 + n))
    assert len(await house.replies()) == 1
    (person,) = await house.persons()
    assert (person["blocked_until_ms"], person["opted_out_ms"]) == (window_ms, None)
    reasons = [reason for _, reason in await house.verdicts()]
    assert reasons[1:] == ["stop", "start", "answered"] * 2


@pytest.mark.case("C44")
async def test_stop_while_it_is_being_sent_keeps_the_window(house: House) -> None:
    await house.take(rows.message("a"))
    sending = tables.replies.update().values(state="sending")
    await rows.run(house.store, sending)
    window_ms = (await house.persons())[0]["blocked_until_ms"]
    await house.take(rows.message("b", "STOP", at_s=4_000), rows.message("c", "START", at_s=4_001))
    await house.take(rows.message("d", at_s=4_002))
    assert await house.states() == ["sending"]
    assert (await house.persons())[0]["blocked_until_ms"] == window_ms


@pytest.mark.case("C12")
@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("36180", None),
        ("INFO", None),
        ("", None),
        ("+12025550123", None),
        (rows.OURS, "own_number"),
    ],
)
async def test_numbers_that_are_not_answered_have_their_reason(
    house: House, sender: str, reason: str | None
) -> None:
    await house.take(rows.message("a", sender=sender))
    ((verdict, recorded),) = await house.verdicts()
    assert verdict == "silence"
    assert recorded not in ("", "first_contact", "answered", "pending")
    assert reason is None or recorded == reason
    assert await house.replies() == []


@pytest.mark.case("C13")
async def test_machine_texts_are_silent_and_kept_nowhere(house: House) -> None:
    await house.take(rows.message("a", "Votre code de confirmation est 482913"))
    assert await house.verdicts() == [("silence", "machine")]
    assert (await rows.rows(house.store, tables.inbound))[0]["text_enc"] is None


@pytest.mark.case("C45")
async def test_a_picture_is_a_contact_and_a_call_is_none(house: House) -> None:
    await house.take(rows.message("a", "", kind=messages.Kind.ATTACHMENT, sender=PHONE))
    await house.take(rows.message("b", "", kind=messages.Kind.CALL, sender=OTHER))
    assert await house.verdicts() == [("reply", "first_contact"), ("silence", "call")]


@pytest.mark.case("C48")
async def test_two_that_are_one_get_one_reply(house: House) -> None:
    await house.take(rows.message("a", sender=PHONE))
    await house.take(signal("b", at_s=10))
    assert await house.states() == ["scheduled", "scheduled"]
    await house.take(signal("c", at_s=20, **known_as(PHONE)))
    kept, dropped = await house.replies()
    assert (kept["state"], dropped["state"], dropped["reason"]) == (
        "scheduled",
        "cancelled",
        "merged",
    )
    assert dropped["address_enc"] is None
    survivor, gone = await house.persons()
    assert (gone["merged_into"], survivor["blocked_until_ms"]) == (
        survivor["id"],
        kept["window_ms"],
    )
    owners = {r["person_id"] for r in await rows.rows(house.store, tables.identities)}
    assert owners == {survivor["id"]}


@pytest.mark.case("C48")
@pytest.mark.parametrize("who", [PHONE, "aci-1"])
async def test_in_a_merge_the_opt_out_wins(house: House, who: str) -> None:
    first = rows.message("a", "STOP" if who == PHONE else "salut", sender=PHONE)
    await house.take(first)
    await house.take(signal("b", "STOP" if who != PHONE else "salut", at_s=10))
    await house.take(signal("c", at_s=20, **known_as(PHONE)))
    survivor = (await house.persons())[0]
    assert survivor["opted_out_ms"] is not None
    assert (await house.verdicts())[-1] == ("silence", "opted_out")


@pytest.mark.case("C48")
@pytest.mark.parametrize("answered", [0, 1])
async def test_in_a_merge_an_answer_counts_for_both(house: House, answered: int) -> None:
    await house.take(rows.message("a", sender=PHONE), signal("b", at_s=10))
    reply = (await house.replies())[answered]
    sent = tables.replies.update().where(tables.replies.c.id == reply["id"]).values(state="sent")
    await rows.run(house.store, sent)
    await house.take(signal("c", at_s=20, **known_as(PHONE)))
    states = await house.states()
    assert states[answered] == "sent"
    assert states[1 - answered] == "cancelled"
    survivor = (await house.persons())[0]
    assert survivor["blocked_until_ms"] == reply["window_ms"]
    assert (await house.verdicts())[-1] == ("silence", "answered")


@pytest.mark.case("C12", "C44")
async def test_who_was_blocked_stays_blocked(house: House) -> None:
    await house.take(rows.message("a", "STOP"))
    blocked = tables.persons.update().values(blocked_ms=1)
    await rows.run(house.store, blocked)
    await house.take(rows.message("b", "START", at_s=1), rows.message("c", at_s=2))
    assert await house.replies() == []
    assert [reason for _, reason in await house.verdicts()][2:] == ["blocked"]


@pytest.mark.case("C42")
async def test_what_receiving_cost_has_its_own_account(house: House) -> None:
    cost = money.Money(7_500, "EUR")
    await house.take(*(rows.message(f"n{n}", "x" * 900, parts=6, cost=cost) for n in range(9)))
    caps = await rows.rows(house.store, tables.caps)
    assert caps == [{"scope": "inbound:2026-11-22", "used": 67_500}]


async def test_held_when_the_operator_releases_by_hand(house: House) -> None:
    rules = settings.Reply(release_by_hand=True)
    house.context = rows.context(settings.Core(reply=rules))
    await house.take(rows.message("a"))
    assert await house.states() == ["held"]
    assert (await house.replies())[0]["reason"] == "release"


@pytest.mark.case("C33")
async def test_nothing_of_a_person_is_stored_in_clear(house: House) -> None:
    await house.take(rows.message("a", "canari rouge", sender=PHONE), signal("b", at_s=1))
    found = ""
    for table in tables.metadata.sorted_tables:
        found += str(await rows.rows(house.store, table))
    for canary in (PHONE, PHONE[1:], "canari", "aci-1"):
        assert canary not in found


@pytest.mark.case("C35")
async def test_an_old_mac_key_still_finds_its_people(house: House) -> None:
    one = vault._Key(1, b"1" * 32)
    two = vault._Key(2, b"2" * 32)
    enc = (vault._Key(1, b"3" * 32),)
    for ring in ((one,), (one, two)):
        keys = vault.Vault(ring, enc)
        house.context = dataclasses.replace(house.context, keys=keys)
        await house.take(rows.message(f"ring{len(ring)}"))
    assert len(await house.persons()) == 1
    assert (await house.verdicts())[-1] == ("silence", "pending")

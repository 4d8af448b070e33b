"""The mode as people see and set it; what it does is tested with the leader."""

from __future__ import annotations

import json

import pytest

from bot.console import modes, status
from bot.flood import orders
from bot.policy.flood.snapshot import Mode
from bot.store import events, tables
from tests.bot.console.house import HOUR_MS, START_MS, House


async def present(house: House, at_ms: int = START_MS) -> modes.Present:
    return await house.store.read(lambda tx: modes.present(tx, at_ms))


async def test_a_new_house_is_normal_and_knows_nothing(house: House) -> None:
    found = await present(house)
    assert (found.mode, found.since_ms, found.by_hand) == ("normal", None, False)
    assert found.why.en == "Nothing unusual is seen."
    assert (await house.store.read(lambda tx: modes.view(tx, START_MS))).history == ()


@pytest.mark.parametrize("mode", [one for one in Mode if one is not Mode.NORMAL])
async def test_what_is_set_is_shown_before_any_leader_looked(house: House, mode: Mode) -> None:
    until_ms = START_MS + HOUR_MS
    done = await house.act(modes.set_mode, mode, until_ms=until_ms)
    assert done.ok
    found = await present(house)
    assert (found.mode, found.by_hand, found.until_ms) == (mode, True, until_ms)
    assert found.why.fr == "Choisi à la main par tester."
    assert found.does.en in done.said.en
    shown = await house.store.read(lambda tx: status.status(tx, house.core, START_MS))
    assert shown.mode == mode
    assert (await present(house, until_ms)).mode == "normal"


async def test_an_end_is_seen_although_nobody_looked_since(house: House) -> None:
    told = orders.Told(mode=Mode.REVIEW, by_hand=True, until_ms=START_MS, since_ms=1, who="anna")
    plain = {
        "mode": "review",
        "by_hand": told.by_hand,
        "until_ms": told.until_ms,
        "since_ms": 1,
        "who": "anna",
        "cause": orders.BY_HAND,
    }
    row = {"channel": "", "key": "mode", "value": json.dumps(plain)}
    await house.store.write(lambda tx: tx.execute(tables.storage.insert(), row))
    found = await present(house, START_MS + 5)
    assert (found.mode, found.by_hand, found.since_ms) == ("normal", False, START_MS)
    assert "the rules decide again" in found.why.en


async def test_normal_without_an_end_takes_the_order_away(house: House) -> None:
    await house.act(modes.set_mode, Mode.REVIEW)
    await house.act(modes.set_mode, Mode.NORMAL)
    assert await house.store.read(events.controls) == {}
    await house.act(modes.set_mode, Mode.NORMAL, until_ms=START_MS + HOUR_MS)
    assert (await present(house)).by_hand


async def test_each_order_says_who_and_what(house: House) -> None:
    await house.act(modes.set_mode, Mode.TIGHT, until_ms=START_MS + HOUR_MS)
    (event,) = await house.rows(tables.events)
    assert json.loads(event["data"]) == {
        "act": "mode",
        "who": "tester",
        "mode": "tight",
        "until_ms": START_MS + HOUR_MS,
    }


def test_reasons_have_their_figures() -> None:
    topic = orders.Told(mode=Mode.TIGHT, cause=orders.TOPIC, senders=200, topical=60)
    assert modes.why(topic).en == ("30 % of 200 new senders in an hour write about one new thing.")
    money = orders.Told(mode=Mode.FREE_ONLY, cause=orders.MONEY, spent=0.996)
    assert modes.why(money).fr == "100 % de l'argent du jour est utilisé."
    assert modes.why(orders.Told(cause="of a later version")).en == "Nothing unusual is seen."

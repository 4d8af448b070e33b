"""The life of our own addresses: when one had better rest, until when one must be kept."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from bot import config
from bot.cli import owning
from bot.console import pool
from bot.console.room import announced
from bot.contract import bridge
from bot.store import tables
from tests.bot.cli.conftest import CONFIG, Place
from tests.bot.console import house as building
from tests.bot.console.house import BY_HAND, OURS, House

DAY_MS = 86_400_000
OLD = "+33639980009"


def enter(place: Place, *rows: tuple[str, str, str, int]) -> None:
    """Address, channel, state, for how many days."""

    def work(tx: sa.Connection) -> None:
        for value, channel, state, days in rows:
            since_ms = building.now_ms() - days * DAY_MS
            row = {"network": "sms", "value": value, "channel": channel, "state": state}
            tx.execute(sa.insert(tables.pool), row | {"since_ms": since_ms})

    async def fill(house: House) -> None:
        await house.store.write(work)

    place.fill(fill)


def warnings(place: Place) -> list[str]:
    told = place.json("check", "--offline")
    return [line for line in told["warnings"] if line.startswith("addresses: ")]


@pytest.mark.parametrize(
    ("state", "channel", "days", "said"),
    [
        ("offered", "sms", pool.OFFERED_DAYS - 1, None),
        ("offered", "sms", pool.OFFERED_DAYS + 1, "antirelou addresses rest"),
        ("answering", "sms", 4000, None),
        ("retired", "sms", pool.KEPT_DAYS - 1, None),
        ("retired", "gone", pool.KEPT_DAYS - 2, "keep the number paid until"),
        ("retired", "gone", pool.KEPT_DAYS + 1, "may be given back"),
    ],
)
def test_check_says_what_is_due(
    place: Place, state: str, channel: str, days: int, said: str | None
) -> None:
    enter(place, (OLD, channel, state, days))
    found = warnings(place)
    assert len(found) == (said is not None)
    assert all(OLD in line and said is not None and said in line for line in found)


def test_the_list_says_what_comes_and_when(place: Place) -> None:
    enter(place, (OURS, "sms", "offered", 0), (OLD, "sms", "retired", 0))
    shown = " ".join(place.run("addresses").stdout.split())
    assert "rest it" in shown
    assert "keep it" in shown
    place.run("addresses", "rest", OURS)
    assert "rest it" not in place.run("addresses").stdout


def test_offering_again_begins_anew(place: Place) -> None:
    enter(place, (OLD, "sms", "offered", 400))
    assert len(warnings(place)) == 1
    place.run("addresses", "rest", OLD)
    place.run("addresses", "offer", OLD)
    assert warnings(place) == []


def test_the_digest_tells_the_channel_and_never_the_address(place: Place) -> None:
    enter(place, (OLD, "sms", "offered", 200))

    async def told(house: House) -> str:
        voice = announced.Voice(core=BY_HAND, keys=house.keys, now_ms=building.now_ms())
        return str(await house.store.read(lambda tx: announced.digest(tx, voice)))

    card = place.fill(told)
    assert "proposée depuis six mois" in card
    assert "sms (antirelou addresses)" in card
    assert OLD not in card


def test_days_are_those_of_the_budgets_zone(place: Place) -> None:
    (place.folder / "config.toml").write_text(CONFIG + '[budget]\ntimezone = "Pacific/Auckland"\n')
    settings = config.load(place.folder / "config.toml")
    own = pool.Own(
        network="sms", value=OLD, channel="gone", state=bridge.State.RETIRED,
        since_ms=1_795_000_000_000,
    )  # fmt: skip
    (line,) = owning.warnings([own], settings, now_ms=own.since_ms)
    assert "until 2027-11-19" in line
    later = dataclasses.replace(own, state=bridge.State.ANSWERING)
    assert list(owning.warnings([later], settings, now_ms=own.since_ms)) == []

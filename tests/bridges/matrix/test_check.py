"""`antirelou check` and `antirelou setup` on a Matrix channel: what they say, what they change."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from bot.contract import bridge as contract
from bridges.matrix import session
from tests.bridges.matrix import people, world
from tests.peers import synapse

FAULT, WARNING = contract.Verdict.FAULT, contract.Verdict.WARNING


def bad(found: list[contract.Finding]) -> set[tuple[contract.Verdict, str]]:
    return {(one.verdict, one.about) for one in found if one.verdict is not contract.Verdict.GOOD}


def alone(server: synapse.Synapse, folder: Path, **more: object) -> world.Bot:
    """An account of ours that nobody has set up."""
    return world.Bot(
        server=server,
        folder=folder / "keys",
        user=server.register(f"bot-{secrets.token_hex(4)}", people.PASSWORD),
        roster={"@ada:localhost": "admin"},
        more=more,
    )


async def test_all_is_well_in_a_room_that_is_set_up(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, _room_id):
        made = bot.make()
        found = list(await made.check())
        assert bad(found) == set()
        assert {one.about for one in found} >= {"login", "device", "room"}
        said = str(found)
        assert ada.user not in said
        login = session.Folder(bot.folder).login()
        assert login is not None
        assert login.token not in said

        (bot.folder / session.STORE).unlink()
        assert (FAULT, "crypto store") in bad(list(await made.check()))
        login = session.Login(user=bot.user, device=login.device, token="wrong")
        session.Folder(bot.folder).keep_login(login)
        assert bad(list(await made.check())) == {(FAULT, "login")}


async def test_before_set_up_it_names_the_command(server: synapse.Synapse, tmp_path: Path) -> None:
    bot = alone(server, tmp_path)
    (one,) = await bot.make().check()
    assert one.mend == "run `antirelou setup moderators --apply`"
    bot.start()
    down = await bot.ended()
    assert isinstance(down, contract.BridgeDownError)
    assert down.needs_human is not None
    assert "antirelou setup moderators --apply" in down.needs_human


async def test_without_apply_set_up_changes_nothing(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    bot = alone(server, tmp_path)
    found = list(await bot.make().set_up(apply=False))
    assert [one.about for one in found] == ["recovery key", "login"]
    assert all("--apply" in one.mend for one in found)
    assert not bot.folder.exists()
    # Without a password it stops at the login, and says how to mend that.
    (last,) = [one for one in await bot.make().set_up(apply=True) if one.verdict is FAULT]
    assert last.about == "password"
    (bot.folder.parent / "password").write_text("wrong")
    (last,) = [one for one in await bot.make().set_up(apply=True) if one.verdict is FAULT]
    assert "refuses the password" in last.sentence


@pytest.mark.case("C25")
async def test_other_cross_signing_keys_are_replaced_with_the_password(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    bot = alone(server, tmp_path)
    element = people.Person(server, tmp_path, "", user=bot.user)
    try:
        await element.open()
    finally:
        await element.close()
    found = await bot.set_up()
    assert bad(found) == set()
    assert any("in place of those" in one.sentence for one in found)
    # The device that was signed by the old identity is signed no more; ours is.
    assert [one.about for one in await bot.set_up()] == ["login", "device"]


@pytest.mark.case("C16")
async def test_a_telling_profile_of_the_public_handle_is_warned_of(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    bot = alone(server, tmp_path, role="public")
    await bot.set_up()
    assert bad(list(await bot.make().check())) == set()
    person = people.Person(server, tmp_path, "", user=bot.user)
    try:
        await person.open(signed=False)
        await person.client.set_displayname("The Collective")
    finally:
        await person.close()
    assert (WARNING, "profile") in bad(list(await bot.make().check()))


async def test_nobody_at_the_address_is_a_finding_not_an_error(tmp_path: Path) -> None:
    bot = world.Bot(
        server=synapse.Synapse(url="http://127.0.0.1:9", database=tmp_path),
        folder=tmp_path / "keys",
        user="@bot:localhost",
        roster={"@ada:localhost": "admin"},
    )
    session.Folder(bot.folder).keep_login(session.Login(user=bot.user, device="D", token="t"))
    assert bad(list(await bot.make().check())) == {(FAULT, "homeserver")}
    assert bad(list(await bot.make().set_up(apply=False))) >= {(FAULT, "homeserver")}

"""What people do to the bot with other buttons: verify it, invite it, upgrade its room, delete."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from bot.contract import bridge as contract
from bot.contract import room
from bridges.matrix import bridge as matrix_bridge
from bridges.matrix import calls, verifying
from tests.bridges.matrix import people, world
from tests.peers import synapse


async def device_of(who: people.Person, user: str) -> str:
    (device,) = (await who.devices_of(user))["device_keys"][user]
    return str(device)


def cancelled(who: people.Person) -> list[str]:
    """The reasons of the cancellations that reached this person's device."""
    return [one["content"]["reason"] for one in who.direct if one["type"] == verifying.CANCEL]


@pytest.mark.case("C25")
async def test_a_wish_to_verify_us_is_refused_with_the_reason(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    eve = people.Person(server, tmp_path, "eve")
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        try:
            await eve.open()
            device = await device_of(ada, bot.user)
            for who, transaction in ((eve, "t0"), (ada, "t1")):
                content = {
                    "from_device": who.client.device_id,
                    "transaction_id": transaction,
                    "methods": ["m.sas.v1"],
                    "timestamp": 1,
                }
                body = {"messages": {bot.user: {device: content}}}
                target = calls.path("sendToDevice", verifying.REQUEST, secrets.token_hex(8))
                await who.raw("PUT", target, body)
            await ada.until(lambda: bool(cancelled(ada)))
            assert "cross-signed" in cancelled(ada)[0]
            (told,) = bot.door.of(room.Trouble)
            assert (told.snag, told.account) == (room.Snag.VERIFICATION, ada.user)
            # The same from within the room, as a client does it there.
            content = {
                "msgtype": verifying.REQUEST,
                "body": "wants to verify you",
                "from_device": ada.client.device_id,
                "methods": ["m.sas.v1"],
                "to": bot.user,
            }
            event_id = await ada.put(room_id, content)
            await ada.until(lambda: any(one.kind == verifying.CANCEL for one in ada.seen))
            (answer,) = [one for one in ada.seen if one.kind == verifying.CANCEL]
            assert answer.encrypted
            assert answer.content["m.relates_to"]["event_id"] == event_id
            # A stranger hears nothing: who is not on the roster does not learn that we live.
            await eve.sync()
            assert cancelled(eve) == []
            # And it is still the same machine.
            await ada.say(room_id, "!one")
            await bot.door.until(lambda: bot.door.commands() == ["!one"])
        finally:
            await eve.close()


@pytest.mark.case("C25")
async def test_an_invitation_elsewhere_is_said_where_we_are(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, _room_id):
        await ada.create(encrypted=False, invite=[bot.user], direct=True)
        await bot.door.until(lambda: room.Snag.ELSEWHERE in bot.door.snags())
        (told,) = bot.door.of(room.Trouble)
        assert (told.account, told.room_id) == (ada.user, bot.room_id)


@pytest.mark.case("C22", "C25")
async def test_an_upgraded_room_is_told_and_needs_the_operator(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        new = await ada.create(encrypted=True, invite=[bot.user])
        target = calls.path("rooms", room_id, "state", "m.room.tombstone", "")
        await ada.raw("PUT", target, {"body": "moved", "replacement_room": new})
        await bot.door.until(lambda: room.Snag.UPGRADED in bot.door.snags())
        told = next(one for one in bot.door.of(room.Trouble) if one.snag is room.Snag.UPGRADED)
        assert told.detail == new
        await needs_the_id(bot)
        await ada.sync()
        assert not world.is_joined(ada, new, bot.user)

        # After a restart it still says so; nothing was followed by itself.
        await bot.kill()
        bot.start()
        await ada.say(room_id, "!here")
        await bot.door.until(lambda: bot.door.commands() == ["!here"])
        await needs_the_id(bot)
        made = bot.make()
        assert isinstance(made, contract.ChecksItself)
        faults = [one for one in await made.check() if one.verdict is contract.Verdict.FAULT]
        assert any("replaced" in one.sentence for one in faults)
        await made.close()

        # The operator writes the new id: the invitation that stood there is enough.
        await bot.kill()
        bot.room_id = new
        bot.start()
        await ada.until(lambda: world.is_joined(ada, new, bot.user))
        await ada.say(new, "!there")
        await bot.door.until(lambda: "!there" in bot.door.commands())
        assert isinstance(bot.bridge, matrix_bridge.Moderators)
        assert (await bot.bridge.health()).condition is contract.Condition.UP


async def needs_the_id(bot: world.Bot) -> None:
    assert isinstance(bot.bridge, matrix_bridge.Moderators)
    health = await bot.bridge.health()
    assert health.condition is contract.Condition.NEEDS_HUMAN
    assert "channels.moderators.room" in health.detail


@pytest.mark.case("C22")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_a_deleted_command_is_handed_in_as_deleted(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    async with world.met(server, tmp_path, encrypted=encrypted) as (bot, ada, room_id):
        first = await ada.say(room_id, "!first")
        await bot.door.until(lambda: bot.door.commands() == ["!first"])
        await ada.client.room_redact(room_id, first)
        await bot.door.until(lambda: bool(bot.door.of(room.Withdrawn)))
        (gone,) = bot.door.of(room.Withdrawn)
        assert (gone.on, gone.by.member.account) == (first, ada.user)
        # Deleted while we were away, it is nothing any more.
        await bot.kill()
        second = await ada.say(room_id, "!second")
        await ada.client.room_redact(room_id, second)
        await ada.say(room_id, "!third")
        bot.start()
        await bot.door.until(lambda: "!third" in bot.door.commands())
        assert bot.door.commands() == ["!first", "!third"]
        assert bot.door.snags() == []

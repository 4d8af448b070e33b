"""The moderators' room against a real Synapse, with a second real client as the moderator."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from nio.crypto import attachments

from bot.contract import room
from bridges.matrix import calls
from tests.bridges.matrix import people, world
from tests.peers import synapse

PNG = bytes.fromhex("89504e470d0a1a0a") + b"a picture of nothing"


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_a_command_comes_in_and_an_answer_goes_out(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    async with world.met(server, tmp_path, encrypted=encrypted) as (bot, ada, room_id):
        asked = await ada.say(room_id, "!status")
        await bot.door.until(lambda: bot.door.commands() == ["!status"])
        (command,) = bot.door.of(room.Command)
        assert command.event_id == asked
        assert command.room_id == room_id
        member = command.by.member
        assert (member.account, member.joined) == (ada.user, True)
        assert member.power >= 100
        trust = room.Trust.OWN_DEVICE if encrypted else room.Trust.PLAIN
        assert command.by.trust is trust

        bot.door.put(
            world.said("all is well", room_id=room_id, answers=asked, lane=room.Lane.ANSWER)
        )
        await ada.until(lambda: "all is well" in ada.texts(bot.user))
        (answer,) = ada.messages(bot.user)
        assert answer.encrypted is encrypted
        assert answer.content["msgtype"] == "m.notice"
        assert answer.content["m.mentions"] == {}
        await bot.door.until(lambda: list(bot.door.said.values()) == [answer.event_id])
        assert bot.door.snags() == []


async def test_a_card_is_edited_and_a_chart_is_shown(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        card = world.said("flood: 10", "card-1", room_id=room_id, html="flood: <b>10</b>")
        bot.door.put(card)
        await ada.until(lambda: "flood: 10" in ada.texts(bot.user))
        (first,) = ada.messages(bot.user)
        bot.door.put(
            world.said(
                "flood: 20",
                "card-2",
                room_id=room_id,
                html="flood: <b>20</b>",
                replaces=first.event_id,
                reactions=("✅", "❌"),
            )
        )
        await ada.until(lambda: sum(one.kind == "m.reaction" for one in ada.seen) == 2)
        edit = ada.messages(bot.user)[-1]
        assert edit.content["m.relates_to"] == {
            "rel_type": "m.replace",
            "event_id": first.event_id,
        }
        assert edit.content["m.new_content"]["body"] == "flood: 20"
        assert edit.content["m.new_content"]["formatted_body"] == "flood: <b>20</b>"
        keys = [one.content["m.relates_to"]["key"] for one in ada.seen if one.kind == "m.reaction"]
        assert keys == ["✅", "❌"]

        picture = room.Image(png=PNG, name="week.png", width=1, height=1, alt="the week")
        bot.door.put(world.said("the week", "chart", room_id=room_id, image=picture))
        await ada.until(lambda: ada.messages(bot.user)[-1].content["msgtype"] == "m.image")
        shown = ada.messages(bot.user)[-1].content
        assert shown["body"] == "the week"
        assert shown["filename"] == "week.png"
        got = await ada.client.download(shown["file"]["url"])
        keys_ = shown["file"]
        clear = attachments.decrypt_attachment(
            got.body, keys_["key"]["k"], keys_["hashes"]["sha256"], keys_["iv"]
        )
        assert clear == PNG
        assert PNG not in got.body


@pytest.mark.case("C25")
async def test_nothing_readable_is_in_an_encrypted_room(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        for turn in range(3):
            out = world.said(f"canary {turn}", room_id=room_id, reactions=("✅",))
            bot.door.put(out)
            await bot.door.until(lambda number=turn: len(bot.door.said) > number)  # type: ignore[misc]
            await bot.kill()
            bot.start()
        await ada.until(lambda: len(ada.texts(bot.user)) == 3)
        held = [one for one in await ada.history(room_id) if one["sender"] == bot.user]
        assert "canary" not in json.dumps(held)
        kinds = {one["type"] for one in held}
        assert "m.room.encrypted" in kinds
        assert kinds <= {"m.room.encrypted", "m.room.member", "m.reaction"}


async def test_a_room_that_is_encrypted_a_moment_before_a_send_gets_no_plain_text(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id):
        await ada.say(room_id, "!one")
        await bot.door.until(lambda: bot.door.commands() == ["!one"])
        target = calls.path("rooms", room_id, "state", "m.room.encryption", "")
        await ada.raw("PUT", target, {"algorithm": "m.megolm.v1.aes-sha2"})
        # Whether our sync was there before the send or not.
        bot.door.put(world.said("canary", room_id=room_id))
        await ada.until(lambda: "canary" in ada.texts(bot.user))
        assert ada.messages(bot.user)[-1].encrypted
        assert "canary" not in json.dumps(await ada.history(room_id))


@pytest.mark.case("C22")
async def test_what_only_looks_like_a_command_is_handed_in_as_refused(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        first = await ada.say(room_id, "hello")
        await ada.say(
            room_id,
            "* !pause",
            **{
                "m.new_content": {"msgtype": "m.text", "body": "!pause"},
                "m.relates_to": {"rel_type": "m.replace", "event_id": first},
            },
        )
        await ada.put(room_id, {"msgtype": "m.notice", "body": "!pause"})
        quoting = {"m.relates_to": {"m.in_reply_to": {"event_id": first}}}
        await ada.say(room_id, "> <@x:y> !pause\n\nwhat is this?", **quoting)
        await ada.say(room_id, "> <@x:y> hello\n\n!resume", **quoting)
        target = calls.path("rooms", room_id, "send", "m.room.message", "raw-1")
        await ada.raw("PUT", target, {"msgtype": "m.text", "body": "!pause"})
        other = await ada.create(encrypted=False, invite=[bot.user])
        await ada.say(room_id, "!last")
        await bot.door.until(lambda: "!last" in bot.door.commands())

        assert bot.door.commands() == ["!resume", "!last"]
        why = [one.why for one in bot.door.of(room.Refused)]
        assert why == [room.Why.EDIT, room.Why.NOTICE, room.Why.PLAIN_IN_ENCRYPTED]
        asked = [(one.room_id, one.accepted) for one in bot.door.of(room.Invited)]
        assert asked[-1] == (other, False)
        assert not world.is_joined(ada, other, bot.user)


@pytest.mark.case("C22")
async def test_reactions_members_and_levels_come_as_they_are_at_that_moment(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    bea = people.Person(server, tmp_path, "bea")
    async with world.met(server, tmp_path, encrypted=False) as (bot, ada, room_id):
        try:
            await bea.open()
            await ada.client.room_invite(room_id, bea.user)
            await bea.join(room_id)
            out = world.said("let them go?", room_id=room_id)
            bot.door.put(out)
            await bot.door.until(lambda: out.id in bot.door.said)
            prompt = bot.door.said[out.id]
            await bea.react(room_id, prompt, "✅")
            levels = calls.path("rooms", room_id, "state", "m.room.power_levels", "")
            await ada.raw("PUT", levels, {"users": {bea.user: 50}})
            await bea.say(room_id, "!status")
            await ada.client.room_kick(room_id, bea.user)
            await bot.door.until(
                lambda: any(
                    one.member == room.Member(account=bea.user, joined=False, power=50)
                    for one in bot.door.of(room.Changed)
                )
            )
            (reaction,) = bot.door.of(room.Reaction)
            assert (reaction.on, reaction.key) == (prompt, "✅")
            assert reaction.by.member == room.Member(account=bea.user, joined=True, power=0)
            (command,) = bot.door.of(room.Command)
            assert command.by.member.power == 50
            assert bot.bridge is not None
            assert isinstance(bot.bridge, room.HostsModerators)
            now = await bot.bridge.members(room_id)
            assert bea.user not in now
            assert now[ada.user].joined
            assert now[ada.user].power > 100
        finally:
            await bea.close()


async def test_only_the_roster_may_ask_us_into_the_room(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    eve = people.Person(server, tmp_path, "eve")
    bot = world.Bot(
        server=server,
        folder=tmp_path / "keys",
        user=server.register(f"bot-{secrets.token_hex(4)}", people.PASSWORD),
        roster={"@ada:localhost": "admin"},
    )
    try:
        await eve.open(signed=False)
        bot.room_id = await eve.create(encrypted=False, invite=[bot.user])
        await bot.set_up()
        bot.start()
        await bot.door.until(lambda: bool(bot.door.of(room.Invited)))
        (asked,) = bot.door.of(room.Invited)
        assert (asked.account, asked.accepted) == (eve.user, False)
        await eve.sync()
        assert not world.is_joined(eve, bot.room_id, bot.user)
    finally:
        await bot.kill()
        await eve.close()

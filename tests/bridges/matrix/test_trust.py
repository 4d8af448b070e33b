"""Whose devices are whose: ours is cross-signed, others' must be, and losses are said (C25)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import vodozemac
from nio.api import Api

from bot.contract import bridge as contract
from bot.contract import room
from bridges.matrix import calls, late, session, trust
from tests.bridges.matrix import people, test_faults, world
from tests.peers import synapse


def signed_by(thing: dict[str, Any], user: str, key: str) -> bool:
    """A check of a signature that shares no line with ours: vodozemac over nio's canonical JSON."""
    plain = {k: v for k, v in thing.items() if k not in {"signatures", "unsigned"}}
    told = thing.get("signatures", {}).get(user, {}).get(f"ed25519:{key}")
    if told is None:
        return False
    public = vodozemac.Ed25519PublicKey.from_base64(key)
    message = Api.to_canonical_json(plain).encode()
    public.verify_signature(message, vodozemac.Ed25519Signature.from_base64(told))
    return True


def only_key(thing: dict[str, Any]) -> str:
    (key,) = thing["keys"].values()
    return str(key)


@pytest.mark.case("C25")
async def test_our_device_is_cross_signed_as_another_client_sees_it(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, _room_id):
        told = await ada.devices_of(bot.user)
        master = told["master_keys"][bot.user]
        own = told["self_signing_keys"][bot.user]
        (device,) = told["device_keys"][bot.user].values()
        assert signed_by(own, bot.user, only_key(master))
        assert signed_by(device, bot.user, only_key(own))
        login = session.Folder(bot.folder).login()
        assert login is not None
        assert device["device_id"] == login.device

        # Not while the program runs: two on one crypto store would destroy it.
        (busy,) = await bot.set_up()
        assert (busy.verdict, busy.about) == (contract.Verdict.FAULT, "folder")
        twin = world.Bot(
            server=server,
            folder=bot.folder,
            user=bot.user,
            room_id=bot.room_id,
            roster=bot.roster,
        )
        twin.start()
        assert "another program" in str(await twin.ended())
        await bot.kill()
        # Set-up again changes nothing; a restart keeps the device.
        found = await bot.set_up()
        assert [one.about for one in found] == ["login", "device"]
        bot.start()
        await ada.say(bot.room_id, "!still")
        await bot.door.until(lambda: bot.door.commands() == ["!still"])
        assert (await ada.devices_of(bot.user))["device_keys"] == told["device_keys"]
        assert bot.door.snags() == []


@pytest.mark.case("C25")
async def test_an_unsigned_device_is_neither_obeyed_nor_given_keys(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        await ada.say(room_id, "!one")
        await bot.door.until(lambda: bot.door.commands() == ["!one"])
        thief = people.Person(server, tmp_path, "ada", user=ada.user)
        try:
            await thief.open(signed=False)
            await thief.say(room_id, "!two")
            await bot.door.until(lambda: bot.door.commands() == ["!one", "!two"])
            last = bot.door.of(room.Command)[-1]
            assert last.by.trust is room.Trust.UNKNOWN_DEVICE
            (trouble,) = bot.door.of(room.Trouble)
            assert trouble.snag is room.Snag.UNSIGNED_DEVICE
            assert (trouble.account, trouble.device) == (ada.user, thief.client.device_id)

            out = world.said("for signed eyes", room_id=room_id)
            bot.door.put(out)
            await ada.until(lambda: "for signed eyes" in ada.texts(bot.user))
            event_id = bot.door.said[out.id]
            await thief.until(lambda: any(one.event_id == event_id for one in thief.seen))
            assert thief.texts(bot.user) == []

            # Its owner signs it: from then on it is one of hers.
            thief.keys = ada.keys
            await thief.sign(publish=False)
            await thief.say(room_id, "!three")
            await bot.door.until(lambda: "!three" in bot.door.commands())
            assert bot.door.of(room.Command)[-1].by.trust is room.Trust.OWN_DEVICE
            out = world.said("for both", room_id=room_id)
            bot.door.put(out)
            await thief.until(lambda: "for both" in thief.texts(bot.user))
        finally:
            await thief.close()


@pytest.mark.case("C25")
async def test_a_new_signed_device_is_told_of_and_obeyed(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        await ada.say(room_id, "!one")
        await bot.door.until(lambda: bot.door.commands() == ["!one"])
        tablet = people.Person(server, tmp_path, "ada", user=ada.user)
        tablet.keys = ada.keys
        try:
            await tablet.open(signed=False)
            await tablet.sign(publish=False)
            await tablet.say(room_id, "!two")
            await bot.door.until(lambda: "!two" in bot.door.commands())
            assert bot.door.of(room.Command)[-1].by.trust is room.Trust.OWN_DEVICE
            await bot.door.until(lambda: room.Snag.NEW_DEVICE in bot.door.snags())
        finally:
            await tablet.close()


@pytest.mark.case("C25")
async def test_another_identity_is_nobody_until_a_human_takes_it(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        await ada.say(room_id, "!one")
        await bot.door.until(lambda: bot.door.commands() == ["!one"])
        assert bot.door.of(room.Command)[-1].by.trust is room.Trust.OWN_DEVICE
        # As somebody would who has her password, or her homeserver.
        pinned = bot.storage.values[trust.pin_of(ada.user)]
        ada.keys = people.fresh_keys()
        await ada.sign()
        await ada.say(room_id, "!two")
        await bot.door.until(lambda: "!two" in bot.door.commands())
        assert bot.door.of(room.Command)[-1].by.trust is room.Trust.UNKNOWN_DEVICE
        assert room.Snag.IDENTITY_CHANGED in bot.door.snags()
        assert bot.storage.values[trust.pin_of(ada.user)] == pinned

        await bot.kill()
        made = bot.make()
        shown = await made.set_up(apply=False)
        assert [one.about for one in shown if one.verdict is not contract.Verdict.GOOD] == [
            "moderator"
        ]
        assert bot.storage.values[trust.pin_of(ada.user)] == pinned
        await bot.set_up()
        assert bot.storage.values[trust.pin_of(ada.user)] != pinned
        bot.start()
        await ada.say(room_id, "!three")
        await bot.door.until(lambda: "!three" in bot.door.commands())
        assert bot.door.of(room.Command)[-1].by.trust is room.Trust.OWN_DEVICE


@pytest.mark.case("C25")
@pytest.mark.parametrize("how", ["gone", "another's"])
async def test_a_lost_store_stops_for_a_human_and_set_up_mends_it(
    server: synapse.Synapse, tmp_path: Path, how: str
) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        bot.door.put(world.said("before", room_id=room_id))
        await ada.until(lambda: ada.texts(bot.user) == ["before"])
        await bot.kill()
        (bot.folder / session.STORE).unlink()
        if how == "another's":
            bot.start()
            await bot.ended()
            shutil.copy(bot.folder / session.STORE, tmp_path / "other")
        bot.door.put(world.said("after", room_id=room_id))
        bot.start()
        down = await bot.ended()
        assert isinstance(down, contract.BridgeDownError)
        assert down.needs_human is not None
        assert "crypto store is lost" in down.needs_human
        assert "setup moderators --apply" in down.needs_human

        found = await bot.set_up()
        assert all(one.verdict is contract.Verdict.GOOD for one in found)
        bot.start()
        await ada.until(lambda: "after" in ada.texts(bot.user))
        assert room.Snag.STORE_LOST in bot.door.snags()
        await ada.say(room_id, "!again")
        await bot.door.until(lambda: "!again" in bot.door.commands())
        login = session.Folder(bot.folder).login()
        assert login is not None
        told = await ada.devices_of(bot.user)
        own = only_key(told["self_signing_keys"][bot.user])
        assert signed_by(told["device_keys"][bot.user][login.device], bot.user, own)


@pytest.mark.case("C25")
async def test_a_command_that_cannot_be_read_is_told_of(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    quick = test_faults.QuickClock()
    async with world.met(server, tmp_path, encrypted=True, clock=quick) as (bot, ada, room_id):
        await ada.say(room_id, "!one")
        await bot.door.until(lambda: bot.door.commands() == ["!one"])
        # She shares her next key with nobody but herself.
        ada.client.invalidate_outbound_session(room_id)
        other = vodozemac.GroupSession()
        content = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "sender_key": ada.client.olm.account.identity_keys["curve25519"],
            "session_id": other.session_id,
            "device_id": ada.client.device_id,
            "ciphertext": other.encrypt(b"{}").to_base64(),
        }
        target = calls.path("rooms", room_id, "send", "m.room.encrypted", "sealed")
        await ada.raw("PUT", target, content)
        await bot.door.until(lambda: late.KEY in bot.storage.values)
        await ada.say(room_id, "!two")
        await bot.door.until(lambda: "!two" in bot.door.commands())
        assert bot.door.snags() == []
        quick.ahead_s += late.PATIENCE_MS / 1000 + 1
        await ada.say(room_id, "!three")
        await bot.door.until(lambda: "!three" in bot.door.commands())
        (trouble,) = bot.door.of(room.Trouble)
        assert (trouble.snag, trouble.account) == (room.Snag.UNREADABLE, ada.user)
        assert late.KEY not in bot.storage.values


def envelopes(curve: str) -> list[dict[str, Any]]:
    """Messages to our device that are none, each in another way."""
    olm = "m.olm.v1.curve25519-aes-sha2"
    junk: list[object] = [
        None,
        [],
        {curve: None},
        {curve: {"type": 0, "body": "not base64 \x00"}},
        {curve: {"type": 0, "body": "AAAA"}},
        {curve: {"type": 1, "body": ""}},
        {curve: {"type": 7, "body": "AAAA"}},
        {curve: {"type": "0", "body": 3}},
    ]
    found: list[dict[str, Any]] = [
        {"algorithm": olm, "sender_key": "x", "ciphertext": one} for one in junk
    ]
    return [*found, {"algorithm": olm}, {"algorithm": 3}, {}]


@pytest.mark.case("C25")
async def test_torn_and_hostile_events_end_nothing(server: synapse.Synapse, tmp_path: Path) -> None:
    async with world.met(server, tmp_path, encrypted=True) as (bot, ada, room_id):
        bad: list[tuple[str, dict[str, Any]]] = [
            ("m.room.encrypted", {"algorithm": "m.megolm.v1.aes-sha2"}),
            ("m.room.encrypted", {"algorithm": 1, "sender_key": [], "ciphertext": {}}),
            (
                "m.room.encrypted",
                {
                    "algorithm": "m.megolm.v1.aes-sha2",
                    "sender_key": "x",
                    "session_id": "y",
                    "device_id": "z",
                    "ciphertext": "not base64 \x00",
                },
            ),
            ("m.room.message", {"msgtype": "m.unheard-of", "body": "!x"}),
            ("m.room.message", {"msgtype": "m.text", "body": "!x", "m.relates_to": "no"}),
            ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": 1}}),
            ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "key": ""}}),
        ]
        for place, (kind, content) in enumerate(bad):
            target = calls.path("rooms", room_id, "send", kind, f"bad-{place}")
            await ada.raw("PUT", target, content)
        (device,) = (await ada.devices_of(bot.user))["device_keys"][bot.user].values()
        curve = device["keys"][f"curve25519:{device['device_id']}"]
        for place, content in enumerate(envelopes(curve)):
            target = calls.path("sendToDevice", "m.room.encrypted", f"bad-{place}")
            body = {"messages": {bot.user: {device["device_id"]: content}}}
            await ada.raw("PUT", target, body)
        # With a new key, which comes in the same answer as the rest of what she made up.
        ada.client.invalidate_outbound_session(room_id)
        await bot.kill()
        for place, content in enumerate(envelopes(curve)):
            target = calls.path("sendToDevice", "m.room.encrypted", f"worse-{place}")
            body = {"messages": {bot.user: {device["device_id"]: content}}}
            await ada.raw("PUT", target, body)
        await ada.say(room_id, "!still here")
        bot.start()
        await bot.door.until(lambda: "!still here" in bot.door.commands())
        assert bot.bridge is not None
        assert isinstance(bot.bridge, contract.ReportsHealth)
        health = await bot.bridge.health()
        assert health.condition is contract.Condition.UP
        assert "skipped what a client made up" in health.detail
        assert bot.door.commands() == ["!still here"]
        assert bot.door.of(room.Reaction) == []
        why = [one.why for one in bot.door.of(room.Refused)]
        plain = [room.Why.NOTICE, room.Why.PLAIN_IN_ENCRYPTED]
        assert why == [room.Why.TORN, room.Why.TORN, *plain]

"""The public handle against a real Synapse: silence, then one join, then one reply (C16)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.contract import address, conformance, messages, outcomes
from bot.contract import bridge as contract
from bridges.matrix import invites, wire
from tests.bridges.matrix import people, world
from tests.peers import matrix_proxy, synapse


class Door(conformance.FakeIntake):
    """An intake that can be waited for."""

    async def until(self, who: people.Person, number: int) -> None:
        """Until so many contacts came in; the person's client goes on meanwhile."""
        await who.until(lambda: len(self.accepted) >= number)

    def texts(self) -> list[tuple[str, str]]:
        return [(one.kind.value, one.text) for one in self.stored.values()]


@contextlib.asynccontextmanager
async def written_to(
    server: synapse.Synapse, folder: Path, **more: object
) -> AsyncIterator[tuple[world.Bot, people.Person, Door]]:
    """A stranger, and our handle listening; they have not met."""
    him = people.Person(server, folder, "him")
    bot = world.Bot(
        server=server,
        folder=folder / "keys",
        user=server.register(f"h-{secrets.token_hex(4)}", people.PASSWORD),
        clock=conformance.FakeClock(),
        more={"role": "public", **more},
    )
    try:
        await him.open(signed=False)
        found = await bot.set_up()
        assert all(one.verdict is contract.Verdict.GOOD for one in found), found
        door = Door()
        bot.start(door)
        yield bot, him, door
    finally:
        await bot.kill()
        await him.close()


async def look(bot: world.Bot, him: people.Person, times: int = 1) -> None:
    """Minutes pass for our bridge, and he looks at his phone."""
    assert isinstance(bot.clock, conformance.FakeClock)
    for _ in range(times):
        await bot.clock.advance(60)
        await him.sync(wait_ms=50)


async def passing(bot: world.Bot, him: people.Person, holds: Callable[[], bool]) -> None:
    """Let time pass until it holds; TimeoutError if it never does."""
    async with asyncio.timeout(people.WITHIN_S):
        while not holds():
            await look(bot, him)


def reply_to(bot: world.Bot, him: people.Person, number: int = 1) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=f"{number:032x}",
        channel=world.CHANNEL,
        sender=address.Address("matrix", bot.user),
        recipient=address.Address("matrix", him.user),
        text="Bonjour.",
        valid_until=bot.clock.now() + dt.timedelta(hours=1),
    )


@pytest.mark.case("C16")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_silence_until_the_reply_is_due_then_read_then_one_reply(
    server: synapse.Synapse, tmp_path: Path, encrypted: bool
) -> None:
    async with written_to(server, tmp_path) as (bot, him, door):
        room_id = await him.create(encrypted=encrypted, invite=[bot.user], direct=True)
        await him.say(room_id, "coucou")
        await door.until(him, 1)
        (contact,) = door.accepted
        assert contact.kind is messages.Kind.ATTACHMENT
        assert contact.text == ""
        assert contact.sender == address.Address("matrix", him.user)
        assert contact.recipient == address.Address("matrix", bot.user)

        # The delay is not over: nothing of ours is to be seen, however often we look.
        assert not world.is_joined(him, room_id, bot.user)
        assert [one for one in him.seen if one.sender == bot.user] == []

        # The core says that it is time: we go in first, and read.
        assert bot.bridge is not None
        first = await bot.bridge.send(reply_to(bot, him))
        assert isinstance(first, outcomes.NotNow)
        assert first.reason == "reading first"
        await door.until(him, 2)
        # Encrypted, his client gave us no key when we were not yet in: a contact without words.
        assert door.texts()[-1] in {("text", "coucou"), ("attachment", "")}

        second = await bot.bridge.send(reply_to(bot, him))
        assert isinstance(second, outcomes.Accepted)
        third = await bot.bridge.send(reply_to(bot, him))
        assert third == second
        await him.say(room_id, "STOP")
        await him.until(lambda: ("text", "STOP") in door.texts())
        assert him.texts(bot.user) == ["Bonjour."]
        assert him.messages(bot.user)[0].encrypted is encrypted
        kinds = {one.kind for one in him.seen if one.sender == bot.user}
        assert kinds <= {"m.room.member", "m.room.message"}


@pytest.mark.case("C16")
async def test_an_invitation_is_followed_after_the_delay_and_survives_a_restart(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with written_to(server, tmp_path) as (bot, him, door):
        room_id = await him.create(encrypted=False, invite=[bot.user], direct=True)
        await door.until(him, 1)
        await bot.kill()
        assert him.user not in str(bot.storage.values)
        assert room_id in bot.storage.values[invites.KEY]
        bot.start(door)
        await look(bot, him, 20)
        assert not world.is_joined(him, room_id, bot.user)
        door.long_known.add(address.Address("matrix", him.user))
        await passing(bot, him, lambda: world.is_joined(him, room_id, bot.user))
        await him.say(room_id, "coucou")
        await him.until(lambda: ("text", "coucou") in door.texts())
        assert len(door.stored) == 2


@pytest.mark.case("C16")
async def test_before_the_delay_we_ask_and_never_tell(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    proxy = matrix_proxy.Proxy(server.url)
    async with proxy.running(), written_to(server, tmp_path) as (bot, him, door):
        await bot.kill()
        bot.url = proxy.url
        bot.start(door)
        room_id = await him.create(encrypted=True, invite=[bot.user], direct=True)
        await him.say(room_id, "coucou")
        await door.until(him, 1)
        await look(bot, him, 10)
        told = {path.removeprefix("/_matrix/client/v3/") for _, path in proxy.seen}
        # What he could see would be a join, a receipt, a typing sign, a presence, a profile.
        assert {"sync", "keys/query"} <= told <= {"sync", "keys/query", "keys/upload"}


async def test_invitations_are_followed_at_a_bounded_rate(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with written_to(server, tmp_path, joins_per_hour=2) as (bot, him, door):
        rooms = [
            await him.create(encrypted=False, invite=[bot.user], direct=True) for _ in range(4)
        ]
        await door.until(him, 4)
        door.long_known.add(address.Address("matrix", him.user))

        def joined() -> int:
            return sum(world.is_joined(him, one, bot.user) for one in rooms)

        await passing(bot, him, lambda: joined() == 2)
        await look(bot, him, 30)
        assert joined() == 2
        await passing(bot, him, lambda: joined() == 4)


async def test_a_room_of_many_is_left_and_a_public_one_never_joined(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    crowd = people.Person(server, tmp_path, "crowd")
    async with written_to(server, tmp_path) as (bot, him, door):
        try:
            await crowd.open(signed=False)
            made = await him.client.room_create(invite=[bot.user], preset=people.PUBLIC)
            room_id = await him.create(encrypted=False, invite=[bot.user, crowd.user])
            await door.until(him, 1)
            assert bot.bridge is not None
            await bot.bridge.send(reply_to(bot, him))
            await crowd.join(room_id)
            await crowd.say(room_id, "look at this")
            await passing(bot, him, lambda: bot.user not in him.client.rooms[room_id].users)
            assert not world.is_joined(him, made.room_id, bot.user)
            assert ("text", "look at this") not in door.texts()
            outcome = await bot.bridge.send(reply_to(bot, him))
            assert isinstance(outcome, outcomes.Rejected)
        finally:
            await crowd.close()


async def test_nobody_is_written_to_who_did_not_write(
    server: synapse.Synapse, tmp_path: Path
) -> None:
    async with written_to(server, tmp_path) as (bot, him, door):
        room_id = await him.create(encrypted=False, invite=[bot.user], direct=True)
        await door.until(him, 1)
        assert bot.bridge is not None
        other = messages.OutboundReply(
            reply_id="f" * 32,
            channel=world.CHANNEL,
            sender=address.Address("matrix", bot.user),
            recipient=address.Address("matrix", "@nobody:localhost"),
            text="Bonjour.",
            valid_until=bot.clock.now() + dt.timedelta(hours=1),
        )
        assert await bot.bridge.send(other) == outcomes.Rejected(reason="no room with him")
        assert not world.is_joined(him, room_id, bot.user)
        assert bot.bridge.quote(other.recipient, "x" * 40_000) is None
        assert not bot.bridge.reaches(address.Address("matrix", bot.user))
        assert wire.is_mxid(him.user)

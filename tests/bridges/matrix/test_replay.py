"""The homeserver sends an encrypted command again, before and after restarts (C22, C24).

Two nio machines and no homeserver: Ada's encrypts, ours reads what "the homeserver" says it is.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from nio.crypto import OlmDevice

from bot.contract import address, bridge, conformance, room
from bridges.matrix import (
    calls,
    crypto,
    invites,
    late,
    moderators,
    replays,
    sending,
    session,
    sync,
    wire,
)
from tests.bridges.matrix import world

ROOM = "!mods:example.org"
ADA = "@ada:example.org"
BOT = "@bot:example.org"
DEVICE = "ADADEVICE"
NOON_MS = 1_767_614_400_000
LATER_MS = NOON_MS + 7_200_000


def machine(folder: Path, user: str, device: str) -> crypto.Crypto:
    folder.mkdir(exist_ok=True)
    login = session.Login(user=user, device=device, token="t")
    return crypto.Crypto(calls.Homeserver(""), login, session.Folder(folder))


class Rig:
    """Ada, who speaks; our machine, which can be killed; the core's door, which outlives it."""

    def __init__(self, tmp_path: Path, *, shared: bool = True) -> None:
        self._folder = tmp_path / "bot"
        self.ada = machine(tmp_path / "ada", ADA, DEVICE)
        self.ada.olm.create_outbound_group_session(ROOM)
        self._session = self.ada.olm.outbound_group_sessions[ROOM]
        self._session.shared = True
        # As it was when the key was given away: from the first message on.
        self._key = self._session.session_key
        self.bot = machine(self._folder, BOT, "BOTDEVICE")
        self.storage, self._clock = conformance.FakeStorage(), conformance.FakeClock()
        self.door = world.RoomDoor()
        if shared:
            self.share()
        self._know_ada()
        self._syncs = 0

    def share(self) -> None:
        keys = self.ada.olm.account.identity_keys
        self.bot.olm.create_group_session(
            keys["curve25519"], keys["ed25519"], ROOM, self._session.id, self._key
        )

    def _know_ada(self) -> None:
        keys = self.ada.olm.account.identity_keys
        told = {"curve25519": keys["curve25519"], "ed25519": keys["ed25519"]}
        device = OlmDevice(ADA, DEVICE, told)
        self.bot.olm.device_store.add(device)
        self.bot.olm.store.save_device_keys({ADA: {DEVICE: device}})
        self.bot.client.verify_device(self.bot.olm.device_store[ADA][DEVICE])

    def close(self) -> None:
        self.bot.close()
        self.ada.close()

    def restart(self) -> None:
        self.bot.close()
        self.bot = machine(self._folder, BOT, "BOTDEVICE")

    def sealed(self, body: str) -> dict[str, Any]:
        said = {"type": wire.MESSAGE, "content": {"msgtype": "m.text", "body": body}}
        return dict(self.ada.olm.group_encrypt(ROOM, said))

    def hear(self, content: dict[str, Any], event_id: str, at_ms: int = NOON_MS) -> wire.Heard:
        return self.bot.hear(event(content, event_id, at_ms), ROOM)

    async def take(self, *heard: wire.Heard) -> None:
        """One sync with these, handed to the core's door by a fresh `Taker`."""
        context = bridge.Context(
            channel="mods", clock=self._clock, storage=self.storage, currency="EUR"
        )
        taker = moderators.Taker(
            context=context,
            door=self.door,
            own=BOT,
            room_id=ROOM,
            roster={ADA: room.Role.ADMIN},
            keys=self.bot,
            voice=sending.Voice(calls.Homeserver(""), self.bot),
            joins=invites.Joins(self.storage, self._clock, 1),
        )
        await taker.load()
        self._syncs += 1
        told = sync.RoomNews(room_id=ROOM, state=state(), heard=heard)
        await taker.take(sync.News(cursor=f"s{self._syncs}", since="s0", full=True, rooms=(told,)))

    def refused(self) -> list[tuple[str, room.Why]]:
        taken = self.door.taken.values()
        return [(one.event_id, one.why) for one in taken if isinstance(one, room.Refused)]


def event(content: dict[str, Any], event_id: str, at_ms: int = NOON_MS) -> dict[str, Any]:
    return {
        "type": wire.ENCRYPTED,
        "event_id": event_id,
        "sender": ADA,
        "origin_server_ts": at_ms,
        "room_id": ROOM,
        "content": dict(content),
    }


def state() -> tuple[dict[str, Any], ...]:
    told = [("m.room.member", one, {"membership": "join"}) for one in (ADA, BOT)]
    told.append(("m.room.encryption", "", {"algorithm": "m.megolm.v1.aes-sha2"}))
    return tuple(
        {
            "type": kind,
            "state_key": key,
            "sender": ADA,
            "event_id": f"$state{number}",
            "origin_server_ts": NOON_MS,
            "content": content,
        }
        for number, (kind, key, content) in enumerate(told)
    )


@pytest.mark.case("C22", "C24")
@pytest.mark.parametrize("restarts", [0, 1, 2])
async def test_an_encrypted_command_sent_again_under_another_name_is_refused(
    tmp_path: Path, restarts: int
) -> None:
    rig = Rig(tmp_path)
    resume = rig.sealed("!resume")
    await rig.take(rig.hear(resume, "$real"))
    assert rig.door.commands() == ["!resume"]
    for _ in range(restarts):
        rig.restart()
    await rig.take(rig.hear(resume, "$forged", LATER_MS))
    assert rig.door.commands() == ["!resume"]
    assert rig.refused() == [("$forged", room.Why.REPLAYED)]
    # At once, not as a key that may still come.
    assert rig.door.snags() == []
    # The session itself goes on.
    await rig.take(rig.hear(rig.sealed("!status"), "$next", LATER_MS))
    assert rig.door.commands() == ["!resume", "!status"]
    rig.close()


@pytest.mark.case("C24")
async def test_a_kill_before_the_command_was_handed_in_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    resume = rig.sealed("!resume")
    assert rig.hear(resume, "$real").readable
    rig.restart()
    # The homeserver may try its own name first: the number is the real event's already.
    await rig.take(rig.hear(resume, "$forged", LATER_MS), rig.hear(resume, "$real"))
    assert rig.door.commands() == ["!resume"]
    assert rig.door.taken["$real"].at == dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    assert rig.refused() == [("$forged", room.Why.REPLAYED)]
    rig.close()


@pytest.mark.case("C24")
async def test_it_is_written_where_nio_reads_the_sync_already(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    resume = rig.sealed("!resume")
    timeline = {"events": [event(resume, "$real")], "limited": False, "prev_batch": "s0"}
    room_told = {
        "timeline": timeline,
        "state": {"events": list(state())},
        "ephemeral": {"events": []},
        "account_data": {"events": []},
    }
    rig.bot.take({"next_batch": "s1", "rooms": {"join": {ROOM: room_told}}})
    assert rig.bot.stumbled == ""
    rig.restart()
    assert rig.hear(resume, "$forged", LATER_MS).replayed
    assert rig.hear(resume, "$real").readable
    rig.close()


@pytest.mark.case("C22")
async def test_the_same_event_at_another_time_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    resume = rig.sealed("!resume")
    assert rig.hear(resume, "$real").readable
    rig.restart()
    again = rig.hear(resume, "$real", LATER_MS)
    assert (again.readable, again.replayed) == (False, True)
    assert rig.hear(resume, "$real").readable
    rig.close()


@pytest.mark.case("C22", "C24")
async def test_a_key_that_comes_late_opens_each_message_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, shared=False)
    resume = rig.sealed("!resume")
    waits = (rig.hear(resume, "$real"), rig.hear(resume, "$forged", LATER_MS))
    assert not any(one.readable or one.replayed for one in waits)
    await rig.take(*waits)
    assert (rig.door.commands(), rig.refused()) == ([], [])
    rig.share()
    rig.restart()
    await rig.take()
    assert rig.door.commands() == ["!resume"]
    assert rig.refused() == [("$forged", room.Why.REPLAYED)]
    rig.close()


@pytest.mark.case("C22")
async def test_what_was_forgotten_is_refused_and_its_session_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    database = rig.bot.olm.store.database
    said = [rig.sealed(f"!{number}") for number in range(6)]
    for number in (1, 3, 4):
        assert rig.hear(said[number], f"${number}").readable
    replays.Memory(database, most=2)
    count = "SELECT count(*) FROM antirelou_heard"
    assert database.execute_sql(count).fetchone() == (2,)
    rig.restart()
    # Before what was dropped; dropped, whoever says so; never seen; kept.
    assert rig.hear(said[0], "$0").replayed
    assert rig.hear(said[1], "$forged").replayed
    assert rig.hear(said[1], "$1").replayed
    assert rig.hear(said[2], "$2").readable
    assert rig.hear(said[3], "$forged").replayed
    assert rig.hear(said[3], "$3").readable
    assert rig.hear(said[5], "$5").readable
    # Again, over what is forgotten already: the mark only rises.
    replays.Memory(rig.bot.olm.store.database, most=1)
    assert [rig.hear(one, "$forged").replayed for one in said] == [True] * 6
    assert rig.hear(rig.sealed("!new"), "$new").readable
    rig.close()


@pytest.mark.case("C24")
async def test_a_flood_of_repeats_pushes_out_nothing_that_waits_for_its_key(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    resume = rig.sealed("!resume")
    waiting = rig.hear({**resume, "session_id": "not ours yet"}, "$waiting")
    flood = [rig.hear(resume, f"${number}", LATER_MS + number) for number in range(late.MOST + 1)]
    await rig.take(waiting, *flood)
    assert len(rig.refused()) == late.MOST
    kept = late.Late(rig.storage, conformance.FakeClock())
    await kept.load()
    found = kept.now_readable(lambda raw, _room: wire.Heard(event=raw))
    assert [heard.event["event_id"] for _room, heard in found] == ["$waiting"]
    rig.close()


async def test_the_memory_is_bounded_while_it_runs(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    database = rig.bot.olm.store.database
    memory = replays.Memory(database, most=100)
    with database.atomic():
        for place in range(3 * replays.PRUNED_EVERY):
            memory["key", f"session {place % 3}", place] = ("$1", place)
    (rows,) = database.execute_sql("SELECT count(*) FROM antirelou_heard").fetchone()
    (marks,) = database.execute_sql("SELECT count(*) FROM antirelou_forgotten").fetchone()
    assert (rows, marks) == (100, 3)
    assert memory["key", "session 0", 0] != ("$1", 0)
    with pytest.raises(KeyError):
        memory["key", "session 0", 3 * replays.PRUNED_EVERY]
    rig.close()


@pytest.mark.case("C22")
def test_a_stranger_is_no_new_contact_because_the_homeserver_repeats_him(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    hello = rig.sealed("hello")
    own = address.Address(address.MATRIX, BOT)
    now = dt.datetime(2026, 1, 5, 14, tzinfo=dt.UTC)
    first = wire.contact(rig.hear(hello, "$real"), channel="handle", own=own, now=now)
    assert first is not None
    assert first.text == "hello"
    rig.restart()
    again = rig.hear(hello, "$forged", LATER_MS)
    assert wire.contact(again, channel="handle", own=own, now=now) is None
    rig.close()

"""A rotation while several processes run: each has its own memory of the key file."""

from __future__ import annotations

import pathlib

import pytest
import sqlalchemy as sa

from bot import build
from bot.store import rotation, tables, vault, vault_file
from tests.fakes import databases, world


async def two(folder: pathlib.Path) -> tuple[build.Rooms, build.Rooms, world.World]:
    """Two processes on one database, with the key file as each has read it."""
    path = folder / "keys"
    vault.create(path)
    phones, moment = world.World(), world.Clock()
    store = await databases.fresh()
    first = await world.rooms(phones, store=store, moment=moment, keys=vault.load(path))
    second = await world.rooms(phones, store=store, moment=moment, keys=vault.load(path))
    return first, second, phones


async def sends(rooms: build.Rooms) -> None:
    while await rooms.dispatcher.step():
        pass


@pytest.mark.case("C35")
async def test_who_has_not_heard_of_a_rotation_sends_all_the_same(tmp_path: pathlib.Path) -> None:
    web, worker, phones = await two(tmp_path)
    await web.intake.accept([world.message(1)])
    vault_file.rotate(tmp_path / "keys")
    assert web.keys.renew()
    await web.intake.accept([world.message(2)])
    assert set(await web.store.read(rotation.uses)) == {1, 2}
    await world_passes(worker)
    await sends(worker)
    assert sorted(one.recipient.value for one in phones.sent) == [world.phone(1), world.phone(2)]


@pytest.mark.case("C35")
async def test_the_janitor_of_a_running_process_seals_again_what_waits(
    tmp_path: pathlib.Path,
) -> None:
    web, worker, phones = await two(tmp_path)
    await web.intake.accept([world.message(n) for n in range(1, 6)])
    vault_file.rotate(tmp_path / "keys")
    assert (await worker.janitor.step("reseal"))["resealed"] == 0
    assert worker.keys.renew()
    # The other one still seals with the old key; both are opened, and the next round ends it.
    await web.intake.accept([world.message(7)])
    assert (await worker.janitor.step("reseal"))["resealed"] == 6
    assert set(await web.store.read(rotation.uses)) == {2}
    await world_passes(web)
    await sends(web)
    assert len(phones.sent) == 6
    states = sa.select(tables.replies.c.state).distinct()
    assert list(await web.store.read(lambda tx: list(tx.execute(states).scalars()))) == ["sent"]


@pytest.mark.case("C35")
async def test_a_host_without_the_new_key_holds_what_it_cannot_open(
    tmp_path: pathlib.Path,
) -> None:
    """Its copy of the file was forgotten: nothing is lost and nothing goes to a wrong place."""
    web, worker, phones = await two(tmp_path)
    (tmp_path / "elsewhere").write_bytes((tmp_path / "keys").read_bytes())
    (tmp_path / "elsewhere").chmod(0o600)
    vault_file.rotate(tmp_path / "elsewhere")
    there = vault.load(tmp_path / "elsewhere")
    host = await world.rooms(phones, store=web.store, moment=web.clock, keys=there)  # type: ignore[arg-type]
    await host.intake.accept([world.message(1)])
    await world_passes(worker)
    await sends(worker)
    (row,) = await worker.store.read(
        lambda tx: tx.execute(sa.select(tables.replies.c.state, tables.replies.c.reason)).all()
    )
    assert (row.state, row.reason) == ("held", "sealed")
    assert phones.sent == []


async def world_passes(rooms: build.Rooms) -> None:
    moment = rooms.clock
    assert isinstance(moment, world.Clock)
    await moment.advance(110 * 60)

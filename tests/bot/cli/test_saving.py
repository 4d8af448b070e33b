"""`antirelou backup` and `antirelou restore`."""

from __future__ import annotations

import pathlib
import shutil
import socket
import sqlite3
import stat

import pytest
import sqlalchemy as sa

from bot.console import restoring
from bot.store import backup, schema, tables
from tests.bot.cli.conftest import Place
from tests.bot.console import house as building
from tests.bot.console.house import ANNA, CARL, House


def rows(place: Place, table: sa.Table) -> list[dict[str, object]]:
    return place.fill(lambda house: house.rows(table))


def lose(place: Place) -> None:
    """The disk is gone; the key file was elsewhere."""
    for path in place.folder.glob("antirelou.db*"):
        path.unlink()


@pytest.fixture
def saved(installed: Place) -> Place:
    """A backup in b.db, in which ANNA's reply is held, BERT's scheduled."""

    async def one_goes(house: House) -> None:
        statement = sa.update(tables.replies).where(tables.replies.c.person_id == 2)
        await house.store.write(lambda tx: tx.execute(statement.values(state="scheduled")))

    installed.fill(one_goes)
    result = installed.run("backup", "b.db")
    assert result.exit_code == 0, result.stderr
    assert "2 replies, checked" in result.stdout
    return installed


def test_a_backup_is_whole_private_and_never_over_another_file(saved: Place) -> None:
    path = saved.folder / "b.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in saved.folder.iterdir()) == [
        "antirelou.db",
        "antirelou.key",
        "b.db",
        "config.toml",
    ]
    found = backup.look(path)
    assert (found.revision, found.replies) == (schema.HEAD, 2)
    before = path.read_bytes()
    again = saved.run("backup", "b.db")
    assert again.exit_code == 1
    assert "b.db is there already" in again.stderr
    assert path.read_bytes() == before


@pytest.mark.case("C01")
def test_what_waited_is_held_and_its_window_never_given_back(saved: Place) -> None:
    lose(saved)
    done = saved.run("restore", "b.db")
    assert done.exit_code == 0, done.stderr
    assert "SENDING IS PAUSED" in done.stdout
    assert "2 replies waited in it" in done.stdout
    found = rows(saved, tables.replies)
    assert [(one["state"], one["reason"]) for one in found] == [("held", "restored")] * 2
    assert saved.json("status")["paused"]
    people = rows(saved, tables.persons)
    assert [one["blocked_until_ms"] for one in people] == [one["window_ms"] for one in found]
    ids = [str(one["id"]) for one in found]
    assert saved.run("drop", ids[0]).exit_code == 0
    # Dropped, it may have been sent all the same: whoever writes again gets nothing.
    after = rows(saved, tables.persons)
    assert [one["blocked_until_ms"] for one in after] == [one["blocked_until_ms"] for one in people]
    assert saved.run("approve", ids[1]).exit_code == 0
    assert rows(saved, tables.replies)[1]["state"] == "scheduled"
    assert rows(saved, tables.audit)[0]["act"] == "restore"


@pytest.mark.case("C01")
def test_who_is_known_and_could_be_answered_again_counts_as_answered(saved: Place) -> None:
    async def over(house: House) -> None:
        def work(tx: sa.Connection) -> None:
            tx.execute(sa.update(tables.replies).values(state="cancelled", address_enc=None))
            tx.execute(sa.update(tables.persons).values(blocked_until_ms=0))

        await house.store.write(work)

    saved.fill(over)
    saved.run("backup", "c.db")
    lose(saved)
    assert saved.json("restore", "c.db") == {"held": 0, "unknown": 0, "quiet": 2}

    async def writes(house: House) -> None:
        await house.write_in(ANNA, at_ms=building.now_ms(), provider_id="new")

    saved.fill(writes)
    assert rows(saved, tables.inbound)[-1]["reason"] == "answered"


@pytest.mark.case("C03")
def test_what_was_being_sent_is_unknown(saved: Place) -> None:
    async def sending(house: House) -> None:
        statement = sa.update(tables.replies).values(state="sending", lease_until_ms=0)
        await house.store.write(lambda tx: tx.execute(statement))

    saved.fill(sending)
    saved.run("backup", "c.db")
    lose(saved)
    assert saved.json("restore", "c.db")["unknown"] == 2
    assert {one["state"] for one in rows(saved, tables.replies)} == {"unknown"}


@pytest.mark.case("C01")
def test_no_name_is_given_to_the_outside_a_second_time(saved: Place) -> None:
    lose(saved)
    saved.run("restore", "b.db", "--nothing-was-sent-since")

    async def writes(house: House) -> None:
        await house.write_in(CARL, at_ms=building.now_ms(), provider_id="new")

    saved.fill(writes)
    newest = rows(saved, tables.replies)[-1]
    assert isinstance(newest["id"], int)
    assert newest["id"] > restoring.LEAP
    assert rows(saved, tables.room_outgoing)[-1]["id"] == restoring.LEAP


def test_nothing_was_sent_since_goes_on_where_it_ended(saved: Place) -> None:
    lose(saved)
    assert saved.run("restore", "b.db", "--nothing-was-sent-since").exit_code == 0
    assert [one["state"] for one in rows(saved, tables.replies)] == ["held", "scheduled"]
    assert not saved.json("status")["paused"]


def test_never_over_a_database_nor_beside_its_log(saved: Place) -> None:
    before = (saved.folder / "antirelou.db").read_bytes()
    result = saved.run("restore", "b.db")
    assert result.exit_code == 1
    assert "move these away first: antirelou.db" in result.stderr
    assert (saved.folder / "antirelou.db").read_bytes() == before
    lose(saved)
    (saved.folder / "antirelou.db-wal").write_bytes(b"of another life")
    result = saved.run("restore", "b.db")
    assert "antirelou.db-wal" in result.stderr
    assert not (saved.folder / "antirelou.db").exists()


def test_refused_while_the_program_listens(saved: Place) -> None:
    lose(saved)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = saved.run("restore", "b.db", "--set", f"web.port={port}")
    assert result.exit_code == 1
    assert "end antirelou first" in result.stderr
    assert not (saved.folder / "antirelou.db").exists()


@pytest.mark.case("C35")
def test_another_key_file_or_none_restores_nothing(saved: Place) -> None:
    lose(saved)
    key_file = saved.folder / "antirelou.key"
    kept = key_file.read_bytes()
    key_file.unlink()
    result = saved.run("restore", "b.db")
    assert result.exit_code == 2
    assert "is missing; put it back from your backup" in result.stderr
    key_file.touch(0o600)
    key_file.write_bytes(kept.replace(b"\nenc 1 ", b"\nenc 1 AAAA")[: len(kept)])
    assert saved.run("restore", "b.db").exit_code == 2
    assert not (saved.folder / "antirelou.db").exists()
    assert not list(saved.folder.glob("*.part*"))
    key_file.write_bytes(kept)
    assert saved.run("restore", "b.db").exit_code == 0


def _flip(path: pathlib.Path) -> None:
    held = bytearray(path.read_bytes())
    for place in range(8_192, len(held) - 100, 4_096):
        held[place : place + 64] = bytes(64)
    path.write_bytes(held)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_flip, "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:5_000]), "b.db is"),
        (
            lambda path: path.write_bytes(b"milk, eggs" * 900),
            "is damaged, or no database of antirelou",
        ),
        (lambda path: path.write_bytes(b""), "is damaged, or no database of antirelou"),
        (lambda path: path.unlink(), "there is no file b.db"),
    ],
    ids=["flipped", "cut", "another", "empty", "missing"],
)
def test_a_backup_that_is_none_is_named(saved: Place, spoil: object, said: str) -> None:
    lose(saved)
    assert callable(spoil)
    spoil(saved.folder / "b.db")
    result = saved.run("restore", "b.db")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (saved.folder / "antirelou.db").exists()


def test_what_a_killed_backup_left_is_no_obstacle(saved: Place) -> None:
    (saved.folder / "c.db.part").write_bytes(b"half of it")
    assert saved.run("backup", "c.db").exit_code == 0
    assert not (saved.folder / "c.db.part").exists()
    assert backup.look(saved.folder / "c.db").replies == 2


def test_a_folder_that_cannot_be_written_is_named(saved: Place) -> None:
    result = saved.run("backup", "nowhere/c.db")
    assert result.exit_code == 1
    assert "cannot write nowhere/c.db.part" in result.stderr


def test_in_place_for_what_was_loaded_by_other_means(saved: Place) -> None:
    lose(saved)
    with sqlite3.connect(saved.folder / "b.db") as copy:
        assert copy.execute("SELECT value FROM meta WHERE key = 'backup_ms'").fetchone()
    shutil.copy(saved.folder / "b.db", saved.folder / "antirelou.db")
    assert saved.json("restore", "--in-place")["held"] == 2
    assert saved.run("restore").exit_code == 2
    assert saved.run("restore", "b.db", "--in-place").exit_code == 2


def test_postgresql_is_told_its_own_commands(place: Place) -> None:
    url = 'store.url="postgresql://bot:hush@db.example.org/anti"'
    result = place.run("restore", "b.db", "--set", url)
    assert result.exit_code == 2
    assert "pg_restore" in result.stderr
    assert "hush" not in result.output

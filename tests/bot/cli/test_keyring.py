"""`antirelou keys`: shown, rotated beside a running program, dropped; a kill at any point."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa

from bot import outbox
from bot.janitor import sealed
from bot.store import schema, tables, vault, vault_file
from tests.bot.cli.conftest import ROOT, Place
from tests.bot.console.house import ANNA, House

KEYS = "antirelou.key"


def sealed_by(place: Place) -> dict[int, int]:
    return {
        one["number"]: sum(one["sealed"].values())
        for one in place.json("keys", "show")
        if one["kind"] != "mac"
    }


def aged(place: Place) -> None:
    """The key file was changed two minutes ago."""
    path = place.folder / KEYS
    then_s = path.stat().st_mtime - 120
    os.utime(path, (then_s, then_s))


@pytest.mark.case("C35")
def test_show_tells_ages_and_fingerprints_and_no_key(installed: Place) -> None:
    told = installed.json("keys", "show")
    assert [(one["kind"], one["number"], one["in_use"]) for one in told] == [
        ("mac", 1, True),
        ("enc", 1, True),
    ]
    assert told[1]["sealed"] == {"inbound.text_enc": 2, "replies.address_enc": 2}
    assert all(len(one["fingerprint"]) == 16 and one["made"] for one in told)
    shown = installed.run("keys", "show").output + str(told)
    secrets = [line.split()[2] for line in (installed.folder / KEYS).read_text().splitlines()[1:]]
    assert not any(secret in shown for secret in secrets)


@pytest.mark.case("C35")
def test_rotate_seals_again_what_waits_and_drop_forgets_the_old_key(installed: Place) -> None:
    assert installed.json("keys", "rotate") == {"number": 2, "resealed": 2, "sealed_stuck": 0}
    # The words of people are gone within three days, and go with the old key.
    assert sealed_by(installed) == {1: 2, 2: 2}
    result = installed.run("keys", "drop", "1")
    assert result.exit_code == 1
    assert "still sealed with key 1: 2 in inbound.text_enc" in result.stderr

    async def forgets_words(house: House) -> None:
        statement = sa.update(tables.inbound).values(text_enc=None)
        await house.store.write(lambda tx: tx.execute(statement))

    installed.fill(forgets_words)
    assert "within a minute" in installed.run("keys", "drop", "1").stderr
    aged(installed)
    assert "in use" in installed.run("keys", "drop", "2").stderr
    assert "no encryption key 7" in installed.run("keys", "drop", "7").stderr
    assert installed.run("keys", "drop", "1").exit_code == 0
    assert sealed_by(installed) == {2: 2}
    assert installed.run("check", "--offline").exit_code == 0
    assert ANNA not in installed.run("why", "1").output
    acts = [row["act"] for row in installed.fill(lambda house: house.rows(tables.audit))]
    assert acts == ["keys_rotated", "keys_dropped"]


@pytest.mark.case("C35")
def test_prepare_and_then_rotate_uses_the_prepared_key(installed: Place) -> None:
    assert installed.json("keys", "prepare") == {"prepared": 2}
    (waiting,) = [one for one in installed.json("keys", "show") if one["kind"] == "next"]
    assert not waiting["in_use"]
    assert installed.json("keys", "rotate")["number"] == 2
    assert [one["kind"] for one in installed.json("keys", "show")] == ["mac", "enc", "enc"]


@pytest.mark.case("C35")
def test_killed_after_the_file_and_before_the_database_the_next_start_ends_it(
    installed: Place,
) -> None:
    vault_file.rotate(installed.folder / KEYS)

    async def goes_on(house: House) -> tuple[dict[str, int], dict[str, str]]:
        counts = await sealed.reseal(house.store, house.keys)
        return counts, await house.store.read(schema.expected)

    counts, expected = installed.fill(goes_on)
    assert counts == {"resealed": 2, "sealed_stuck": 0}
    assert set(expected) == {"mac 1", "enc 1", "enc 2"}


@pytest.mark.case("C35")
def test_killed_between_the_mark_and_the_file_a_drop_is_run_again(installed: Place) -> None:
    installed.run("keys", "rotate")

    async def half(house: House) -> None:
        def work(tx: sa.Connection) -> None:
            tx.execute(sa.update(tables.inbound).values(text_enc=None))
            schema.drops(tx, "enc 1", "2026-11-22")

        await house.store.write(work)

    installed.fill(half)
    assert installed.run("status").exit_code == 0
    aged(installed)
    assert installed.run("keys", "drop", "1").exit_code == 0
    assert installed.run("status").exit_code == 0


@pytest.mark.case("C35")
def test_an_older_copy_of_the_key_file_is_refused_after_a_rotation(installed: Place) -> None:
    before = (installed.folder / KEYS).read_bytes()
    installed.run("keys", "rotate")
    (installed.folder / KEYS).write_bytes(before)
    result = installed.run("status")
    assert result.exit_code == 2
    assert "does not belong to this database (its 'key enc 2' is missing" in result.stderr


@pytest.mark.slow
@pytest.mark.case("C35")
def test_kill_9_at_any_moment_of_a_rotation_loses_nothing(installed: Place) -> None:
    draw = random.Random(8)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "keys", "rotate"],
            cwd=installed.folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(draw.uniform(0.2, 1.2))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        keys = vault.load(installed.folder / KEYS)
        with sqlite3.connect(installed.folder / "antirelou.db", timeout=10) as connection:
            rows = connection.execute("SELECT id, address_enc FROM replies").fetchall()
        assert len({keys.open(one, outbox.place(i)) for i, one in rows}) == 2
    assert installed.json("keys", "rotate")["sealed_stuck"] == 0
    assert installed.run("status").exit_code == 0

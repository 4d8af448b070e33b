"""`antirelou evidence`: what is held of chosen people, signed; no address unless asked for."""

from __future__ import annotations

import datetime as dt
import io
import json
import pathlib
import stat
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa

from bot.console import seal
from bot.console.room import codes
from bot.store import tables
from tests.bot.cli.conftest import Place
from tests.bot.console import house as building
from tests.bot.console.house import ANNA, BERT, CARL, House

TODAY = dt.datetime.now(dt.UTC).date()
DAYS = (
    "--from", (TODAY - dt.timedelta(days=2)).isoformat(),
    "--to", (TODAY + dt.timedelta(days=1)).isoformat(),
)  # fmt: skip


def made(place: Place, *words: str, stdin: str = f"{ANNA}\n") -> dict[str, bytes]:
    """A pack, its files."""
    result = place.run("evidence", "--person", "-", *DAYS, "--out", "a.zip", *words, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    assert ANNA not in result.output
    with zipfile.ZipFile(place.folder / "a.zip") as pack:
        return {name: pack.read(name) for name in pack.namelist()}


def part(files: dict[str, bytes], name: str) -> Any:  # noqa: ANN401 (what the file holds)
    return json.loads(files[name])


def changed(path: pathlib.Path, name: str, body: bytes | None) -> None:
    """The same zip with one file other, added (a new name) or left out (None)."""
    with zipfile.ZipFile(path) as pack:
        files = {one: pack.read(one) for one in pack.namelist()}
    files[name] = body or b""
    if body is None:
        del files[name]
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as pack:
        for one, content in files.items():
            pack.writestr(one, content)
    path.write_bytes(held.getvalue())


def acts(place: Place) -> list[dict[str, Any]]:
    return [r for r in place.fill(lambda h: h.rows(tables.audit)) if r["act"] == "evidence"]


@pytest.mark.case("C33")
def test_a_pack_holds_one_person_and_no_address(installed: Place) -> None:
    files = made(installed)
    (person,) = part(files, "persons.json")
    assert (person["person"], len(person["keyed_hashes"])) == ("person-1", 1)
    (message,) = part(files, "messages.json")
    assert (message["channel"], message["kind"], message["person"]) == ("sms", "text", "person-1")
    assert message["words"] == "salut"
    (reply,) = part(files, "replies.json")
    assert reply["state"] == "held"
    assert "to" not in reply
    assert b"person-1" in files["counts.csv"]
    for one in (ANNA, BERT):
        assert all(one.encode() not in body for body in files.values())
    path = installed.folder / "a.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((installed.folder / "antirelou-evidence.key").stat().st_mode) == 0o600


def test_addresses_only_by_the_option(installed: Place) -> None:
    files = made(installed, "--with-addresses")
    assert part(files, "persons.json")[0]["addresses_as_given_by_us"] == [ANNA]
    assert part(files, "replies.json")[0]["to"] == ANNA
    assert all(BERT.encode() not in body for body in files.values())


def test_each_pack_stays_in_the_trail_with_its_manifest(installed: Place) -> None:
    files = made(installed)
    (act,) = acts(installed)
    told = json.loads(act["data"])
    checked = installed.json("evidence", "--verify", "a.zip")
    assert told["manifest"] == checked["manifest"]
    assert (told["addresses"], told["persons"]) == ("no", [1])
    assert checked["fingerprint"] == part(files, "manifest.json")["fingerprint"]
    # The same key signs the next one.
    (installed.folder / "a.zip").rename(installed.folder / "b.zip")
    made(installed)
    assert installed.json("evidence", "--verify", "a.zip")["fingerprint"] == checked["fingerprint"]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("messages.json", b"[]", "messages.json was changed"),
        ("counts.csv", None, "counts.csv is missing"),
        ("more.txt", b"more", "a file was added"),
        ("manifest.json", b"{}", "no sealed pack"),
        ("manifest.sig", b"AAAA", "not of this manifest"),
        ("manifest.sig", b"\xff", "cannot be read"),
        ("manifest.sig", None, "missing"),
    ],
)
def test_whatever_is_changed_is_seen(
    installed: Place, name: str, body: bytes | None, said: str
) -> None:
    made(installed)
    assert installed.run("evidence", "--verify", "a.zip").exit_code == 0
    changed(installed.folder / "a.zip", name, body)
    result = installed.run("evidence", "--verify", "a.zip")
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_a_manifest_changed_with_its_sums_needs_the_key(installed: Place) -> None:
    files = made(installed)
    told = part(files, "manifest.json") | {"made": "2020-01-01"}
    changed(installed.folder / "a.zip", "manifest.json", json.dumps(told).encode())
    result = installed.run("evidence", "--verify", "a.zip")
    assert (result.exit_code, "it was changed" in result.stderr) == (1, True)


def test_whose_address_it_is_can_be_checked_with_the_key_file(installed: Place) -> None:
    made(installed)
    words = ("evidence", "--verify", "a.zip", "--person", "-")
    assert "number 1: person-1" in installed.run(*words, stdin=f"{ANNA}\n").stdout
    assert "nobody in this pack" in installed.run(*words, stdin=f"{BERT}\n").stdout


def test_by_the_rooms_code_and_only_the_days_asked_for(installed: Place) -> None:
    async def code(house: House) -> str:
        return await house.store.write(lambda tx: codes.of(tx, house.keys, 2, building.now_ms()))

    short = installed.fill(code)
    days = ("--from", "2026-01-01", "--to", "2026-01-31")
    result = installed.run("evidence", "--person", short, *days, "--out", "old.zip")
    assert result.exit_code == 0, result.stderr
    with zipfile.ZipFile(installed.folder / "old.zip") as pack:
        assert json.loads(pack.read("messages.json")) == []
        assert json.loads(pack.read("replies.json")) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--person", CARL, *DAYS, "--out", "b.zip"], 1, "nobody is known by it"),
        (["--person", "#zzzz", *DAYS, "--out", "b.zip"], 1, "the code is over"),
        (["--person", ANNA, "--out", "b.zip"], 2, "say whom, when and where to"),
        (["--person", ANNA, *DAYS], 2, "say whom, when and where to"),
        (["--person", ANNA, *DAYS, "--out", "config.toml"], 2, "is there already"),
        (["--verify", "config.toml"], 1, "no sealed pack"),
        (["--verify", "none.zip"], 1, "cannot read"),
    ],
)
def test_refused(installed: Place, words: list[str], code: int, said: str) -> None:
    result = installed.run("evidence", *words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    assert ANNA not in result.stderr
    assert not (installed.folder / "b.zip").exists()
    assert acts(installed) == []


def test_a_signing_key_that_others_can_read_is_refused(installed: Place) -> None:
    made(installed)
    key = installed.folder / "antirelou-evidence.key"
    key.chmod(0o644)
    words = ("evidence", "--person", "-", *DAYS, "--out", "c.zip")
    result = installed.run(*words, stdin=f"{ANNA}\n")
    assert (result.exit_code, "chmod 600" in result.stderr) == (1, True)
    key.chmod(0o600)
    key.write_text("no key")
    result = installed.run(*words, stdin=f"{ANNA}\n")
    assert (result.exit_code, "no signing key" in result.stderr) == (1, True)


def test_a_bomb_is_not_unpacked() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as pack, pack.open("z", "w") as file:
        for _ in range(257):
            file.write(bytes(1024 * 1024))
    with pytest.raises(seal.SealError, match="too large"):
        seal.opened(held.getvalue())


def test_words_that_are_gone_are_none(installed: Place) -> None:
    async def forget(house: House) -> None:
        statement = sa.update(tables.inbound).values(text_enc=None)
        await house.store.write(lambda tx: tx.execute(statement).rowcount)

    installed.fill(forget)
    (message,) = part(made(installed), "messages.json")
    assert message["words"] is None

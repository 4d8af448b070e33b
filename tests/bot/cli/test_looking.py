from __future__ import annotations

import json
import pathlib
import re
import stat
from typing import Any

import pytest
import typer.main

from bot import cli
from bot.console import names
from bot.store import tables
from tests.bot.cli.conftest import ROOT, Place
from tests.bot.console import house as building
from tests.bot.console.house import ANNA, BERT, CARL, House

GROUP = typer.main.get_command(cli.app)


def _named(group: Any, before: str = "") -> dict[str, Any]:  # noqa: ANN401 (typer has no public class for it)
    """All commands by the words they are typed with, those of groups too."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= _named(command, f"{before}{name} ")
        else:
            found[before + name] = command
    return found


NAMED = _named(GROUP)
COMMANDS = sorted(NAMED)
ON_A_DATABASE = [
    ["status"],
    ["review"],
    ["mode"],
    ["forecast"],
    ["ledger"],
    ["why", "1"],
    ["addresses"],
    ["pause"],
    ["resume"],
    ["approve", "--all"],
    ["drop", "--all"],
    ["block", ANNA],
    ["unblock", ANNA],
    ["donate", "5"],
    ["migrate"],
]


def options_of(name: str) -> set[str]:
    params = NAMED[name].params
    return {opt for p in params for opt in p.opts if opt.startswith("--")} - {"--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_an_example_and_its_options(place: Place, name: str) -> None:
    result = place.run(*name.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: antirelou {name}" in result.stdout
    for option in options_of(name):
        assert option in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_names_each_option(name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    common = page.partition("\n## ")[0]
    for option in options_of(name):
        assert f"`{option}" in found[1] or f"`{option}" in common, option
    assert f"antirelou {name}" in found[1]


def test_the_page_names_no_command_that_is_gone() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## ([\w ]+)$", page, re.MULTILINE)) == COMMANDS


# `init` is what writes them.
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"demo", "init"}))
def test_every_command_takes_the_settings(name: str) -> None:
    wanted = {"--config", "--set"} | (set() if name == "run" else {"--json"})
    assert wanted <= options_of(name)


@pytest.mark.parametrize("words", ON_A_DATABASE, ids=lambda words: words[0])
def test_no_command_makes_a_database(place: Place, words: list[str]) -> None:
    result = place.run(*words)
    assert result.exit_code == 3
    assert "no database at antirelou.db" in result.stderr
    assert sorted(p.name for p in place.folder.iterdir()) == ["config.toml"]


@pytest.mark.parametrize("words", [["status"], ["migrate"], ["pause"]])
def test_a_file_that_is_no_database(place: Place, words: list[str]) -> None:
    (place.folder / "antirelou.db").write_text("milk, eggs, and so on" * 100)
    result = place.run(*words)
    assert result.exit_code == 3
    assert (place.folder / "antirelou.db").read_text().startswith("milk")
    (place.folder / "antirelou.db").write_bytes(b"")
    assert place.run(*words).exit_code == 3
    assert not (place.folder / "antirelou.key").exists()


def test_an_older_schema_is_not_touched_by_looking(installed: Place) -> None:
    async def age(house: House) -> None:
        await house.store.write(
            lambda tx: tx.exec_driver_sql("UPDATE alembic_version SET version_num='0000'")
        )

    installed.fill(age)
    result = installed.run("status")
    assert result.exit_code == 3
    assert "antirelou migrate" in result.stderr


def test_migrate_says_that_nothing_is_to_do(installed: Place) -> None:
    found = installed.json("migrate")
    assert found["before"] == found["after"]
    assert "already" in installed.run("migrate").stderr


@pytest.mark.case("C35")
def test_the_wrong_key_file_is_refused_with_the_mend(installed: Place) -> None:
    key = installed.folder / "antirelou.key"
    key.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
    result = installed.run("status")
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)
    key.unlink()
    result = installed.run("status")
    assert (result.exit_code, "backup" in result.stderr) == (2, True)
    assert not key.exists()


def test_status_for_people_and_programs(installed: Place) -> None:
    shown = installed.run("status").stdout
    assert "2 by 2 people" in shown
    assert "2 held" in shown
    found = installed.json("status")
    assert (found["messages"], found["bill"]["cap_day"]) == (2, "20.00")
    other = installed.json("status", "--set", "budget.cap_day=7")
    assert other["bill"]["cap_day"] == "7.00"


def test_why_by_reply_number_and_address(installed: Place) -> None:
    (first, _second) = installed.fill(lambda house: house.rows(tables.replies))
    by_number = installed.json("why", str(first["id"]))
    (story,) = by_number
    assert [m["why"]["en"] for m in story["messages"]] == [
        "Every reply waits for a moderator to release it."
    ]
    key = story["replies"][0]["reply"]
    assert installed.json("why", key) == by_number
    result = installed.run("why", "--address", "-", stdin=f"{BERT}\n")
    assert result.exit_code == 0
    assert "held for a moderator" in result.stdout
    assert BERT not in result.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["why"], 2),
        (["why", "1", "--address", ANNA], 2),
        (["why", "4711"], 1),
        (["why", "f" * 32], 1),
        (["why", "--address", CARL], 1),
        (["why", "--address", "nonsense"], 1),
    ],
)
def test_why_of_nothing(installed: Place, words: list[str], code: int) -> None:
    result = installed.run(*words)
    assert result.exit_code == code
    assert len(result.stderr.splitlines()) <= 2


def test_a_code_never_changes(installed: Place) -> None:
    async def code(house: House) -> tuple[int, str]:
        person = (await house.person())["id"]
        return person, names.person(house.keys, person)

    person, name = installed.fill(code)
    # Never an x: `names.letters` writes a 9 for it.
    assert re.fullmatch(r"#[a-wyz2-79]{4}", name)
    (first,) = [s for s in installed.json("why", "--address", ANNA) if s["who"] == name]
    assert person
    assert first["written"] == 1


def test_the_settings_file_is_named(place: Place) -> None:
    assert "settings: config.toml" in place.run("status").stderr
    (place.folder / "config.toml").rename(place.folder / "config.example.toml")
    assert "settings: config.example.toml" in place.run("status").stderr
    (place.folder / "config.example.toml").unlink()
    assert "no file was found" in place.run("status").stderr


def test_another_file(place: Place, tmp_path: pathlib.Path) -> None:
    place.fill(_nothing)
    other = tmp_path / "other.toml"
    other.write_text('[budget]\ncap_day = "3"\n')
    found = place.json("status", "--config", str(other))
    assert found["bill"]["cap_day"] == "3.00"
    assert place.run("status", "--config", "absent.toml").exit_code == 2


async def _nothing(house: building.House) -> None:
    assert house.store is not None


def test_version_as_an_option_too(place: Place) -> None:
    """SECURITY.md asks for it in reports."""
    told, asked = place.run("--version"), place.run("version")
    assert (told.exit_code, told.stdout) == (asked.exit_code, asked.stdout)
    assert place.run("--help").stdout.count("--version") == 1


def test_version(place: Place) -> None:
    result = place.run("version", "--json")
    assert result.exit_code == 0 or "make setup" in result.stderr
    if result.exit_code == 0:
        assert set(json.loads(result.stdout)) == {"version", "python"}

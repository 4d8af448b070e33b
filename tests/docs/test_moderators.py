"""The two pages for moderators name every command, its role and its language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.console.room import commands, parser
from bot.contract.room import Role


def page(root: Path, name: str) -> str:
    return (root / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> dict[str, str]:
    """Command -> the role beside it, from the table of commands."""
    found: dict[str, str] = {}
    for cells, role in re.findall(r"(?m)^\| (`!.*?) \| ?(\w*) \|", text):
        for name in re.findall(r"`!(\w+)", cells):
            found.setdefault(name, role)
    return found


@pytest.mark.parametrize("name", ["moderators.md", "moderators.fr.md"])
def test_every_command_is_there_with_its_role(project_root: Path, name: str) -> None:
    listed = rows(page(project_root, name))
    french = name.endswith(".fr.md")
    expected = {
        (one.french if french else one.name): "" if one.name in {"yes", "no"} else str(one.role)
        for one in commands.TABLE
    }
    assert listed == expected


@pytest.mark.parametrize("name", ["moderators.md", "moderators.fr.md"])
def test_nothing_is_promised_that_is_not_there(project_root: Path, name: str) -> None:
    said = set(re.findall(r"!([a-z]{2,})", page(project_root, name)))
    assert said <= set(commands.BY_WORD)


def test_every_command_has_a_reader_and_both_languages() -> None:
    for one in commands.TABLE:
        assert one.name in parser._READERS
        for words in (one.usage, one.does):
            assert bool(words.en) == bool(words.fr)
        assert one.role in Role
    assert len(commands.BY_WORD) == len({w for c in commands.TABLE for w in (c.name, c.french)})

"""The examples in the documents are tried: settings load, commands and options exist, some run."""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
from pathlib import Path
from typing import Any, Final

import click
import pytest
import typer.main
from typer import testing

from bot import cli, config
from bot.cli import pricing
from tests.conftest import ROOT

PAGES: Final = (
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "README.fr.md", "SECURITY.md")),
)
GROUP: Final = typer.main.get_command(cli.app)
# What a reader puts in is no secret of ours to show.
PUT_IN: Final = {"AC…": "AC" + "0" * 32, "...": "0" * 48, "…": "Bonjour."}
# The tutorial's own bridge stands in docs/examples and is tried by test_filedrop.py.
ELSEWHERE: Final = "filedrop"
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(?:\.venv/bin/)?antirelou((?:\s[^`]*)?)`")
_ALONE = re.compile(r"^(?:\.venv/bin/)?antirelou( .*)$", re.MULTILINE)
_LINE = re.compile(r"^(?: {4}|\$ )(?:\.venv/bin/)?antirelou( .*)$", re.MULTILINE)


def fenced(kind: str) -> list[Any]:
    """Each example of a kind, named by its page."""
    found = []
    for page in PAGES:
        for n, (_, language, body) in enumerate(_FENCE.findall(page.read_text("utf-8")), 1):
            if language == kind:
                found.append(pytest.param(textwrap.dedent(body), id=f"{page.name}-{n}"))
    return found


def typed(pattern: re.Pattern[str]) -> list[Any]:
    """Each command line, once, named by the first page that it stands in."""
    found: dict[str, str] = {}
    for page in PAGES:
        for words in pattern.findall(page.read_text("utf-8")):
            found.setdefault(" ".join(words.split()), page.name)
    return [pytest.param(words, id=f"{name}: {words}"[:70]) for words, name in found.items()]


def blocks() -> list[Any]:
    """Lines of blocks that name no language."""
    found: dict[str, str] = {}
    for page in PAGES:
        for _, language, body in _FENCE.findall(page.read_text("utf-8")):
            for words in _ALONE.findall(textwrap.dedent(body)) if not language else ():
                found.setdefault(words.partition("  #")[0].strip(), page.name)
    return [pytest.param(words, id=f"{name}: {words}"[:70]) for words, name in found.items()]


def named(words: list[str]) -> tuple[Any, list[str]]:
    """The command that is meant, and what is left of the words."""
    command: Any = GROUP
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("text", fenced("toml"))
def test_settings_load_and_their_bridges_take_them(text: str, tmp_path: Path) -> None:
    for sign, real in PUT_IN.items():
        text = text.replace(f'"{sign}"', f'"{real}"')
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    found = config.load(file)
    kinds = {one.kind for one in found.channels.values()}
    if ELSEWHERE not in kinds:
        assert set(pricing.make(found)) == set(found.channels)


@pytest.mark.parametrize("words", typed(_INLINE))
def test_commands_that_are_named_exist_with_their_options(words: str) -> None:
    command, left = named(shlex.split(words))
    if words and not words.startswith(("COMMAND", "--")):
        assert command is not GROUP, words
    known = {opt for one in command.params for opt in one.opts} | {"--help"}
    for word in left:
        if re.match(r"--\w", word):
            assert word.partition("=")[0] in known, words


@pytest.mark.parametrize("words", [*typed(_LINE), *blocks()])
def test_lines_to_type_are_taken_as_they_are(words: str) -> None:
    command, left = named(shlex.split(words.partition("   (")[0]))
    assert command is not GROUP
    if "--help" in left:
        return
    with click.Context(click.Command("antirelou")) as above:
        context = command.make_context(command.name, left, parent=above)
    assert set(context.params) == {one.name for one in command.params if one.name != "help"}


@pytest.mark.parametrize("text", fenced("console"))
def test_console_examples_run(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = re.findall(r"^\$ antirelou (.*)$", text, re.MULTILINE)
    if not ours:
        # The tutorial's own: it is run by test_filedrop.py.
        assert 'make test ARGS="tests/docs' in text
        return
    shutil.copy(ROOT / "config.example.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in ours:
        result = testing.CliRunner().invoke(cli.app, shlex.split(words))
        assert result.exit_code == 0, result.output

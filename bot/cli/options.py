"""What every command takes, how it speaks, and the exit codes. Imports nothing slow.

0  done
1  it failed: an unknown id, a refusal, a port in use
2  the settings, the key file or the command line are at fault; every fault has its line
3  there is no database here, or it is away, locked or full
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Annotated, Final, NoReturn

import typer

FAILED: Final = 1
FAULTY: Final = 2
AWAY: Final = 3

ConfigFile = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings; without it ./config.toml, else ./config.example.toml, else the defaults.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="One setting over what the file says; may be given again.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For a program: JSON on standard output.")]


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """The options that every command has."""

    config: pathlib.Path | None
    overrides: tuple[str, ...]
    as_json: bool = False


def told(config: pathlib.Path | None, overrides: list[str] | None, as_json: bool = False) -> Told:  # noqa: FBT001, FBT002 (typer gives it so)
    """Together, as the rooms below take them."""
    return Told(config, tuple(overrides or ()), as_json)


def fail(lines: Iterable[str], code: int = FAILED) -> NoReturn:
    """Say what is wrong on standard error, one line each, and end."""
    for line in lines:
        note(line)
    raise typer.Exit(code)


def note(line: str) -> None:
    """A line for people, beside the output."""
    typer.echo(printable(line), err=True)


def put_json(value: object) -> None:
    """JSON in ASCII, so that any text survives any terminal."""
    typer.echo(json.dumps(value, indent=2))


def printable(text: str) -> str:
    """Text that every terminal can take: no control characters, no half characters."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def forgiving() -> None:
    """Let a terminal without UTF-8 show a `?` instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

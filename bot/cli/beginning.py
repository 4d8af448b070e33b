"""`antirelou init`: asks, explains, and writes a first config.toml that only its owner can read.

Nothing is written before all of it was tried: the settings are read as `run` reads them, and every
channel goes through its own bridge. A question that got a wrong answer is asked again.
"""

from __future__ import annotations

import os
import pathlib
from typing import Annotated, Final

import typer

from bot.cli import options

DEFAULT: Final = pathlib.Path("config.toml")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog="Example: antirelou init --config config.toml")(init)


def init(
    *,
    config: Annotated[
        pathlib.Path,
        typer.Option("--config", metavar="FILE", help="The file to write; it must not exist yet."),
    ] = DEFAULT,
) -> None:
    """Ask what a collective has, explain it, and write the settings.

    Contacts nobody and changes nothing else. `antirelou check` asks the providers afterwards.
    """
    from bot.cli import interview  # noqa: PLC0415 (slow to import)

    if config.exists():
        wrong = (
            f"{config} exists already; name another with --config, or edit it (docs/settings.md)"
        )
        options.fail([wrong], options.FAULTY)
    if not config.absolute().parent.is_dir():
        options.fail([f"there is no folder {config.parent}; make it first"], options.FAULTY)
    text = interview.hold()
    _write(config, text)
    typer.echo(f"\n{config}: written, readable by you alone.")
    for line in interview.next_steps(text, config):
        typer.echo(line)


def _write(path: pathlib.Path, text: str) -> None:
    """As a new file of ours alone: never over another, never readable in between."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        options.fail([f"{path}: cannot be written ({error.strerror})"])
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)

"""The command line `antirelou`. Commands import what they need when they run.

That keeps `--help` and `segments` quick: database, settings and web floor take a second to
import on a small machine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final

import typer

from bot.cli import beginning as beginning
from bot.cli import evidence as evidence
from bot.cli import holding_back as holding_back
from bot.cli import keyring as keyring
from bot.cli import looking as looking
from bot.cli import options as options
from bot.cli import paging as paging
from bot.cli import press as press
from bot.cli import running as running
from bot.cli import saving as saving
from bot.cli import setting_up as setting_up
from bot.cli import solving as solving
from bot.cli import steering as steering
from bot.cli import trying as trying
from bot.cli import vaulting as vaulting

app: Final = typer.Typer(
    name="antirelou",
    help="A shared number that answers pests once, calmly and cheaply.",
    epilog="Example: antirelou demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _begin(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, help="Show the version and end.", callback=looking.told
        ),
    ] = False,
) -> None:
    _ = version


for _room in (
    beginning,
    running,
    trying,
    looking,
    holding_back,
    steering,
    solving,
    setting_up,
    keyring,
    vaulting,
    saving,
    paging,
    press,
    evidence,
):
    _room.register(app)


def main() -> None:
    """The entry point; never shows a traceback, whose values could be somebody's address."""
    sys.excepthook = _last_words
    options.forgiving()
    # Not app(): that would put typer's own hook in the place of ours.
    typer.main.get_command(app)(prog_name="antirelou")


def _last_words(
    kind: type[BaseException], _error: BaseException, traceback: TracebackType | None
) -> None:
    """A fault of the program itself: what and where, for a report, and no values."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = "somewhere"
    if traceback is not None:
        code = traceback.tb_frame.f_code
        place = f"{Path(code.co_filename).name}:{traceback.tb_lineno}"
    options.note(f"antirelou: unexpected {kind.__name__} at {place}; please report this line")

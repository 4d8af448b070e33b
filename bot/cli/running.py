"""`run`, and `demo`, which is `run` with settings made here, in a folder that is thrown away."""

from __future__ import annotations

import contextlib
import gc
import pathlib
import socket
import tempfile
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from bot.cli import options

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from bot import config as configuration

DEMO_PORT: Final = 8080
_HOST: Final = "127.0.0.1"
DEMO: Final = (
    'channels.sms.kind="simulator"',
    'channels.sms.network="sms"',
    'channels.sms.addresses=["+33639980000"]',
    'channels.sms.prices={default="0.08", FR="0.08", BE="0.09", CH="0.07", GB="0.04"}',
    'channels.signal.kind="simulator"',
    'channels.signal.network="signal"',
    # As people see a handle; one that is zero is nobody's.
    'channels.signal.addresses=["alex.00"]',
    # Enough for a hurried week of people; a raid wants ten times as much.
    'budget.cap_day="60"',
    'budget.cap_month="1000"',
    'log.level="warning"',
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run", epilog="Example: antirelou run --config config.toml")(run)
    app.command("demo", epilog="Example: antirelou demo --speed 360")(demo)


def run(
    *,
    role: Annotated[
        Literal["all", "web", "worker"],
        typer.Option(
            "--role",
            help="On PostgreSQL: web takes messages in, worker sends; any number of each.",
        ),
    ] = "all",
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
) -> None:
    """Take messages in and answer them.

    Makes the database and its key file if there are none; ends at SIGTERM or Ctrl-C.
    """
    with _unswept():
        from bot.cli import opening  # noqa: PLC0415 (slow to import)

        told = opening.load(options.told(config, set_))
        for warning in told.warnings:
            options.note(f"warning: {warning}")
        code = _live(told, is_demo=False, speed=1.0, role=role)
    raise typer.Exit(code)


def demo(
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="8080, or a free one if it is taken."),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            "--speed", min=1, max=3600, help="Seconds that pass in one; 360: 1 h in 10 s."
        ),
    ] = 1.0,
    set_: options.Overrides = None,
) -> None:
    """Try it: a phone in the browser.

    The real program behind it, two made-up channels, no account and no bill. Nothing is kept.
    """
    with tempfile.TemporaryDirectory(prefix="antirelou-demo-") as folder, _unswept():
        from bot import config  # noqa: PLC0415 (slow to import)

        try:
            told = config.load(
                None,
                overrides=(*_places(pathlib.Path(folder), port), *DEMO, *(set_ or ())),
                environ={},
            )
        except config.ConfigError as error:
            options.fail(map(str, error.faults), options.FAULTY)
        code = _live(told, is_demo=True, speed=speed)
    raise typer.Exit(code)


@contextlib.contextmanager
def _unswept() -> Iterator[None]:
    """No sweep for garbage while modules are loaded, which make none: a fifth of the start.

    `app.run` lets the sweeps begin.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _places(folder: pathlib.Path, port: int | None) -> tuple[str, ...]:
    """Where the demo keeps its things and listens."""
    chosen = port if port is not None else (DEMO_PORT if _free(DEMO_PORT) else 0)
    return (
        f"store.url=sqlite:{folder / 'demo.db'}",
        f"store.key_file={folder / 'demo.key'}",
        f"web.host={_HOST}",
        f"web.port={chosen}",
    )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _live(told: configuration.Settings, *, is_demo: bool, speed: float, role: str = "all") -> int:
    """Run the program to its end; what keeps it from starting is told in plain lines."""
    import asyncio  # noqa: PLC0415 (slow to import)

    from bot import app, build, logs, registry  # noqa: PLC0415 (slow to import)
    from bot.cli import opening  # noqa: PLC0415 (slow to import)

    logs.setup(told.log.level, told.log.format)
    with opening.told_plainly(told):
        try:
            living = app.run(
                told,
                demo=is_demo,
                speed=speed,
                role=build.Role(role),
                announce=_panel if is_demo else _line,
            )
            with asyncio.Runner(loop_factory=_loops()) as runner:
                return runner.run(living)
        except registry.RegistryError as error:
            options.fail([f"{key}: {text}" for key, text in error.faults], options.FAULTY)
        except OSError as error:
            where = f"{told.web.host} port {told.web.port}"
            options.fail([f"cannot listen on {where}: {error.strerror}; see web.port"])


def _loops() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Where the `fast` extra is installed its loop, else Python's own."""
    try:
        import uvloop  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        return None
    return uvloop.new_event_loop


def _line(address: str) -> None:
    options.note(f"open {address}")


def _panel(address: str) -> None:
    """The address, alone on its line so that it can be clicked and copied."""
    from rich import console, panel  # noqa: PLC0415 (slow to import)

    out = console.Console(highlight=False)
    words = "Ouvrez cette page / Open this page. Ctrl-C ends the demo; nothing is kept."
    if len(address) + 4 <= out.width:
        out.print(panel.Panel(f"{words}\n\n{address}", title="antirelou", expand=False))
    else:
        out.print(words)
        out.print(address, soft_wrap=True)

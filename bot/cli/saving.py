"""`antirelou backup` and `antirelou restore`: the database; the key file is kept apart from it."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bot.cli import options

if TYPE_CHECKING:
    from bot import config as configuration
    from bot.console import restoring
    from bot.store import database

_LIMIT_S: Final = 2.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup", epilog="Example: antirelou backup /mnt/stick/2026-11-22.db")(backup)
    app.command("restore", epilog="Example: antirelou restore /mnt/stick/2026-11-22.db")(restore)


def backup(
    file: Annotated[pathlib.Path, typer.Argument(metavar="FILE", help="A new file.")],
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Copy the database while the program runs.

    One consistent moment, checked from the first page to the last. Keep the key file elsewhere:
    the copy gives nobody away without it, and is of no use without it. SQLite only; on PostgreSQL
    it names the command to use.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.contract import clock  # noqa: PLC0415 (the same)
    from bot.store import backup as copying  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)
    # Reading it once proves that it is one of ours, and that the key file is the one that fits.
    _, at = opening.read(told, lambda _tx, _at: None)
    path = at.settings.store.file
    if path is None:
        _name_pg_dump(at.settings, file)
    with _plainly():
        made = copying.take(path, file, clock.to_ms(clock.SystemClock().now()))
    if told.as_json:
        options.put_json(dataclasses.asdict(made))
        return
    typer.echo(f"{file}: {made.n_bytes} bytes, {made.replies} replies, checked")
    typer.echo(
        f"Back up {at.settings.store.key_file} too, somewhere else; without it this is noise."
    )


def restore(
    file: Annotated[
        pathlib.Path | None, typer.Argument(metavar="[FILE]", help="A backup; stays as it is.")
    ] = None,
    *,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="store.url holds the old data already (pg_restore, a copied file)."
        ),
    ] = False,
    nothing_was_sent_since: Annotated[
        bool,
        typer.Option(
            "--nothing-was-sent-since",
            help="Go on where the backup ends. If that is not so, people are answered twice.",
        ),
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Put a backup in the place of a database that is gone.

    What waited in it may have been sent since: it is held for a moderator, and sending is paused.
    Never overwrites a database, and refuses while the program runs.
    """
    import asyncio  # noqa: PLC0415 (slow to import)

    from bot.cli import opening  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)
    if in_place == (file is not None):
        options.fail(["name a backup, or say --in-place"], options.FAULTY)
    found = opening.load(told)
    _refuse_running(found)
    quietly = not nothing_was_sent_since
    with opening.told_plainly(), _plainly():
        done = asyncio.run(_restored(found, file, settles=quietly))
    _tell(told, found, done)


def _tell(
    told: options.Told, found: configuration.Settings, done: restoring.Restored | None
) -> None:
    if told.as_json:
        options.put_json({"held": None} if done is None else dataclasses.asdict(done))
        return
    from bot.cli import opening  # noqa: PLC0415 (slow to import)

    typer.echo(f"{opening.named(found)} is in place; antirelou run goes on from there.")
    if done is None:
        return
    typer.echo(
        f"SENDING IS PAUSED. The backup is older than what happened since:\n"
        f"- {done.held} replies waited in it and may have been sent since. They are held; see\n"
        "  antirelou review --replies, and approve only what was not sent.\n"
        f"- {done.unknown} were being sent: unknown, never sent again.\n"
        f"- {done.quiet} people it knows count as answered for a window from now.\n"
        "- Who wrote for the first time since is not in it. What the networks hand over again of\n"
        "  that time is held too; whoever writes anew may be answered a second time.\n"
        "- STOPs, erasures and blocks since are not in it. Erase and block those again.\n"
        "- Money spent since is not in its books: lower budget.cap_day and cap_month by it.\n"
        "When you have looked: antirelou resume"
    )


async def _restored(
    found: configuration.Settings, file: pathlib.Path | None, *, settles: bool
) -> restoring.Restored | None:
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.store import backup as copying  # noqa: PLC0415 (the same)
    from bot.store import choosing, database  # noqa: PLC0415 (the same)

    if file is None:
        return await _settled(found, opening.existing(found), settles=settles)
    path = choosing.file(found.store.url)
    if path is None:
        wrong = "store.url is no file: load the dump with pg_restore, then say --in-place"
        options.fail([wrong], options.FAULTY)
    with copying.bring(file, path) as part:
        done = await _settled(found, database.Store(part), settles=settles)
        copying.fold(part)
    return done


async def _settled(
    found: configuration.Settings, store: database.Store, *, settles: bool
) -> restoring.Restored | None:
    """Opened with its own key file, brought to this program's schema, and made safe."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import restoring  # noqa: PLC0415 (the same)
    from bot.contract import clock  # noqa: PLC0415 (the same)
    from bot.store import schema, vault  # noqa: PLC0415 (the same)

    now_ms = clock.to_ms(clock.SystemClock().now())
    rules = found.core.reply
    try:
        await store.open()
        # Never made here: another key file would open nothing of it.
        vault.load(found.store.key_file)
        await schema.prepare(store, found.store.key_file, found.core.budget.currency)
        if not settles:
            await store.write(lambda tx: restoring.leap(tx, now_ms))
            return None
        who = opening.acting()
        return await store.write(lambda tx: restoring.settle(tx, rules, now_ms=now_ms, who=who))
    finally:
        await store.close()


def _refuse_running(found: configuration.Settings) -> None:
    """A program that runs goes on with what it has open, whatever stands in that place."""
    host, port = found.web.host, found.web.port
    if not port:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_LIMIT_S)
        there = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 (asked, not listened on)
        if probe.connect_ex((there, port)) == 0:
            wrong = f"something listens on {host} port {port}; end antirelou first"
            options.fail([wrong])


def _name_pg_dump(found: configuration.Settings, file: pathlib.Path) -> NoReturn:
    import sqlalchemy as sa  # noqa: PLC0415 (slow to import)

    url = sa.make_url(found.store.url).set(drivername="postgresql", password=None)
    shown = url.render_as_string(hide_password=False)
    dump = f"pg_dump --format=custom --file={file} --dbname='{shown}'"
    back = "pg_restore --dbname=... into an empty database, then antirelou restore --in-place"
    lines = [f"store.url is PostgreSQL, which has its own: {dump}", f"to bring it back: {back}"]
    options.fail(lines, options.FAULTY)


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    from bot.store import backup as copying  # noqa: PLC0415 (slow to import)

    try:
        yield
    except copying.BackupError as error:
        options.fail([str(error)])

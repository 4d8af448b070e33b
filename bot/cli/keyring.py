"""`antirelou keys`: what keys there are, another one for encryption, an old one forgotten.

Works beside running processes: each reads the key file again when it changes, and at once when it
meets a value that is sealed with a key it does not know. No key is ever shown.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli import options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.store import vault

# Until then a process that runs may not have read the file again (it does so every ten seconds).
_HEARD_S: Final = 60
_MEANS: Final = {"mac": "hashes of addresses", "next": "prepared, read with only"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key as it may be shown. `sealed`: values by table; `made`: empty where not known."""

    kind: str
    number: int
    made: str
    fingerprint: str
    in_use: bool
    sealed: Mapping[str, int]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="The keys of the key file: shown, rotated, dropped.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, command in (
        ("show", show),
        ("prepare", prepare),
        ("rotate", rotate),
    ):
        group.command(name, epilog=f"Example: antirelou keys {name}")(command)
    group.command("drop", epilog="Example: antirelou keys drop 1")(drop)
    app.add_typer(group, name="keys")


def show(
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Number, age, fingerprint and use of each key; never a key."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    found, _ = opening.read(told, _keys)
    opening.show(told, found, [_line(one) for one in found])


def prepare(
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Add a key that is read with and not used yet.

    For installations on several hosts: copy the key file to each of them, then rotate.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.store import vault_file  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)
    _, at = opening.read(told, lambda _tx, _at: None)
    with opening.told_plainly():
        number = vault_file.prepare(at.settings.store.key_file, _day())
    _tell(told, {"prepared": number}, f"key {number} is prepared; copy the key file to every host")


def rotate(
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Seal with a new encryption key, and seal again what waits.

    Processes that run follow by themselves. Killed at any point it is simply run again, or the
    janitor ends it.
    """
    import asyncio  # noqa: PLC0415 (slow to import)

    from bot.cli import opening  # noqa: PLC0415 (the same)
    from bot.console import audit  # noqa: PLC0415 (the same)
    from bot.store import vault_file  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)
    _, at = opening.read(told, lambda _tx, _at: None)
    path = at.settings.store.key_file
    with opening.told_plainly():
        number = vault_file.rotate(path, _day())

    def note(tx: sa.Connection, at: opening.At) -> None:
        audit.note(tx, at.now_ms, at.who, "keys_rotated", number=number)

    # Opening it anew is also what makes the database expect the new key from now on.
    _, at = opening.write(_again(told), note)
    with opening.told_plainly():
        counts = asyncio.run(_resealed(at))
    lines = [f"key {number} is in use; back up {path} now, apart from the database"]
    lines.append(f"{counts['resealed']} values sealed again")
    if counts["sealed_stuck"]:
        lines.append(f"{counts['sealed_stuck']} values do not open with any key of the file")
    _tell(told, {"number": number, **counts}, *lines)


def drop(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="As keys show tells it.")],
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Forget an old encryption key, once nothing is sealed with it.

    A backup made before needs the key file that was kept beside it.
    """
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import audit  # noqa: PLC0415 (the same)
    from bot.store import rotation, schema, vault_file  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)

    def work(tx: sa.Connection, at: opening.At) -> None:
        _refuse_in_use(at.keys, number)
        left = rotation.uses(tx).get(number, {})
        if left:
            listed = ", ".join(f"{n} in {where}" for where, n in sorted(left.items()))
            wrong = f"still sealed with key {number}: {listed}; words of people go within 3 days"
            options.fail([wrong])
        _refuse_fresh(at)
        # Before the file: a kill in between leaves a key that nobody needs, and nothing refused.
        schema.drops(tx, f"enc {number}", _day())
        audit.note(tx, at.now_ms, at.who, "keys_dropped", number=number)

    _, at = opening.write(told, work)
    with opening.told_plainly():
        vault_file.drop(at.settings.store.key_file, number)
    _tell(told, {"dropped": number}, f"key {number} is gone; backups made before need their own")


def _refuse_in_use(keys: vault.Vault, number: int) -> None:
    held = [n for kind, n, _, _ in keys.listed() if kind == "enc"]
    if number not in held:
        options.fail([f"there is no encryption key {number}; see antirelou keys show"])
    if number == held[-1]:
        options.fail([f"key {number} is in use; run antirelou keys rotate first"])


def _refuse_fresh(at: opening.At) -> None:
    age_s = time.time() - at.settings.store.key_file.stat().st_mtime
    if age_s < _HEARD_S:
        wrong = "the key file was changed within a minute; a process may still use the old key"
        options.fail([f"{wrong}; wait a minute and run it again"])


def _keys(tx: sa.Connection, at: opening.At) -> list[Key]:
    from bot.store import rotation  # noqa: PLC0415 (slow to import)

    sealed = rotation.uses(tx)
    listed = at.keys.listed()
    newest = {kind: number for kind, number, _, _ in listed}
    return [
        Key(
            kind=kind,
            number=number,
            made=made,
            fingerprint=fingerprint,
            in_use=kind != "next" and newest[kind] == number,
            sealed={} if kind == "mac" else sealed.get(number, {}),
        )
        for kind, number, made, fingerprint in listed
    ]


def _line(key: Key) -> str:
    means = _MEANS.get(key.kind) or ("in use" if key.in_use else "for reading only")
    n = sum(key.sealed.values())
    kind = "enc" if key.kind == "next" else key.kind
    made = f"made {key.made}" if key.made else "of unknown age"
    count = "" if kind == "mac" else f", {n} values"
    return f"{kind} {key.number}  {key.fingerprint}  {made}  {means}{count}"


async def _resealed(at: opening.At) -> Mapping[str, int]:
    """In slices, each a short transaction, as the janitor of a running process does."""
    from bot.janitor import sealed  # noqa: PLC0415 (slow to import)
    from bot.store import choosing  # noqa: PLC0415 (the same)

    store = choosing.store(at.settings.store.url)
    try:
        await store.open()
        return await sealed.reseal(store, at.keys)
    finally:
        await store.close()


def _again(told: options.Told) -> options.Told:
    """The same settings, without saying once more where they are from."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)

    return dataclasses.replace(told, config=opening.source(told))


def _day() -> str:
    from bot.store import vault  # noqa: PLC0415 (slow to import)

    return vault.today()


def _tell(told: options.Told, value: Mapping[str, object], *lines: str) -> None:
    if told.as_json:
        options.put_json(value)
        return
    for line in lines:
        typer.echo(line)

"""`antirelou evidence`: a sealed pack of what is held of somebody, for a complaint; and its check.

Addresses are typed, never repeated, and go into a pack only if the operator says so.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import options, press, steering

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import evidence as packing
    from bot.console import seal

Who = Annotated[
    list[str] | None,
    typer.Option(
        "--person",
        metavar="PERSON",
        help="#code of the room, a reply, an address, or - to type it; may be given again.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    example = "antirelou evidence --person - --from 2026-11-01 --to 2026-11-20 --out complaint.zip"
    app.command("evidence", epilog=f"Example: {example}")(evidence)


def evidence(
    person: Who = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day, as 2026-11-01.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day, included.")
    ] = None,
    out: Annotated[
        pathlib.Path | None, typer.Option("--out", metavar="FILE", help="A file that is not there.")
    ] = None,
    *,
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="Put the addresses in: those typed or waiting.")
    ] = False,
    verify: Annotated[
        pathlib.Path | None,
        typer.Option("--verify", metavar="FILE", help="Check a pack instead of making one."),
    ] = None,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """A signed pack of chosen people and days, for a complaint.

    Times, channels, counts, what was decided, words if they are still there. No address unless
    --with-addresses. It stays in the trail of acts.
    """
    told = options.told(config, set_, json_)
    if verify is not None:
        _verify(told, verify, _typed(person or ()))
        return
    days = press.day(first, "--from"), press.day(last, "--to")
    if not person or days[0] is None or days[1] is None or out is None:
        wrong = "say whom, when and where to: --person, --from, --to, --out (or --verify FILE)"
        options.fail([wrong], options.FAULTY)
    if days[0] > days[1]:
        options.fail(["--from is after --to"], options.FAULTY)
    _make(told, _typed(person), (days[0], days[1]), out, with_addresses=with_addresses)


def _make(
    told: options.Told,
    typed: Sequence[str],
    days: tuple[str, str],
    out: pathlib.Path,
    *,
    with_addresses: bool,
) -> None:
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import audit, evidence, seal  # noqa: PLC0415 (the same)

    if out.exists():
        options.fail([f"{out} is there already; name another file"], options.FAULTY)

    def work(tx: sa.Connection, at: opening.At) -> tuple[bytes, str, str]:
        given = _persons(tx, at, typed)
        files = evidence.gather(
            tx,
            at.keys,
            list(given),
            _span(at, days),
            addresses=given if with_addresses else None,
            now_ms=at.now_ms,
        )
        secret = seal.key(seal.beside(at.settings.store.key_file))
        made = at.times.at(at.now_ms)
        pack, digest = seal.sealed(files, secret, made=made)
        audit.note(
            tx,
            at.now_ms,
            at.who,
            "evidence",
            persons=list(given),
            days=f"{days[0]} {days[1]}",
            addresses="yes" if with_addresses else "no",
            manifest=digest,
        )
        return pack, digest, seal.opened(pack).fingerprint

    try:
        (pack, digest, fingerprint), _ = opening.write(told, work)
    except seal.SealError as error:
        options.fail([str(error)])
    _write(out, pack)
    if told.as_json:
        options.put_json({"file": str(out), "manifest": digest, "fingerprint": fingerprint})
        return
    typer.echo(f"{out}: {len(pack):,} bytes, for its owner's eyes only (mode 600)")
    typer.echo(f"manifest {digest}")
    typer.echo(f"key      {fingerprint}")
    options.note("Give the key's fingerprint by another way than the pack. Keep a copy of both.")


def _persons(tx: sa.Connection, at: opening.At, typed: Sequence[str]) -> dict[int, list[str]]:
    """Each person once -> the addresses that were typed for them; ends if one is nobody."""
    from bot.console import people  # noqa: PLC0415 (slow to import)
    from bot.console.room import codes  # noqa: PLC0415 (the same)

    found: dict[int, list[str]] = {}
    for number, one in enumerate(typed, 1):
        if one.startswith("#"):
            person = codes.person(tx, one.lower(), at.now_ms)
            meant: Sequence[int] = [] if person is None else [person]
        else:
            meant = steering.find(tx, at, one)
        if not meant:
            wrong = "nobody is known by it, or the code is over"
            options.fail([f"--person, number {number}: {wrong}"])
        is_address = bool(people.read_address(one))
        for person in meant:
            found.setdefault(person, []).extend([one] if is_address else [])
    return found


def _span(at: opening.At, days: tuple[str, str]) -> packing.Span:
    from bot.console import evidence  # noqa: PLC0415 (slow to import)
    from bot.policy import periods  # noqa: PLC0415 (the same)

    zone = at.core.budget.timezone
    return evidence.Span(
        first=days[0],
        last=days[1],
        zone=str(zone),
        from_ms=periods.day_start_ms(days[0], zone),
        until_ms=periods.day_start_ms(periods.next_day(days[1]), zone),
    )


def _verify(told: options.Told, file: pathlib.Path, typed: Sequence[str]) -> None:
    from bot.console import seal  # noqa: PLC0415 (slow to import)

    try:
        found = seal.opened(file.read_bytes())
    except OSError as error:
        options.fail([f"cannot read {file}: {error.strerror}"])
    except seal.SealError as error:
        options.fail([f"{file}: {error}"])
    named = [_who(told, found, one) for one in typed]
    if told.as_json:
        shown = {"made": found.made, "manifest": found.digest, "fingerprint": found.fingerprint}
        options.put_json({"ok": True, **shown, "persons": named})
        return
    typer.echo(f"as it was signed: {len(found.files)} files, made {options.printable(found.made)}")
    typer.echo(f"manifest {found.digest}")
    typer.echo(f"key      {found.fingerprint}")
    for number, name in enumerate(named, 1):
        typer.echo(f"--person, number {number}: {name or 'nobody in this pack'}")
    options.note("Anybody can make a key: compare its fingerprint with what the collective says.")


def _who(told: options.Told, pack: seal.Opened, typed: str) -> str | None:
    """Which person of the pack has this address, by our keys; None if none."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import evidence, people  # noqa: PLC0415 (the same)
    from bot.store import vault  # noqa: PLC0415 (the same)

    addresses = people.read_address(typed)
    if not addresses:
        options.fail([f"--person: that is no address; {steering.HOW}"], options.FAULTY)
    settings = opening.load(told)
    with opening.told_plainly(settings):
        keys = vault.load(settings.store.key_file)
    hashes = {h.hex() for a in addresses for h in keys.hash_address(a.network, a.value)}
    for one in json.loads(pack.files.get(evidence.PERSONS, b"[]")):
        if hashes & set(one["keyed_hashes"]):
            return options.printable(str(one["person"]))
    return None


def _typed(given: Sequence[str]) -> list[str]:
    """`-` keeps an address out of the shell's history."""
    return [(sys.stdin.readline() if one == "-" else one).strip() for one in given]


def _write(path: pathlib.Path, pack: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pack)
    except OSError as error:
        options.fail([f"cannot write {path}: {error.strerror}"])

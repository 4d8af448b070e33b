"""`antirelou erase` and `antirelou export`: only after the person's own proof.

Whoever asks is given a word and sends it from that very address; then the same command is run
again. An address is asked for, or read from standard input, so that no shell keeps it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

import typer

from bot.cli import options, steering

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import vault_acts
    from bot.contract import address as contract

T = TypeVar("T")
# One person's share of it, and the reason that stood for their proof if any did.
Work: TypeAlias = "Callable[[sa.Connection, opening.At, int, str | None], T]"
Say: TypeAlias = "Callable[[options.Told, list[T]], None]"
Whose = Annotated[
    str | None,
    typer.Argument(
        metavar="[ADDRESS]",
        help="Better left out: it is asked for. - reads standard input.",
    ),
]
Otherwise = Annotated[
    str | None,
    typer.Option(
        "--proved-otherwise",
        metavar="REASON",
        help="Without a word: a court's order, say. Stays in the trail; no name, no number.",
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Hand out another word.")]
_GIVES_AWAY = re.compile(r"@|\+|(?:\d[ .()/-]?){7,}")
_LONGEST: Final = 200


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _add(app, "erase", _erase, _say_erased, example="antirelou erase")
    _add(app, "export", _export, _say_all, example="antirelou export --json")


def _add(app: typer.Typer, name: str, work: Work[T], say: Say[T], *, example: str) -> None:
    """A command that does `work` for each person who proved it, and says what came of it.

    Its help is what `work` says of itself.
    """

    def command(
        address: Whose = None,
        *,
        proved_otherwise: Otherwise = None,
        again: Again = False,
        config: options.ConfigFile = None,
        set_: options.Overrides = None,
        json_: options.Json = False,
    ) -> None:
        told = options.told(config, set_, json_)
        say(told, _proved(told, name, address, proved_otherwise, again=again, work=work))

    app.command(name, help=work.__doc__, epilog=f"Example: {example}")(command)


def _erase(tx: sa.Connection, at: opening.At, person: int, why: str | None) -> vault_acts.Erased:
    """Forget a person who asked for it, after their proof.

    The proof is a word that they send from their own address.

    Run it to get the word, and again when they have sent it. A keyed hash stays while a window,
    an opt-out or a block needs it; what was sent is removed at its provider where it is to be.
    """
    from bot.console import vault_acts  # noqa: PLC0415 (slow to import)

    return vault_acts.erase(tx, at.keys, person, now_ms=at.now_ms, who=at.who, why=why)


def _say_erased(told: options.Told, done: Sequence[vault_acts.Erased]) -> None:
    if told.as_json:
        from bot.console import results  # noqa: PLC0415 (slow to import)

        options.put_json({"erased": results.as_json(done)})
        return
    for one in done:
        typer.echo(f"Forgotten: {one.messages} messages, {one.replies} replies.")
        if one.left:
            typer.echo(f"{one.left} replies may be on their way; they stay, without address.")
        if one.at_provider:
            typer.echo(
                f"{one.at_provider} replies went out: the running antirelou has them removed at "
                "their providers where `at_provider` says so. Until then, 30 days at the most, "
                "the provider's name of each stays here, joined to nobody."
            )
        if one.kept:
            typer.echo("A keyed hash stays while a window, an opt-out or a block needs it.")
    typer.echo("Backups made before still hold it: they go when they are replaced.")


def _export(
    tx: sa.Connection, at: opening.At, person: int, why: str | None
) -> Mapping[str, object]:
    """All that is kept of a person, after their proof.

    The proof is a word that they send from their own address.

    Run it to get the word, and again when they have sent it. Hand the output to that person only.
    """
    from bot.console import vault_acts  # noqa: PLC0415 (slow to import)

    currency = at.core.budget.currency
    return vault_acts.export(tx, at.keys, person, currency, now_ms=at.now_ms, who=at.who, why=why)


def _say_all(told: options.Told, done: Sequence[Mapping[str, object]]) -> None:
    if told.as_json:
        options.put_json({"persons": done})
        return
    for one in done:
        _print(one)


def _print(value: Mapping[str, object], indent: str = "") -> None:
    for key, inner in value.items():
        name = f"{indent}{key.replace('_', ' ')}"
        if not isinstance(inner, list):
            typer.echo(options.printable(f"{name}: {'-' if inner is None else inner}"))
            continue
        typer.echo(f"{name}: {len(inner)}")
        for item in inner:
            _print(item, f"{indent}    ")
            typer.echo()


def _proved(
    told: options.Told,
    kind: str,
    given: str | None,
    reason: str | None,
    *,
    again: bool,
    work: Work[T],
) -> list[T]:
    """What `work` says of each person who has proved it; ends where nobody has yet."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import proofs  # noqa: PLC0415 (the same)

    _refuse_reason(reason)
    typed = _typed(given)

    def act(tx: sa.Connection, at: opening.At) -> tuple[list[T], str | None]:
        addresses, persons = _named(tx, at, typed)
        place = proofs.of(at.keys, addresses)
        sure = (
            proofs.proven(tx, kind, place, persons, at.now_ms) if reason is None else list(persons)
        )
        if sure and not again:
            proofs.used(tx, kind, place)
            return [work(tx, at, one, reason) for one in sure], None
        return [], _word(tx, at, kind, place, again=again)

    (done, word), _ = opening.write(told, act)
    if word is not None:
        _hand_over(told, word)
        raise typer.Exit
    return done


def _named(
    tx: sa.Connection, at: opening.At, typed: str
) -> tuple[Sequence[contract.Address], Sequence[int]]:
    from bot.console import people  # noqa: PLC0415 (slow to import)

    addresses = people.read_address(typed)
    if not addresses:
        options.fail([f"that is no address; {steering.HOW}"])
    persons = people.find(tx, at.keys, addresses)
    if not persons:
        options.fail(["nothing is kept of this address"])
    return addresses, persons


def _word(
    tx: sa.Connection, at: opening.At, kind: str, place: tuple[str, str], *, again: bool
) -> str:
    """A new word; ends if one was handed out and has not come."""
    from bot.console import audit, proofs  # noqa: PLC0415 (slow to import)

    until_ms = proofs.waits_until(tx, kind, place, at.now_ms)
    if until_ms is not None and not again:
        until = at.times.at(until_ms)
        wrong = f"the word handed out has not come yet; it counts until {until}; --again: another"
        options.fail([wrong])
    word = proofs.hand_out(tx, at.keys, kind, place=place, now_ms=at.now_ms, who=at.who)
    audit.note(tx, at.now_ms, at.who, f"{kind}_asked")
    return word


def _hand_over(told: options.Told, word: str) -> None:
    if told.as_json:
        options.put_json({"word": word})
        return
    options.note(
        "Let them send exactly this, from their own address, to the address of ours that they "
        "wrote to, within a week; nothing is answered to it. Then run this command again:"
    )
    typer.echo(word)


def _refuse_reason(reason: str | None) -> None:
    if reason is None:
        return
    if not reason.strip() or len(reason) > _LONGEST:
        options.fail([f"--proved-otherwise: say why, in {_LONGEST} characters"], options.FAULTY)
    if _GIVES_AWAY.search(reason):
        wrong = "--proved-otherwise: it stays in the trail for good; leave numbers and handles out"
        options.fail([wrong], options.FAULTY)


def _typed(given: str | None) -> str:
    """The address: asked for on a terminal, else the first line of standard input."""
    if given not in {None, "-"}:
        return str(given)
    if given is None and sys.stdin.isatty():
        typed: str = typer.prompt("Address", hide_input=True, err=True)
        return typed
    return sys.stdin.readline()

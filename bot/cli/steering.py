"""Commands that change something: pause, resume, persons, money."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli import options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli import opening
    from bot.console import results

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")
_UNITS_S: Final = (86_400, 3_600, 60, 1)
_LONGEST_S: Final = 366 * 86_400

Channel = Annotated[str | None, typer.Argument(metavar="CHANNEL", help="Only this channel.")]
Person = Annotated[
    str,
    typer.Argument(
        metavar="PERSON", help="A reply, an address, or - to read the address from standard input."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command, example in (
        ("pause", pause, "antirelou pause sms --for 2h"),
        ("resume", resume, "antirelou resume"),
        ("block", block, "antirelou block -   (then type the address)"),
        ("unblock", unblock, "antirelou unblock 0000000000000007a1b2c3d4e5f60718"),
        ("donate", donate, "antirelou donate 25.00"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def pause(
    channel: Channel = None,
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="SPAN", help="90s, 30m, 2h, 1d; else until resume."),
    ] = None,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Send nothing; messages are still taken in."""
    from bot.console import holding  # noqa: PLC0415 (slow to import)

    span_s = None if for_ is None else seconds(for_)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        _known_channel(at, channel)
        until_ms = None if span_s is None else at.now_ms + span_s * 1000
        return holding.pause(tx, now_ms=at.now_ms, who=at.who, channel=channel, until_ms=until_ms)

    act(options.told(config, set_, json_), work)


def resume(
    channel: Channel = None,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Send again: lift every pause.

    With a channel: lift its pause, its stop after the network refused the account, and its wait
    for somebody to solve the network's challenge.
    """
    from bot.console import holding  # noqa: PLC0415 (slow to import)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        _known_channel(at, channel)
        return holding.resume(tx, now_ms=at.now_ms, who=at.who, channel=channel)

    act(options.told(config, set_, json_), work)


def block(
    person: Person,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Never answer a person; cancel what waits."""
    from bot.console import people  # noqa: PLC0415 (slow to import)

    typed = _typed(person)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        persons = find(tx, at, typed)
        return people.block(tx, persons, keys=at.keys, now_ms=at.now_ms, who=at.who)

    act(options.told(config, set_, json_), work)


def unblock(
    person: Person,
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Let a person be answered again.

    Only if they write again, and not if they opted out.
    """
    from bot.console import people  # noqa: PLC0415 (slow to import)

    typed = _typed(person)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        persons = find(tx, at, typed)
        return people.unblock(tx, persons, keys=at.keys, now_ms=at.now_ms, who=at.who)

    act(options.told(config, set_, json_), work)


def donate(
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="In budget.currency; -- -5 takes 5 back.")
    ],
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Book a cleared donation; no name is kept."""
    from bot.console import funds  # noqa: PLC0415 (slow to import)
    from bot.contract import money  # noqa: PLC0415 (slow to import)

    def work(tx: sa.Connection, at: opening.At) -> results.Done:
        budget = at.core.budget
        try:
            given = money.parse(amount, budget.currency)
        except ValueError as error:
            options.fail([f"AMOUNT: {error}; write it as 25.00"], options.FAULTY)
        if abs(given.micros) > _LARGEST_MICROS:
            options.fail(["AMOUNT: that is more than a million; book less"], options.FAULTY)
        return funds.donate(tx, given, budget, now_ms=at.now_ms, who=at.who)

    act(options.told(config, set_, json_), work)


_LARGEST_MICROS: Final = 1_000_000 * 1_000_000
HOW: Final = (
    "write a number with its + and country code, a Signal account as its ACI, a Matrix user as "
    "@name:server"
)


def find(tx: sa.Connection, at: opening.At, typed: str) -> Sequence[int]:
    """The persons meant by a reply or an address; ends if it is neither."""
    from bot.console import names, people  # noqa: PLC0415 (slow to import)

    reply = names.reply_id(at.keys, typed)
    if reply is not None:
        person = people.of_reply(tx, reply)
        if person is None:
            options.fail(["there is no such reply"])
        return [person]
    addresses = people.read_address(typed)
    if not addresses:
        options.fail([f"that is neither a reply nor an address; {HOW}"])
    return people.find(tx, at.keys, addresses)


def act(told: options.Told, work: Callable[[sa.Connection, opening.At], results.Done]) -> None:
    """Do it in a transaction of its own and say what came of it."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)

    done, _ = opening.write(told, work)
    opening.finish(told, done)


def _known_channel(at: opening.At, channel: str | None) -> None:
    channels = at.settings.channels
    if channel is not None and channel not in channels:
        known = ", ".join(channels) or "none"
        options.fail([f"there is no channel of that name; there are: {known}"])


def _typed(person: str) -> str:
    """What was typed; `-` keeps an address out of the shell's history."""
    return sys.stdin.readline() if person == "-" else person


def seconds(span: str) -> int:
    """`1h30m` in seconds; ends if it is none."""
    found = _SPAN.match(span.strip().lower())
    parts = found.groups() if found else ()
    total = sum(int(n) * unit for n, unit in zip(parts, _UNITS_S, strict=False) if n)
    if not 0 < total <= _LONGEST_S:
        options.fail(["--for: write a span such as 90s, 30m, 2h or 1d"], options.FAULTY)
    return total

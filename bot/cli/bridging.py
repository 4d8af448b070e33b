"""What bridges find about themselves and the provider: for `check`, and `setup CHANNEL`.

The bridges are made for this one question and closed again. They see what the installation keeps
for them; nothing of it is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import typer

from bot.cli import options
from bot.contract import bridge

if TYPE_CHECKING:
    from bot import config

LIMIT_S: Final = 60.0
Found = tuple[str, bridge.Finding]


def ask(made: Mapping[str, bridge.Bridge]) -> list[Found]:
    """Everything that the bridges find, in the order of the channels; closes them."""
    return asyncio.run(_asked(made))


async def _asked(made: Mapping[str, bridge.Bridge]) -> list[Found]:
    able = {n: b for n, b in made.items() if isinstance(b, bridge.ChecksItself)}
    try:
        told = await asyncio.gather(*(_within(one.check()) for one in able.values()))
    finally:
        await _close(made)
    # Several ways of writing one address may show the same thing: it is told once.
    found = [(name, one) for name, listed in zip(able, told, strict=True) for one in listed]
    return list(dict.fromkeys(found))


async def _within(question: Awaitable[Sequence[bridge.Finding]]) -> Sequence[bridge.Finding]:
    """The findings; one finding where the bridge broke its promise to answer."""
    (answer,) = await asyncio.gather(asyncio.wait_for(question, LIMIT_S), return_exceptions=True)
    if not isinstance(answer, BaseException):
        return answer
    return [
        bridge.Finding(
            verdict=bridge.Verdict.FAULT,
            about="check",
            sentence=f"the bridge could not look ({type(answer).__name__})",
            mend="see whether the provider can be reached from here, and report it if so",
        )
    ]


async def _close(made: Mapping[str, bridge.Bridge]) -> None:
    await asyncio.gather(*(one.close() for one in made.values()), return_exceptions=True)


def sentence(one: bridge.Finding) -> str:
    """A finding as one line."""
    return f"{one.about}: {one.sentence}" + (f"; {one.mend}" if one.mend else "")


# ---------------------------------------------------------------- setup

_MARKS: Final = {
    bridge.Verdict.GOOD: "ok",
    bridge.Verdict.WARNING: "warning",
    bridge.Verdict.FAULT: "FAULT",
}


def set_up(told: options.Told, found: config.Settings, channel: str, *, apply: bool) -> None:
    """Show, or with `apply` do, what a channel's bridge would set up; exit code 1 on a fault."""
    from bot.cli import pricing  # noqa: PLC0415 (it makes the bridges with what is here)

    if channel not in found.channels:
        known = ", ".join(found.channels)
        options.fail([f"there is no channel {channel}; there are: {known}"], options.FAULTY)
    made = pricing.bridges(found, writes=apply)
    way = made[channel]
    if not isinstance(way, bridge.SetsUp):
        asyncio.run(_close(made))
        kind = found.channels[channel].kind
        options.fail([f"{channel}: the bridge {kind} has nothing to set up"], options.FAILED)

    async def work() -> Sequence[bridge.Finding]:
        try:
            return await _within(way.set_up(apply=apply))
        finally:
            await _close(made)

    findings = asyncio.run(work())
    faulty = any(one.verdict is bridge.Verdict.FAULT for one in findings)
    if told.as_json:
        options.put_json({"ok": not faulty, "applied": apply, "findings": plain(channel, findings)})
    else:
        for one in findings:
            typer.echo(options.printable(f"{_MARKS[one.verdict]:<8}{sentence(one)}"))
        if not apply:
            options.note("nothing was changed; --apply does it")
    if faulty:
        options.fail((), options.FAILED)


def plain(channel: str, findings: Sequence[bridge.Finding]) -> list[dict[str, str]]:
    """Findings for a program."""
    return [
        {
            "channel": channel,
            "verdict": one.verdict.value,
            "about": one.about,
            "sentence": one.sentence,
            "mend": one.mend,
        }
        for one in findings
    ]

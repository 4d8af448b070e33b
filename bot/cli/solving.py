"""`antirelou captcha`: hands a solved captcha to the network and lets its channel go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import options

if TYPE_CHECKING:
    from bot import config
    from bot.console import results
    from bot.contract import bridge, clock
    from bot.store import database


def register(app: typer.Typer) -> None:
    """Add the command."""
    example = "antirelou captcha signal 'signalcaptcha://signal-hcaptcha...'"
    app.command("captcha", epilog=f"Example: {example}")(captcha)


def captcha(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel that waits.")],
    answer: Annotated[
        str,
        typer.Argument(metavar="ANSWER", help="What the captcha gave; - reads standard input."),
    ],
    *,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Answer the challenge of a network that wants to see a human.

    Only when the network takes the answer does the channel send again. Quote the answer: it holds
    characters that a shell would read.
    """
    import asyncio  # noqa: PLC0415 (slow to import)

    from bot.cli import opening  # noqa: PLC0415 (the same)

    told = options.told(config, set_, json_)
    given = (sys.stdin.readline() if answer == "-" else answer).strip()
    found = opening.load(told)
    if channel not in found.channels:
        known = ", ".join(found.channels) or "none"
        options.fail([f"there is no channel of that name; there are: {known}"])
    with opening.told_plainly():
        done = asyncio.run(_hand_in(found, channel, given))
    opening.finish(told, done)


async def _hand_in(found: config.Settings, channel: str, answer: str) -> results.Done:
    """With the channel's own storage, so that the running program sees what the bridge changed."""
    from bot.cli import opening  # noqa: PLC0415 (slow to import)
    from bot.console import challenge  # noqa: PLC0415
    from bot.contract import clock  # noqa: PLC0415
    from bot.store import schema  # noqa: PLC0415

    moment = clock.SystemClock()
    store = opening.existing(found)
    try:
        await store.open()
        if await store.read(schema.revision) != schema.HEAD:
            raise schema.SchemaError("the database is of another version; run antirelou migrate")
        made = _bridge(found, channel, store, moment)
        try:
            now_ms = clock.to_ms(moment.now())
            return await challenge.hand_in(store, made, answer, now_ms=now_ms, who=opening.acting())
        finally:
            await made.close()
    finally:
        await store.close()


def _bridge(
    found: config.Settings, channel: str, store: database.Store, moment: clock.Clock
) -> bridge.Bridge:
    """The bridge of this one channel, not listening; ends with every fault of its settings."""
    from bot import build, registry  # noqa: PLC0415 (slow to import)

    try:
        made = build.bridges_of(
            [found.channels[channel]],
            store=store,
            moment=moment,
            currency=found.core.budget.currency,
            public_url=found.web.public_url,
        )
    except registry.RegistryError as error:
        options.fail([f"{key}: {text}" for key, text in error.faults], options.FAULTY)
    return made[channel]

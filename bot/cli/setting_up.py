"""Commands that set a provider up for us: setup, twilio setup."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli import options

Apply = Annotated[bool, typer.Option("--apply", help="Do it; else it is only shown.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("setup", epilog="Example: antirelou setup sms --apply")(setup)
    twilio = typer.Typer(
        help="What `setup` does, for every channel at Twilio.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    twilio.command("setup", epilog="Example: antirelou twilio setup --apply")(twilio_setup)
    # A group of one command would lose its name.
    twilio.callback()(_group)
    app.add_typer(twilio, name="twilio")


def _group() -> None:
    """What concerns Twilio."""


def setup(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A configured channel.")],
    *,
    apply: Apply = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """Set a channel's provider up, and verify it.

    Webhooks, texts, names, keys: shown, and done with --apply.
    """
    from bot.cli import bridging, opening  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    bridging.set_up(told, opening.load(told), channel, apply=apply)


def twilio_setup(
    *,
    apply: Apply = False,
    config: options.ConfigFile = None,
    set_: options.Overrides = None,
    json_: options.Json = False,
) -> None:
    """As `setup`, for every channel of the kind sms.twilio."""
    from bot.cli import bridging, opening  # noqa: PLC0415 (slow to import)

    told = options.told(config, set_, json_)
    found = opening.load(told)
    names = [name for name, one in found.channels.items() if one.kind == "sms.twilio"]
    if not names:
        options.fail(['no channel has kind = "sms.twilio"; see docs/sms.md'], options.FAULTY)
    for name in names:
        bridging.set_up(told, found, name, apply=apply)

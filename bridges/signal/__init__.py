"""Signal, through a program of one's own machine: signal-cli-rest-api or signal-cli's daemon.

Replies cost nothing and reach people who hide their number. docs/signal.md says how to get from
nothing to a registered handle, which way of receiving loses what, and what to do when Signal asks
for a captcha.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from bot.contract import bridge as contract
from bot.contract import first_run
from bridges.signal import bridge as bridge
from bridges.signal import settings as settings

START = (
    first_run.Start(
        name="signal",
        title="a number registered at Signal (replies are free)",
        page="signal.md",
        questions=(
            first_run.Question(key="number", ask="The account's number with its +"),
            first_run.Question(
                key="url",
                ask="Where signal-cli-rest-api listens",
                why="On this machine. Of signal-cli's own daemon: unix:///run/signal-cli/socket",
                default="http://127.0.0.1:8081",
            ),
            first_run.Question(
                key="secret",
                ask="Secret of the webhook's address",
                why="Made now; it ends the address that signal-cli-rest-api posts to.",
                default=lambda: secrets.token_hex(16),
            ),
        ),
    ),
)


def create(table: Mapping[str, object], context: contract.Context) -> bridge.Signal:
    """The bridge of one `[channels.NAME]` with `kind = "signal"`; raises SettingsError."""
    return bridge.create(settings.read(table, context.channel), context)

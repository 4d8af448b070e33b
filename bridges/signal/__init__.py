"""Signal, through a program of one's own machine: signal-cli-rest-api or signal-cli's daemon.

Replies cost nothing and reach people who hide their number. docs/signal.md says how to get from
nothing to a registered handle, which way of receiving loses what, and what to do when Signal asks
for a captcha.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bridges.signal import bridge as bridge
from bridges.signal import settings as settings


def create(table: Mapping[str, object], context: contract.Context) -> bridge.Signal:
    """The bridge of one `[channels.NAME]` with `kind = "signal"`; raises SettingsError."""
    return bridge.create(settings.read(table, context.channel), context)

"""Phones in the browser: a network that costs nothing and reaches nobody real.

It is a bridge like any other, so whatever is tried here goes through the same rooms as a real
message. `antirelou demo`, the example configuration and the kill tests use it. The page is at
`/phone/`, one for all simulator channels; each channel's own API is below `/phone/<channel>/`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bridges.simulator import bridge, settings


def create(table: Mapping[str, object], context: contract.Context) -> bridge.Simulator:
    """The bridge of one `[channels.NAME]` with `kind = "simulator"`; raises SettingsError."""
    return bridge.Simulator(settings.read(table, context.currency), context)

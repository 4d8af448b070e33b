"""Matrix: the moderators' room (`role = "room"`) and the public handle (`role = "public"`).

Two accounts, two channels. Neither ever logs in or out by itself; see docs/matrix.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bridges.matrix import bridge, handle, settings


def create(
    table: Mapping[str, object], context: contract.Context
) -> bridge.Moderators | handle.Handle:
    """The bridge of one `[channels.NAME]` with `kind = "matrix"`; raises SettingsError."""
    chosen = settings.read(table)
    if chosen.role == settings.ROOM:
        return bridge.Moderators(chosen, context)
    return handle.Handle(chosen, context)

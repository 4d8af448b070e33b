"""SMS through Twilio: signed webhooks in, the official SDK out, every cent known.

`settings` reads the table, `wire` and `signature` judge what comes in, `webhooks` answers it,
`sending` and `asking` talk to Twilio through `client`, `errors` says what its codes mean,
`tariff` what a part costs, `checking`, `setup`, `outside` and `cover` look after the account.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bridges.sms.twilio import bridge, settings


def create(table: Mapping[str, object], context: contract.Context) -> bridge.Twilio:
    """The bridge of one `[channels.NAME]` with `kind = "sms.twilio"`; raises SettingsError."""
    return bridge.make(settings.read(table), context)

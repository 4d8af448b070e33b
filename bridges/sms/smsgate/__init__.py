"""An Android phone as the gateway: the app SMSGate, by its own API or through its server.

A SIM receives free of charge, nobody but the carrier reads along, and a plan's texts cost nothing
more. The price is a phone that must stay awake: hence the heartbeat, the sweep of its inbox and
the checklist of `check`. Facts: PROVIDERS.md; docs.sms-gate.app and the app's source, read in
November 2026.

What can be lost: nothing that the phone took in. It keeps an event until we answer 200 (14 tries
in about two days) and its inbox for longer; `sweep` reads that after every start.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bridges.sms.smsgate import bridge, settings


def create(table: Mapping[str, object], context: contract.Context) -> bridge.SmsGate:
    """The bridge of one `[channels.NAME]` with `kind = "sms.smsgate"`; raises SettingsError."""
    return bridge.SmsGate(settings.read(table, context.currency), context)

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
from bot.contract import first_run
from bridges.sms.smsgate import bridge, settings

START = (
    first_run.Start(
        name="phone",
        title="an old Android phone with a SIM of its own (its plan is all it costs)",
        page="sms.md",
        questions=(
            first_run.Question(key="api", fixed="phone"),
            first_run.Question(
                key="url",
                ask="Address of the phone",
                why="SMSGate, Local Server, as the app shows it; the phone in your own network.",
                default="http://192.168.1.10:8080",
            ),
            first_run.Question(key="username", ask="User name", why="On the same page of the app."),
            first_run.Question(key="password", ask="Password", secret=True),
            first_run.Question(
                key="signing_key",
                ask="Signing key",
                why="Settings, Webhooks: without it anybody could claim to be the phone.",
                secret=True,
            ),
            first_run.Question(
                key="device_id", ask="Device id", why="Settings, Cloud Server or About."
            ),
            first_run.Question(
                key="addresses",
                ask="Number of the SIM with its +",
                why="One a SIM.",
                many=True,
            ),
            first_run.Question(
                key="recipients_per_month",
                ask="People it may write to in a month",
                why="Plans without limit have one all the same, in France often 200 to 250 people.",
                default=200,
            ),
            first_run.Question(key="parts_per_hour", fixed=60),
        ),
    ),
)


def create(table: Mapping[str, object], context: contract.Context) -> bridge.SmsGate:
    """The bridge of one `[channels.NAME]` with `kind = "sms.smsgate"`; raises SettingsError."""
    return bridge.SmsGate(settings.read(table, context.currency), context)

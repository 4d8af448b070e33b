"""SMS through Twilio: signed webhooks in, the official SDK out, every cent known.

`settings` reads the table, `wire` and `signature` judge what comes in, `webhooks` answers it,
`sending` and `asking` talk to Twilio through `client`, `errors` says what its codes mean,
`tariff` what a part costs, `checking`, `setup`, `outside` and `cover` look after the account.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bot.contract import first_run
from bridges.sms.twilio import bridge, settings

START = (
    first_run.Start(
        name="twilio",
        title="an account at Twilio (every country, dear)",
        page="sms.md",
        currency="USD",
        questions=(
            first_run.Question(
                key="account_sid",
                ask="Account SID",
                why="Console, Account Info. It begins with AC.",
            ),
            first_run.Question(
                key="auth_token",
                ask="Auth token",
                why="Beside it. Whoever has it can spend your credit.",
                secret=True,
            ),
            first_run.Question(
                key="addresses",
                ask="Number with its +",
                why="The numbers you rent there, that people will write to.",
                many=True,
            ),
        ),
    ),
)


def create(table: Mapping[str, object], context: contract.Context) -> bridge.Twilio:
    """The bridge of one `[channels.NAME]` with `kind = "sms.twilio"`; raises SettingsError."""
    return bridge.make(settings.read(table), context)

"""The closed set of what can become of one send.

Each answers four questions: try again? try another route? who must know? did money move?

    Outcome          again?            another route?   who must know          money
    Accepted         never             never            nobody                 posted
    Rejected         never             if retriable     nobody, or by reason   voided, or the fee
    NotNow           after retry_at    yes, if certain  moderators: challenge  voided
    Unknown          never by itself   never            moderators, at last    stays reserved

When in doubt, return Unknown: a lost reply is a pity, a doubled one is harassment.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

from bot.contract import money


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took it under `provider_id`. `price` only if it was told already."""

    provider_id: str
    parts: int | None = None
    price: money.Money | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Certainly not sent and never will be by this route. `reason`: a short word, no address.

    `opt_out`: the network says he opted out. `fee`: what the refusal itself cost.
    `another_route`: whether another channel may be tried (a landline is none for anybody).
    `stop_channel`: the account itself is refused (auth, suspended): stop feeding, alert.
    """

    reason: str
    opt_out: bool = False
    fee: money.Money | None = None
    another_route: bool = False
    stop_channel: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """Certainly not sent, may be later. `challenge`: a token a moderator must solve first."""

    reason: str
    retry_at: dt.datetime
    challenge: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may have gone out: time limit, cut connection, 5xx, an answer nobody can read."""

    reason: str


Outcome = Accepted | Rejected | NotNow | Unknown

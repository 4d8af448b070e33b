"""The closed set of what can become of one send.

Each answers three questions: try again? who must know? did money move?

    Outcome          again?            who must know          money
    Accepted         never             nobody                 posted
    Rejected         never             nobody, or by reason   voided, or the fee
    NotNow           after retry_at    moderators: challenge  voided
    Unknown          never by itself   moderators, at last    stays reserved

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
    `stop_channel`: the account itself is refused (auth, suspended): stop feeding, alert; the
    reply waits until a moderator resumes the channel.
    """

    reason: str
    opt_out: bool = False
    fee: money.Money | None = None
    stop_channel: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """Certainly not sent, may be later.

    `challenge`: a token that a moderator must solve first; until they resume the channel it is
    given nothing more.
    """

    reason: str
    retry_at: dt.datetime
    challenge: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may have gone out: time limit, cut connection, 5xx, an answer nobody can read."""

    reason: str


Outcome = Accepted | Rejected | NotNow | Unknown

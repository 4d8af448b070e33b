"""What the one Signal bridge asks of whatever stands between it and Signal.

Two implement it: `rest` (signal-cli-rest-api: webhook, polling, websocket) and `daemon`
(signal-cli's own JSON-RPC). A transport does I/O and names what it heard; it decides nothing,
keeps no queue, knows nothing of people or money. Envelopes are handed on as they came (decoded
JSON): `wire` reads them, so both ways in are read by the same code.

Each of the two modules has `create(chosen: settings.Settings, moment: clock.Clock) -> Transport`,
which opens nothing: everything is opened by the first call that needs it.

No exception, reason, repr or log line of a transport holds an address or a text: a provider's
words are turned into one of the short reasons here, never passed on.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from bot.contract import bridge

Hand = Callable[[Sequence[object]], Awaitable[None]]
"""Takes raw envelopes: each the decoded JSON of one receive event, in any of the shapes that
`wire.envelope` knows (`{"envelope": ..., "account": ...}`, or with `params` or `result` around).

Returning means durably stored: now, not before, the transport may acknowledge. It raises
intake.NotStoredError when nothing was stored: keep the batch, wait `retry_after_s`, hand it over
again. An empty batch says that the link is alive though nobody wrote (a poll's empty answer, a
pong, a keep-alive line); call it at least every `LINK_SILENCE_S` while the link is good.
"""

LINK_SILENCE_S: Final = 120.0
"""A link that gave no sign of life for so long is taken for half open and opened anew."""


class Verdict(enum.StrEnum):
    """What became of one send. In doubt UNSURE: it may have gone out."""

    TAKEN = "taken"
    """Signal took it; `timestamp_ms` is its name in receipts."""

    UNREGISTERED = "unregistered"
    """There is no such account (any more). Final for this recipient."""

    UNTRUSTED = "untrusted"
    """His keys changed and are not trusted; certainly not sent. Trust them, then send again."""

    LIMITED = "limited"
    """Signal asks for patience, perhaps for a captcha (`challenge`). Very likely not sent; but
    once a 429 was delivered all the same, so the bridge waits for a receipt before it says so."""

    REFUSED = "refused"
    """Certainly not sent and never will be: a request that Signal or signal-cli calls wrong."""

    GONE = "gone"
    """Our own account is not registered, not authorised or deregistered. Certainly not sent."""

    OUTDATED = "outdated"
    """Signal refuses this version of signal-cli (499). Certainly not sent."""

    AWAY = "away"
    """The neighbour could not be reached, before anything was written. Certainly not sent."""

    UNSURE = "unsure"
    """Time limit, cut connection, 5xx, an answer nobody can read, a network fault told as text."""


STEPS: Final[Mapping[Verdict, str]] = {
    Verdict.GONE: (
        "Signal does not know our account any more: register it again with its PIN, "
        "see docs/signal.md, Account gone"
    ),
    Verdict.OUTDATED: "Signal refuses this old signal-cli: update it, see docs/signal.md, Updates",
}
"""What somebody must do, for BridgeDownError(needs_human=...)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`timestamp_ms` with TAKEN only. `challenge` (a token) and `retry_after_s` with LIMITED only.

    `reason`: a short word or sentence of our own, without address and text.
    """

    verdict: Verdict
    timestamp_ms: int | None = None
    challenge: str | None = None
    retry_after_s: int | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Account:
    """What a look-up said of one number. `aci` where the transport tells it (the daemon does)."""

    registered: bool
    aci: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Found:
    """`accounts` by E.164 number: only real answers; a number left out is "not known".

    `limited`: Signal asked for patience (a failed look-up looks like "unregistered", so with this
    set `accounts` must hold nothing). `challenge`: the token, if there was one.
    """

    accounts: Mapping[str, Account]
    limited: bool = False
    challenge: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The neighbour program, its `mode` as it says it: `json-rpc`, `normal`, `native`, `daemon`.

    `accounts`: how many it has; `ours`: whether our number is one of them.
    """

    version: str
    mode: str
    accounts: int
    ours: bool


class AwayError(Exception):
    """A question (never a send) got no usable answer within its time limit."""


class Asks(Protocol):
    """The questions and settings: each one request with an own time limit, never asked twice."""

    async def about(self) -> About:
        """A real round trip to signal-cli where there is one, within five seconds. AwayError."""

    async def search(self, numbers: Sequence[str]) -> Found:
        """One look-up of a few E.164 numbers. AwayError when no answer came; never asks twice."""

    async def solve(self, challenge: str, captcha: str) -> bool:
        """Hand in a captcha (`signalcaptcha://...`); whether Signal took it. AwayError."""

    async def trust(self, recipient: str) -> bool:
        """Trust all known keys of an ACI or a number; whether that worked. AwayError."""

    async def untrusted(self) -> int:
        """How many identities are untrusted now. AwayError."""

    async def profile_name(self) -> str | None:
        """Our own profile's name, None where the neighbour cannot tell. AwayError."""

    async def set_profile_name(self, name: str) -> bool:
        """Set it; whether that worked. AwayError."""

    async def go_covert(self) -> bool:
        """Switch off what tells of us, as far as the neighbour can be told; whether it took it.

        No read receipts, typing signs, link previews; new identities are always trusted. AwayError.
        """


class Transport(Asks, Protocol):
    """One neighbour program and one account (our number) in it. Safe from many tasks at once."""

    @property
    def kind(self) -> str:
        """The rows of the table of loss windows.

        `webhook`, `polling`, `websocket`, `daemon` or `daemon-polling`.
        """

    @property
    def time_limit_s(self) -> float:
        """How long `send` may take at the most; the conformance kit holds us to it."""

    async def receive(self, hand: Hand) -> None:
        """Hand over what comes in until cancelled; see `Hand` for what may be acknowledged when.

        Raises bridge.BridgeDownError when the link is lost or half open (the supervisor starts it
        again after a growing pause), with `needs_human` where only somebody can mend it. Opens
        everything it needs each time it is called.
        """

    async def send(self, recipient: str, text: str) -> Answer:
        """Send `text` to an ACI or an E.164 number, once, within `time_limit_s`.

        Never raises but CancelledError; never asks twice by itself.
        """

    async def note_to_self(self, text: str) -> Answer:
        """Send to our own account, so that other devices of ours (and our ear) see it come."""

    async def findings(self) -> Sequence[bridge.Finding]:
        """What `antirelou check` says of the neighbour: mode, version, attachments, its logs.

        Changes nothing, never raises.
        """

    def routes(self, hand: Hand) -> Sequence[bridge.Route]:
        """Endpoints that the neighbour calls (the webhook); empty elsewhere. Called once."""

    async def close(self) -> None:
        """Give back connections; may be called twice."""

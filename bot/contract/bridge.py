"""What a bridge must do, and what it may do on top.

A bridge does I/O only: it owns no queue, no retry, no timer for replies, no money and no
decision. The core calls `listen` once and keeps it going (supervisor), asks `reaches` and
`quote`, and calls `send` once a reply. Optional abilities are protocols of their own, found by
isinstance; implement the methods and the core uses them.

A bridge package has `create(settings, context) -> Bridge` in its `__init__`; `[channels.NAME]`
of the configuration reaches it unread. Raise `SettingsError` with all faults at once.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, runtime_checkable

from bot.contract import address, clock, intake, messages, money, outcomes

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class SettingsError(ValueError):
    """Faults in a bridge's own table: (key, what is wrong and how to mend it), all at once."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        """`faults`: pairs of the key within `[channels.NAME]` and a sentence."""
        super().__init__("; ".join(f"{key}: {text}" for key, text in faults))
        self.faults = tuple(faults)


class BridgeDownError(Exception):
    """`listen` cannot go on; the supervisor starts it again after a growing pause.

    `needs_human` names what somebody must do (a captcha, a new password); until then the channel
    is not fed. The message holds no address and no text.
    """

    def __init__(self, reason: str, *, needs_human: str | None = None) -> None:
        """`reason`: a short sentence for the log and the room."""
        super().__init__(reason)
        self.needs_human = needs_human


class ChallengedError(Exception):
    """The network wants to see a human, met at a question (a send tells it by its outcome).

    The channel gets nothing more until somebody has solved it. `token` is what `solve` will be
    given; it stands in no message.
    """

    def __init__(self, token: str) -> None:
        """`token`: the network's name of this challenge."""
        super().__init__("the network wants to see a human")
        self.token = token


class State(enum.StrEnum):
    """Life of one of our own addresses (DESIGN: the pool)."""

    OFFERED = "offered"
    ANSWERING = "answering"
    RETIRED = "retired"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddress:
    """One of the pool: `state` as configured; the store may know a later one."""

    address: address.Address
    state: State = State.OFFERED


class Storage(Protocol):
    """A small durable key-value store of the bridge's own; values are text.

    Both raise intake.NotStoredError while the database is away.
    """

    async def get(self, key: str) -> str | None:
        """The value, or None."""

    async def put(self, key: str, value: str | None) -> None:
        """Store the value; None deletes it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the core lends to a bridge.

    `public_url`: how the outside reaches the web listener (`https://sms.example.org`, no slash
    at its end); empty where the operator named none.
    """

    channel: str
    clock: clock.Clock
    storage: Storage
    currency: str
    public_url: str = ""


@runtime_checkable
class Bridge(Protocol):
    """One configured account on one network."""

    @property
    def channel(self) -> str:
        """The configured name."""

    @property
    def network(self) -> str:
        """The network it speaks: `sms`, `signal`, `matrix`, or a new word."""

    @property
    def addresses(self) -> Sequence[OwnAddress]:
        """Our addresses on it."""

    @property
    def idempotent(self) -> bool:
        """Whether sending one reply_id twice is certain to reach the person once."""

    def reaches(self, recipient: address.Address) -> bool:
        """Whether a send to that address makes sense here. Pure; called from another thread."""

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Upper bound of the price, None if it cannot be sent. Pure; from another thread."""

    async def listen(self, door: intake.Intake) -> None:
        """Take in until cancelled; acknowledge only what `door.accept` returned for.

        Raises BridgeDownError when it cannot go on. A bridge that only has routes waits here.
        """

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """Send once, within the bridge's own time limit; never raises but CancelledError.

        A pause or a STOP is asked for before this is called, and not again: what cannot begin to
        leave within two seconds (no place, no connection, no keys) is NotNow, and is asked again.
        """

    async def close(self) -> None:
        """Give back connections; called once, after the last send."""


Fields = Sequence[tuple[bytes, bytes]]
"""Headers as they came or go: names in small letters, in their order, repeated ones kept."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a route's `post` answers; Content-Length and Date are the core's.

    One that is often given is best made once: what it looks like on the wire is kept.
    """

    status: int
    headers: Fields = ()
    body: bytes = b""


Post = Callable[[Fields, bytes, bytes], Coroutine[Any, Any, Answer]]

POST_LIMIT_S = 12.0
"""How long `post` may take; it is cancelled then, and the core answers 503 with Retry-After."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An HTTP endpoint of the bridge: mounted as `path` (starts with `/`) on the web listener.

    `app` is a bare ASGI application: it reads and answers the request itself. A path that ends
    in `/` takes everything below it.

    `post` is a shorter way for a webhook that much comes by, and never the only one: given the
    headers, the query and the body of a POST that has come whole, it answers as `app` would. The
    core asks it instead of `app` where it can: an ordinary request with a body of at most 64 KB.
    """

    path: str
    app: AsgiApp
    post: Post | None = None


@runtime_checkable
class BringsRoutes(Protocol):
    """Takes webhooks or shows pages."""

    def routes(self, door: intake.Intake) -> Sequence[Route]:
        """The endpoints; called once, before `listen`."""


class Condition(enum.StrEnum):
    """How a bridge feels."""

    UP = "up"
    DOWN = "down"
    NEEDS_HUMAN = "needs-human"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`detail`: one sentence without addresses; `last_event_at`: when the network last spoke."""

    condition: Condition
    detail: str = ""
    last_event_at: dt.datetime | None = None


@runtime_checkable
class ReportsHealth(Protocol):
    """Knows more of itself than that `listen` runs."""

    async def health(self) -> Health:
        """A real check, within five seconds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SentReply:
    """A send whose end is not known: what the provider may be asked with."""

    reply_id: str
    provider_id: str | None
    recipient: address.Address | None
    sent_at: dt.datetime


@runtime_checkable
class FetchesStatus(Protocol):
    """Can ask the provider what became of a reply."""

    async def fetch_status(self, sent: SentReply) -> messages.DeliveryReceipt | None:
        """The receipt, None if the provider does not know (yet)."""


@runtime_checkable
class SweepsInbound(Protocol):
    """Can list what came in while we were away."""

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        """Hand in everything since then (duplicates are fine); returns how many were listed."""


@runtime_checkable
class LooksUpIdentities(Protocol):
    """Can tell whether addresses of another network can be reached here."""

    async def look_up(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, address.Address | None]:
        """Address here, None for a real "no"; an address left out is "not known".

        May raise ChallengedError.
        """


@runtime_checkable
class SolvesChallenges(Protocol):
    """Has captchas that a moderator can solve."""

    async def solve(self, challenge: str, answer: str) -> bool:
        """Hand in the answer; whether the network took it."""


@runtime_checkable
class DeletesAtProvider(Protocol):
    """Can remove a message from the provider's records."""

    async def delete(self, provider_id: str) -> bool:
        """Whether it is gone there."""


class Verdict(enum.StrEnum):
    """How bad a finding is. A `fault` keeps the channel from working, or from being covert."""

    GOOD = "good"
    WARNING = "warning"
    FAULT = "fault"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: `about` names it, `sentence` what was found, `mend` what to do.

    No addresses but our own, no texts, no secrets.
    """

    verdict: Verdict
    about: str
    sentence: str
    mend: str = ""


@runtime_checkable
class ChecksItself(Protocol):
    """Can tell what is missing at the provider or around us (`antirelou check`)."""

    async def check(self) -> Sequence[Finding]:
        """Everything that was looked at; changes nothing anywhere, never raises."""


@runtime_checkable
class SetsUp(Protocol):
    """Can set the provider up for us (`antirelou setup CHANNEL`)."""

    async def set_up(self, *, apply: bool) -> Sequence[Finding]:
        """What would be changed, or with `apply` was; never raises."""


@runtime_checkable
class WantsRelease(Protocol):
    """Knows a reason why its replies should wait until a moderator releases them in batches."""

    def release_reason(self) -> str | None:
        """A sentence for the operator (a tariff, a law), None if there is no reason. Pure."""


@runtime_checkable
class OffersLinks(Protocol):
    """Has addresses that a tap or a QR code opens."""

    def link(self, own: address.Address) -> str | None:
        """A link that begins a message to that address of ours, None if there is none. Pure."""


@runtime_checkable
class KeepsPace(Protocol):
    """Knows how fast its provider takes messages; the operator's `parts_per_second` goes first.

    What is handed over faster waits in the provider's queue, where a kill or an outage leaves it
    unknown; what waits in ours is certainly not sent.
    """

    def pace(self) -> float:
        """Parts a second, all our addresses together. Pure."""


@runtime_checkable
class GivesSecondOpinions(Protocol):
    """Can find out, for a price, whether a number belongs to a real handset."""

    def opinion_price(self) -> money.Money:
        """The most that one look-up costs."""

    async def opinions(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, bool]:
        """Whether there is a reachable person; an address left out is "not known" (and unpaid)."""


Create = Callable[[Mapping[str, object], Context], Bridge]

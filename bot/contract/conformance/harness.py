"""What the author supplies: the outside world on a bench, and how to build the bridge in it.

`Harness` is required. The classes after it are optional abilities, found by isinstance as a
bridge's own are: a check that needs one you do not have is skipped and says so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from bot.contract import address, bridge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Inbound:
    """Something a person does in the outside world. The same `event_id` is the same event."""

    event_id: str
    sender: address.Address
    text: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sent:
    """What the outside world saw go out; `reply_id` where the network is told it."""

    recipient: str
    text: str
    reply_id: str | None = None


class Harness(Protocol):
    """The world of one test: made anew for each, without arguments.

    Seconds here are real ones; the kit moves the bridge's virtual clock fifty times as fast.
    """

    @property
    def person(self) -> address.Address:
        """Somebody the bridge reaches; a value of 7 characters or more (it is the canary)."""

    @property
    def patience_s(self) -> float:
        """How long the kit waits for what must happen (2.0 is plenty on loopback)."""

    @property
    def quiet_s(self) -> float:
        """How long the kit watches that nothing happens (0.2: ten seconds of the bridge's)."""

    async def open(self) -> None:
        """Start the world; called before `settings`."""

    async def close(self) -> None:
        """End the world."""

    def settings(self) -> Mapping[str, object]:
        """A good `[channels.NAME]` table, with every required key."""

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        """Call your package's `create`."""

    async def deliver(self, inbound: Inbound) -> None:
        """Let the network deliver it to the bridge, as the provider does; again when asked again.

        May wait for the acknowledgement (a webhook's answer) or not, and never fails for want
        of one.
        """

    def sent(self) -> Sequence[Sent]:
        """Everything that went out so far, oldest first."""


@runtime_checkable
class Acknowledges(Protocol):
    """The network waits for an acknowledgement and keeps the event until then."""

    def acknowledged(self, event_id: str) -> bool:
        """Whether the network was told that this event arrived."""

    async def retry(self) -> None:
        """Deliver again what is not acknowledged; empty where the bridge itself fetches."""


@runtime_checkable
class DeliversMalformed(Protocol):
    """Nonsense can come in by the same way."""

    async def deliver_malformed(self) -> None:
        """Cut JSON, missing fields, wrong types, NULs: your worst."""


@runtime_checkable
class Refuses(Protocol):
    """The network can refuse for good."""

    def refuse_next(self) -> None:
        """Refuse the next send so that it can never work."""


@runtime_checkable
class AsksToWait(Protocol):
    """The network can ask for patience (429, a full mailbox)."""

    def wait_next(self) -> None:
        """Answer the next send with "later"."""


@runtime_checkable
class Breaks(Protocol):
    """The network can answer so that nobody knows whether it went out."""

    def break_next(self) -> None:
        """Cut the next send's connection, or answer it with a 5xx or nonsense."""


@runtime_checkable
class Hangs(Protocol):
    """The network can take a send and never answer."""

    @property
    def time_limit_s(self) -> float:
        """The limit the bridge states for one send, under the settings given here."""

    def hang_next(self) -> None:
        """Never answer the next send."""


@runtime_checkable
class MountsRoutes(Protocol):
    """Reaches the bridge by its routes; `deliver` uses them with `conformance.call`."""

    def mount(self, routes: Sequence[bridge.Route]) -> None:
        """Called after `create`, before `listen`; again after a restart."""

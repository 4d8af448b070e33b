"""The way in, the same for every transport: envelopes to messages, receipts, and alarms.

What `hand` returned for is durably stored. Nothing is asked of the neighbour here: it may be
waiting for our answer (the webhook), so trusting is left to a task of its own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Final

from bot.contract import bridge, intake, messages
from bridges.signal import doubts, health, settings, wire

OWN_ACI: Final = "own-aci"
EDITS: Final = 10_000
UNTRUSTED: Final = 1_000
_NOTHING: Final = wire.Nothing(why="nonsense")


class Ear:
    """Hears one account. `door` is set before anything can come in."""

    def __init__(
        self,
        chosen: settings.Settings,
        context: bridge.Context,
        unsure: doubts.Doubts,
        vitals: health.Vitals,
    ) -> None:
        """`untrusted` names those whose keys are to be trusted, bounded."""
        self.door: intake.Intake | None = None
        self.untrusted: asyncio.Queue[str] = asyncio.Queue(UNTRUSTED)
        self._settings = chosen
        self._context = context
        self._doubts = unsure
        self._vitals = vitals
        self._own_aci: str | None = None
        # Edits of edits: by sender and time, the time of the first version.
        self._roots: dict[tuple[str, int], int] = {}
        self._proofs: dict[str, asyncio.Event] = {}

    async def load(self) -> None:
        """Our own ACI, if it is known from an earlier run."""
        await self._vitals.load()
        self._own_aci = await self._context.storage.get(OWN_ACI)

    async def hand(self, batch: Sequence[object]) -> None:
        """As transport.Hand. Raises NotStoredError: then all of it is to be handed over again."""
        if self.door is None:
            raise intake.NotStoredError("not listening yet", retry_after_s=1)
        if not batch:
            return
        now = self._context.clock.now()
        heard = [self._read(raw) for raw in batch]
        written = [self._inbound(one, now) for one in heard if isinstance(one, wire.Message)]
        told = [one for one in heard if isinstance(one, wire.Receipt)]
        if written:
            await self.door.accept(written)
        if told:
            await self._receipts(self.door, told, now)
        for one in heard:
            await self._note(one)
        if not all(one is _NOTHING for one in heard):
            await self._vitals.heard()

    async def proof(self, reply_id: str, patience_s: float) -> int | None:
        """The timestamp under which a reply is shown to have come, waiting so long for it."""
        shown = self._proofs.setdefault(reply_id, asyncio.Event())
        try:
            known = await self._doubts.proof(reply_id)
            if known is not None or not patience_s:
                return known
            nap = asyncio.ensure_future(self._context.clock.sleep(patience_s))
            call = asyncio.ensure_future(shown.wait())
            try:
                await asyncio.wait({nap, call}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                call.cancel()
            return await self._doubts.proof(reply_id)
        finally:
            self._proofs.pop(reply_id, None)

    def _read(self, raw: object) -> wire.Heard:
        try:
            return wire.read(raw, number=self._settings.number, own_aci=self._own_aci)
        except wire.WireError:
            self._vitals.odd += 1
            return _NOTHING

    def _inbound(self, heard: wire.Message, now: dt.datetime) -> messages.InboundMessage:
        root_ms = heard.root_ms
        if root_ms is not None:
            name = heard.sender.name
            root_ms = self._roots.get((name, root_ms), root_ms)
            self._roots[name, heard.timestamp_ms] = root_ms
            while len(self._roots) > EDITS:
                del self._roots[next(iter(self._roots))]
        return wire.inbound(
            heard,
            channel=self._context.channel,
            own=self._settings.own.address,
            now=now,
            root_ms=root_ms,
        )

    async def _receipts(
        self, door: intake.Intake, told: Sequence[wire.Receipt], now: dt.datetime
    ) -> None:
        news: list[messages.DeliveryReceipt] = []
        shown: list[str] = []
        for one in told:
            names = [name for name in (one.sender.aci, one.sender.number) if name]
            settled = await self._doubts.settle(names, one.timestamps_ms)
            shown += [s.reply_id for s in settled if s.reply_id is not None]
            news += [
                messages.DeliveryReceipt(
                    channel=self._context.channel,
                    at=now,
                    provider_id=str(s.timestamp_ms),
                    reply_id=s.reply_id,
                    delivery=messages.Delivery.DELIVERED,
                )
                for s in settled
            ]
        if news:
            await door.receipts(news)
        for reply_id in shown:
            if reply_id in self._proofs:
                self._proofs[reply_id].set()

    async def _note(self, heard: wire.Heard) -> None:
        match heard:
            case wire.Echo():
                await self._own(heard.sender)
                await self._vitals.echoed(heard.text)
            case wire.Sealed():
                self._vitals.sealed += 1
                sender = heard.sender
                if heard.untrusted and sender is not None and not self.untrusted.full():
                    self.untrusted.put_nowait(sender.name)
            case _:
                pass

    async def _own(self, sender: wire.Sender) -> None:
        """Our own ACI shows in what comes from our own devices."""
        if sender.aci is not None and sender.aci != self._own_aci:
            self._own_aci = sender.aci
            await self._context.storage.put(OWN_ACI, sender.aci)

"""A janitor with a bridge, a door and a clock that a test holds."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from bot import janitor
from bot.contract import address, bridge, intake, messages, outcomes
from bot.policy import settings
from bot.store import database, tables, vault
from tests.bot.store import rows

NOW_MS = rows.NOW_MS
MINUTE_MS = 60_000
DAY_MS = rows.DAY_MS
CORE = rows.CORE


class FakeBridge:
    """Answers questions from a table, lists what came in, and notes what it was asked."""

    network = "sms"
    addresses: Sequence[bridge.OwnAddress] = ()

    def __init__(self, channel: str = "sms", *, idempotent: bool = False) -> None:
        self.channel = channel
        self.idempotent = idempotent
        self.answers: dict[str, messages.DeliveryReceipt | Exception] = {}
        self.asked: list[bridge.SentReply] = []
        self.swept: list[dt.datetime] = []
        self.listing: list[messages.InboundMessage] | Exception = []

    def reaches(self, recipient: address.Address) -> bool:
        return True

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return None

    async def listen(self, door: intake.Intake) -> None:
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Unknown(reason="test")

    async def close(self) -> None:
        return None

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        self.asked.append(sent)
        answer = self.answers.get(sent.reply_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        self.swept.append(since)
        if isinstance(self.listing, Exception):
            raise self.listing
        await door.accept(self.listing)
        return len(self.listing)


class Door:
    """Notes what is handed in."""

    def __init__(self) -> None:
        self.accepted: list[messages.InboundMessage] = []
        self.told: list[messages.DeliveryReceipt] = []

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        self.accepted += batch

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        self.told += batch

    async def delay_over(self, sender: address.Address) -> bool:
        return False

    async def cursor(self, channel: str) -> str | None:
        return None


@dataclasses.dataclass(kw_only=True)
class House:
    store: database.Store
    way: FakeBridge
    door: Door
    clock: rows.StillClock
    janitor: janitor.Janitor
    early: list[int]

    def pass_ms(self, ms: int) -> None:
        self.clock.at += dt.timedelta(milliseconds=ms)

    async def reply(self, reply_id: int) -> dict[str, Any]:
        return await rows.one(self.store, tables.replies, reply_id)


def house(
    store: database.Store,
    *,
    core: settings.Core = CORE,
    keys: vault.Vault = rows.KEYS,
    idempotent: bool = False,
) -> House:
    way, door, moment = FakeBridge(idempotent=idempotent), Door(), rows.StillClock()
    early: list[int] = []

    async def settle() -> int:
        early.append(1)
        return 0

    made = janitor.Janitor(
        store=store,
        core=core,
        keys=keys,
        bridges={"sms": way},
        door=door,
        settle=settle,
        moment=moment,
    )
    return House(store=store, way=way, door=door, clock=moment, janitor=made, early=early)

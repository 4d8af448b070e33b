"""A real SQLite store, filled through intake as production fills it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from bot import build
from bot.contract import address, clock, messages, money
from bot.policy import settings
from bot.store import database, schema, tables, vault

T = TypeVar("T")
START_MS = 1_795_000_000_000
HOUR_MS = 3_600_000
ANNA = "+33639980001"
BERT = "+33639980002"
CARL = "+33639980003"
OURS = "+33639980000"
BY_HAND = settings.Core(
    who=settings.Who(answer_fiction=True), reply=settings.Reply(release_by_hand=True)
)
BY_ITSELF = settings.Core(who=settings.Who(answer_fiction=True))


class Still:
    """A clock that stands until it is set."""

    def __init__(self, at_ms: int = START_MS) -> None:
        self.at_ms = at_ms

    def now(self) -> dt.datetime:
        return clock.from_ms(self.at_ms)

    def monotonic(self) -> float:
        return self.at_ms / 1000

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the console waits for nothing")


@dataclasses.dataclass(slots=True)
class House:
    """An open store with its keys; `write_in` is somebody's message."""

    store: database.Store
    keys: vault.Vault
    core: settings.Core
    intake: build.Intake
    clock: Still
    serial: itertools.count[int] = dataclasses.field(default_factory=itertools.count)

    async def write_in(
        self,
        sender: str,
        text: str = "salut",
        *,
        at_ms: int = START_MS,
        network: str = address.SMS,
        aliases: tuple[str, ...] = (),
        cost: str | None = None,
        provider_id: str | None = None,
    ) -> None:
        """One message, stored and decided on."""
        message = messages.InboundMessage(
            channel="sms" if network == address.SMS else network,
            provider_id=provider_id or f"m{next(self.serial)}",
            sender=address.Address(network, sender),
            recipient=address.Address(network, OURS),
            received_at=clock.from_ms(at_ms),
            text=text,
            aliases=tuple(address.Address(address.SMS, one) for one in aliases),
            cost=None if cost is None else money.parse(cost, "EUR"),
        )
        self.clock.at_ms = at_ms
        await self.intake.accept([message])

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """All rows of a table, in the order of their first column."""

        def work(tx: sa.Connection) -> list[dict[str, Any]]:
            first = next(iter(table.columns))
            return [dict(r) for r in tx.execute(sa.select(table).order_by(first)).mappings()]

        return await self.store.read(work)

    async def reply(self, index: int = 0) -> dict[str, Any]:
        """One reply's row."""
        return (await self.rows(tables.replies))[index]

    async def person(self, index: int = 0) -> dict[str, Any]:
        """One person's row."""
        return (await self.rows(tables.persons))[index]

    async def act(self, work: Callable[..., T], *args: object, **told: object) -> T:
        """One act in a transaction, by the tester."""
        told = {"now_ms": START_MS, "who": "tester", **told}
        return await self.store.write(lambda tx: work(tx, *args, **told))


async def opened(folder: pathlib.Path, core: settings.Core = BY_HAND) -> House:
    """A new database with its key file in `folder`."""
    store = database.Store(folder / "antirelou.db")
    await store.open()
    keys = await schema.prepare(store, folder / "antirelou.key")
    moment = Still()
    rooms = build.rooms(store=store, core=core, keys=keys, bridges={}, moment=moment)
    return House(store, keys, core, rooms.intake, moment)


def now_ms() -> int:
    """The machine's time, by which the command line goes."""
    return clock.to_ms(clock.SystemClock().now())

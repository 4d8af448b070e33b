"""1,000 replies through the real rooms while Signal refuses, hangs, challenges and half fails."""

import asyncio
import random

import pytest
import sqlalchemy as sa

from bot import build, outbox
from bot.console import challenge
from bot.contract import address, bridge, clock
from bot.policy import settings
from bot.store import database, events, keyvalue, schema, tables, vault
from bridges.signal import bridge as signal_bridge
from bridges.signal import settings as signal_settings
from tests.bridges.signal import envelopes, line, world
from tests.fakes import world as fake

PEOPLE = 1_000
FAULTS = (
    *(["hang", "hang delivered", "cut", "cut delivered", "500", "nonsense", "failed"] * 2),
    *("limited", "limited", "limited delivered", "slow down", "slow down"),
    *("unregistered", "half", "untrusted", "untrusted"),
)
CORE = settings.Core(
    who=settings.Who(answer_fiction=True),
    budget=settings.Budget(quotas={"signal": settings.Quota(parts_per_second=20.0)}),
    flood=settings.Flood(topics=False, blocks=False, surges=False, pacing=False),
)


class House:
    """The rooms, the bridge and Signal, on one virtual clock."""

    def __init__(self, seed: int, share: float = 0.25) -> None:
        self.draws = random.Random(seed)
        self.moment = fake.Clock()
        self.line = line.Line(self.moment, self.fault, seed)
        self.store = database.Store(None)
        self.turns = 0
        self.share = share
        self.sms = fake.World()

    def fault(self) -> str | None:
        return self.draws.choice(FAULTS) if self.draws.random() < self.share else None

    async def open(self) -> None:
        await self.store.open()
        await self.store.write(schema.create)
        chosen = signal_settings.read(world.table("http://127.0.0.1:1", gap_s=0.02), "signal")
        lent = bridge.Context(
            channel="signal",
            clock=self.moment,
            storage=keyvalue.KeyValue(self.store, "signal"),
            currency="EUR",
        )
        self.bridge = signal_bridge.Signal(chosen, lent, self.line)
        self.rooms = build.rooms(
            store=self.store,
            core=CORE,
            keys=vault.throwaway(7),
            bridges={"signal": self.bridge, "sms": self.sms},
            moment=self.moment,
        )
        self.bridge.routes(self.rooms.intake)

    async def hear(self, batch: list[object]) -> None:
        await self.bridge._ear.hand(batch)

    async def write(self) -> None:
        """Everybody writes within an hour."""
        at_ms = clock.to_ms(self.moment.now())
        for start in range(0, PEOPLE, 100):
            await self.hear(
                [
                    envelopes.text(envelopes.aci(n), f"salut {n}", at_ms + n)
                    for n in range(start, start + 100)
                ]
            )
            await self.moment.advance(360)

    async def round(self) -> None:
        """What is due is sent, while time passes in small steps and phones answer."""
        working = asyncio.create_task(self.rooms.dispatcher.step())
        while not working.done():
            await self.moment.advance(1)
            await asyncio.sleep(0)
            heard = self.line.due()
            if heard:
                await self.hear(heard)
        working.result()

    async def moderate(self) -> None:
        """A moderator who solves each captcha after a while."""
        controls = await self.store.read(events.controls)
        token = controls.get("challenge:signal")
        self.turns = self.turns + 1 if token else 0
        if token and self.turns > self.draws.randrange(4):
            done = await challenge.hand_in(
                self.store,
                self.bridge,
                "signalcaptcha://x",
                now_ms=clock.to_ms(self.moment.now()),
                who="t",
            )
            assert done.ok

    async def run(self) -> None:
        """A day and a half: past the time at which replies expire."""
        end = clock.to_ms(self.moment.now()) + 36 * 3_600_000
        tidied = 0
        while (now_ms := clock.to_ms(self.moment.now())) < end:
            await self.round()
            heard = self.line.due()
            if heard:
                await self.hear(heard)
            if now_ms - tidied > 600_000:
                tidied = now_ms
                await self.moderate()
                await self.rooms.janitor.round()
            due_ms = await self.store.read(outbox.next_due) or end
            await self.moment.advance(min(600, max(1, (due_ms - now_ms) / 1000)))

    async def states(self) -> dict[str, tuple[str, bool]]:
        """By account: the state of his reply, and whether his window is taken."""
        now_ms = clock.to_ms(self.moment.now())
        keys = self.rooms.keys
        found: dict[str, tuple[str, bool]] = {}

        def look(tx: sa.Connection) -> None:
            identities = {
                row.hash: row.person_id for row in tx.execute(sa.select(tables.identities))
            }
            persons = {row.id: row for row in tx.execute(sa.select(tables.persons))}
            replies = {row.person_id: row.state for row in tx.execute(sa.select(tables.replies))}
            for number in range(PEOPLE):
                who = envelopes.aci(number)
                owner = identities[keys.hash_address(address.SIGNAL, who)[0]]
                found[who] = (replies[owner], persons[owner].blocked_until_ms > now_ms)

        await self.store.read(look)
        return found


@pytest.mark.case("C03", "C04", "C28")
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_each_person_at_most_one_and_the_ledgers_agree(seed: int) -> None:
    house = House(seed)
    await house.open()
    async with asyncio.timeout(240):
        await house.write()
        await house.run()
    got, states = house.line.got, await house.states()
    assert max(got.values()) == 1
    assert sum(got.values()) > 800
    for who, (state, blocked) in states.items():
        if got[who]:
            # It came: it is known, or it was dropped and the window is taken all the same.
            assert state in {"sent", "delivered"} or (state == "expired" and blocked), state
        else:
            assert state in {"failed", "expired", "unknown"}, state
    counted = {state: 0 for state, _ in states.values()}
    for state, _ in states.values():
        counted[state] += 1
    print(f"\nseed {seed}: {counted}, asked {sum(house.line.asked.values())} times,")  # noqa: T201
    print(f"captchas {house.line.captchas}, faults {dict(house.line.faults)}")  # noqa: T201
    await house.store.close()

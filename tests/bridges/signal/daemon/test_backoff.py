"""Under the core's own supervisor: reconnects with growing pauses, and an unknown account waits."""

import asyncio
from collections.abc import Sequence

import pytest

from bot import supervisor
from bot.contract import address, bridge, intake, messages, outcomes
from bot.contract.conformance import fakes
from bridges.signal.daemon import neighbour
from tests.bridges.signal.daemon import desk
from tests.peers import signal_cli_fake


class Bare:
    """The least bridge above a transport: it counts how often it was started."""

    channel = "signal"
    network = address.SIGNAL
    addresses: Sequence[bridge.OwnAddress] = ()
    idempotent = False

    def __init__(self, transport: neighbour.Daemon, clock: fakes.FakeClock) -> None:
        self._transport = transport
        self._clock = clock
        self.hand = desk.Keeping()
        self.starts_s: list[float] = []

    def reaches(self, recipient: address.Address) -> bool:
        return False

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return None

    async def listen(self, door: intake.Intake) -> None:
        self.starts_s.append(self._clock.monotonic())
        await self._transport.receive(self.hand)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Unknown(reason="not here")

    async def close(self) -> None:
        await self._transport.close()


@pytest.mark.case("C26")
async def test_it_reconnects_with_growing_pauses(fake: signal_cli_fake.FakeDaemon) -> None:
    clock = fakes.FakeClock()
    keeper = supervisor.Supervisor(clock=clock, draw=lambda: 1.0)
    async with desk.opened(fake.url, clock) as transport:
        bare = Bare(transport, clock)
        keeper.listen(bare, fakes.FakeIntake())
        async with desk.running(keeper.run()):
            fake.post(1)
            await desk.until(lambda: bare.hand.numbers == [1])
            await fake.stop()
            fake.post(2)
            while clock.monotonic() < 400:
                await clock.advance(1)
            pauses = [b - a for a, b in zip(bare.starts_s[1:], bare.starts_s[2:], strict=False)]
            assert 5 < len(bare.starts_s) < 14
            assert max(pauses) >= 8 * min(pauses)
            fake.start()
            async with asyncio.timeout(30):
                while bare.hand.numbers != [1, 2]:
                    await clock.advance(5)
            assert (await transport.about()).ours


@pytest.mark.case("C26", "C28")
async def test_an_account_gone_waits_for_somebody(fake: signal_cli_fake.FakeDaemon) -> None:
    def gone(client: object, method: str, params: object) -> None:
        raise signal_cli_fake.Trouble(-32602, "Specified account does not exist")

    fake.before = gone
    clock = fakes.FakeClock()
    keeper = supervisor.Supervisor(clock=clock, draw=lambda: 1.0)
    async with desk.opened(fake.url, clock) as transport:
        bare = Bare(transport, clock)
        keeper.listen(bare, fakes.FakeIntake())
        async with desk.running(keeper.run()):
            await desk.until(lambda: not keeper.is_fed("signal"))
            fake.before = lambda *_: None
            fake.post(1)
            keeper.retry("signal")
            await desk.until(lambda: bare.hand.numbers == [1])
            assert keeper.is_fed("signal")

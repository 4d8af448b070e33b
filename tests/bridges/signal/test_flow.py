"""Inbound in bursts with restarts on both sides: nothing doubled, lost only what the docs state.

The neighbour behaves as PROVIDERS.md tells it was seen to: it posts once and never again, drops
what nobody reads, gives a polled answer away. Each lost message is put down to its cause, and how
many there were is printed (docs/signal.md has the table).
"""

import asyncio
import collections
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges import signal
from bridges.signal import bridge as signal_bridge
from tests.bridges.signal import envelopes, world
from tests.bridges.signal.neighbour import Neighbour

CHANNEL = 16  # what the rest-api's websocket holds for a slow reader, as measured
SIZES = [
    pytest.param((2_000, 10), id="share"),
    pytest.param((20_000, 100), id="whole", marks=pytest.mark.slow),
]


class Flow:
    """One way of receiving, with a ledger: what is lost, and for which cause."""

    def __init__(self, way: str, events: int, restarts: int, seed: int = 5) -> None:
        self.way, self.events, self.restarts = way, events, restarts
        self.draws = random.Random(seed)
        self.clock = fakes.FakeClock()
        self.storage = fakes.FakeStorage()
        self.door = fakes.FakeIntake()
        self.side = Neighbour(world.MODES[way])
        self.lost: dict[str, str] = {}
        self.sent: list[str] = []
        self.windows: collections.defaultdict[str, list[int]] = collections.defaultdict(list)
        self.made: signal_bridge.Signal | None = None
        self.routes: Sequence[bridge.Route] = ()
        self._listening: asyncio.Task[None] | None = None

    def event(self) -> tuple[str, envelopes.Raw]:
        """The next message: its text names it."""
        number = len(self.sent)
        self.sent.append(f"salut {number}")
        who = envelopes.aci(number % 3_000)
        return self.sent[-1], envelopes.text(who, self.sent[-1], envelopes.AT_MS + number)

    def bursts(self) -> list[int]:
        """Sizes of bursts that make up all events."""
        left, sizes = self.events, []
        while left:
            sizes.append(min(left, self.draws.choice((1, 3, 20, 60))))
            left -= sizes[-1]
        return sizes

    async def start(self) -> None:
        lent = world.context(self.clock, self.storage)
        self.made = signal.create(world.table(self.side.url, self.way, heartbeat_s=60), lent)
        self.routes = self.made.routes(self.door)
        self._listening = asyncio.create_task(self._keep(self.made))

    async def kill(self) -> None:
        """Our process ends as it stands."""
        assert self._listening is not None
        assert self.made is not None
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self.made.close()

    async def _keep(self, made: signal_bridge.Signal) -> None:
        """As the supervisor does: start again after a pause."""
        while True:
            with contextlib.suppress(bridge.BridgeDownError):
                await made.listen(self.door)
            await supervised_pause(self.clock)

    async def until_quiet(self) -> None:
        """Until everything that can come has come."""
        wanted = len(self.sent) - len(self.lost)
        await self.turn(lambda: len(self.door.accepted) >= wanted)

    async def turn(self, holds: Callable[[], bool], seconds: float = 1.0) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await self.clock.advance(seconds)
                await asyncio.sleep(0)

    def lose(self, names: Sequence[str], cause: str) -> None:
        """These may be lost, for this cause."""
        self.lost.update(dict.fromkeys(names, cause))
        self.windows[cause].append(len(names))

    def judge(self) -> None:
        """Nothing doubled, nothing lost but what was put down; the windows printed."""
        stored = collections.Counter(m.text for m in self.door.stored.values())
        assert max(stored.values()) == 1
        assert len({m.provider_id for m in self.door.accepted}) == len(stored)
        missing = set(self.sent) - set(stored)
        assert missing <= set(self.lost)
        assert set(stored) <= set(self.sent)
        causes = collections.Counter(self.lost[name] for name in missing)
        print(f"\n{self.way}: {len(self.sent)} sent, {len(missing)} lost")  # noqa: T201
        for cause, sizes in sorted(self.windows.items()):
            shape = f"in {len(sizes)} windows, the largest {max(sizes)}"
            print(f"  {cause}: {causes[cause]} lost {shape}")  # noqa: T201


async def supervised_pause(clock: fakes.FakeClock, seconds: float = 1.0) -> None:
    """Of the virtual clock."""
    nap = clock.sleep
    await nap(seconds)


@contextlib.asynccontextmanager
async def flowing(flow: Flow) -> AsyncIterator[None]:
    await flow.side.open()
    await flow.start()
    try:
        yield
    finally:
        await flow.kill()
        await flow.side.close()


def restarts_in(flow: Flow, bursts: int) -> dict[int, str]:
    """Before which bursts who is restarted; half of ours in the middle of storing."""
    kinds = ["ours", "ours in hand"] * (flow.restarts // 2) + ["theirs"] * flow.restarts
    places = flow.draws.sample(range(bursts), len(kinds))
    return dict(zip(places, kinds, strict=True))


@pytest.mark.case("C01", "C26")
@pytest.mark.parametrize("size", SIZES)
async def test_webhook(size: tuple[int, int]) -> None:
    """Lost is what is posted while we are down, and the one event in hand at a kill."""
    flow = Flow("webhook", *size)
    async with asyncio.timeout(120), flowing(flow):
        bursts = flow.bursts()
        plan = restarts_in(flow, len(bursts))
        for place, burst in enumerate(bursts):
            names = [flow.event() for _ in range(burst)]
            match plan.get(place):
                case "ours":
                    await flow.kill()
                    flow.lose([name for name, _ in names], "posted while we were down")
                    await flow.start()
                    continue
                case "ours in hand":
                    await killed_in_hand(flow, names.pop(0))
                case "theirs":
                    # It had taken one from Signal and not posted it yet.
                    flow.lose([names.pop(0)[0]], "in the neighbour's hand when it ended")
                    await flow.side.close()
                    await flow.side.open()
            for _, raw in names:
                body = json.dumps(envelopes.notification(raw)).encode()
                for _ in range(2 if flow.draws.random() < 0.02 else 1):
                    assert await world.post(flow.routes, body) == 200
    flow.judge()
    assert max(flow.windows["in our hand at a kill"]) == 1


async def killed_in_hand(flow: Flow, event: tuple[str, envelopes.Raw]) -> None:
    """Killed between the post and the store: never posted again."""
    name, raw = event
    flow.door.hold()
    posting = asyncio.create_task(world.post(flow.routes, json.dumps(raw).encode()))
    knocks = flow.door.knocks
    await flow.turn(lambda: flow.door.knocks > knocks or posting.done())
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    flow.door.release()
    flow.lose([name], "in our hand at a kill")
    await flow.kill()
    await flow.start()


@pytest.mark.case("C01", "C26")
@pytest.mark.parametrize("size", SIZES)
async def test_polling(size: tuple[int, int]) -> None:
    """Lost is at most one polled answer, at a kill or when the neighbour ends in its answer."""
    flow = Flow("polling", *size)
    batch_max = 50
    async with asyncio.timeout(120), flowing(flow):
        bursts = flow.bursts()
        plan = restarts_in(flow, len(bursts))
        for place, burst in enumerate(bursts):
            flow.side.waiting.extend(raw for _, raw in (flow.event() for _ in range(burst)))
            match plan.get(place):
                case "ours":
                    await flow.kill()
                    gone(flow, "in a polled answer at a kill")
                    await flow.start()
                case "ours in hand":
                    flow.door.hold()
                    knocks = flow.door.knocks
                    await flow.turn(lambda k=knocks: flow.door.knocks > k)  # type: ignore[misc]
                    await flow.kill()
                    flow.door.release()
                    gone(flow, "in a polled answer at a kill")
                    await flow.start()
                case "theirs":
                    flow.side.dies_in_answer = True
                    left = len(flow.side.left)
                    await flow.turn(lambda n=left: len(flow.side.left) > n)  # type: ignore[misc]
                    flow.side.dies_in_answer = False
                    await flow.side.close()
                    await flow.side.open()
                    await flow.turn(lambda: True)
                    gone(flow, "in a polled answer when the neighbour ended")
        await flow.turn(lambda: not flow.side.waiting)
        await flow.until_quiet()
    flow.judge()
    assert max(max(sizes) for sizes in flow.windows.values()) <= batch_max


def gone(flow: Flow, cause: str) -> None:
    """What left Signal in an answer and was not stored by now is lost."""
    stored = {m.text for m in flow.door.accepted}
    left = [_words(raw) for batch in flow.side.left[-3:] for raw in batch]
    flow.lose([name for name in left if name not in stored and name not in flow.lost], cause)


def _words(raw: object) -> str:
    assert isinstance(raw, dict)
    return str(raw["envelope"]["dataMessage"]["message"])


@pytest.mark.case("C26")
@pytest.mark.parametrize("size", SIZES)
async def test_websocket(size: tuple[int, int]) -> None:
    """Lost is all while nobody is connected, and in a burst what the server's channel drops."""
    flow = Flow("websocket", *size)
    async with asyncio.timeout(120), flowing(flow):
        bursts = flow.bursts()
        plan = restarts_in(flow, len(bursts))
        for place, burst in enumerate(bursts):
            names = [flow.event() for _ in range(burst)]
            kind = plan.get(place)
            if kind is not None:
                restart = flow.kill if kind != "theirs" else flow.side.close
                await restart()
                flow.lose([name for name, _ in names], "while nobody was connected")
                await (flow.start() if kind != "theirs" else flow.side.open())
                continue
            await flow.turn(lambda: bool(flow.side.links))
            kept = [one for n, one in enumerate(names) if n < CHANNEL or n % 8 == 0]
            if len(kept) < len(names):
                told = {name for name, _ in kept}
                dropped = [name for name, _ in names if name not in told]
                flow.lose(dropped, "dropped by the server in a burst")
            for _, raw in kept:
                assert await flow.side.push(raw) == 1
            await flow.until_quiet()
    flow.judge()
    assert set(flow.windows) == {"while nobody was connected", "dropped by the server in a burst"}


@pytest.mark.case("C26")
async def test_a_half_open_websocket_is_noticed_within_its_heartbeats() -> None:
    side = Neighbour("json-rpc")
    side.half_open = True
    await side.open()
    made = signal.create(
        world.table(side.url, "websocket", heartbeat_s=0.2), world.context(fakes.FakeClock())
    )
    with pytest.raises(bridge.BridgeDownError, match="link was lost"):
        await asyncio.wait_for(made.listen(fakes.FakeIntake()), timeout=10)
    await made.close()
    await side.close()


@pytest.mark.case("C26")
@pytest.mark.parametrize("way", ["webhook", "polling", "websocket"])
async def test_a_neighbour_that_is_not_there_ends_listening_and_names_nobody(way: str) -> None:
    async with world.bench(way) as (side, made):
        await side.close()
        with pytest.raises(bridge.BridgeDownError) as told:
            await asyncio.wait_for(made.listen(fakes.FakeIntake()), timeout=10)
        assert told.value.needs_human is None
        assert envelopes.OURS not in str(told.value)


@pytest.mark.case("C28")
@pytest.mark.parametrize(
    ("way", "mode"),
    [("webhook", "normal"), ("websocket", "native"), ("polling", "json-rpc"), ("polling", "x")],
)
async def test_the_mode_is_checked_at_the_start(way: str, mode: str) -> None:
    async with world.bench(way) as (side, made):
        side.mode = mode
        with pytest.raises(bridge.BridgeDownError) as told:
            await asyncio.wait_for(made.listen(fakes.FakeIntake()), timeout=10)
        assert told.value.needs_human is not None
        assert mode in told.value.needs_human


@pytest.mark.case("C28")
async def test_an_account_that_is_gone_needs_somebody_at_the_start() -> None:
    async with world.bench() as (side, made):
        side.accounts = ["+33639980009"]
        with pytest.raises(bridge.BridgeDownError) as told:
            await asyncio.wait_for(made.listen(fakes.FakeIntake()), timeout=10)
        assert "register" in str(told.value.needs_human)

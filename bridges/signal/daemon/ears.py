"""The three ways in: a subscription over a socket, events over HTTP, and polling.

Each hands over, and only then reads on: what is not read waits in the socket, then in signal-cli,
then at Signal. A link that gives no sign of life is asked for one, and is given up if none comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp

from bot.contract import bridge, clock, intake
from bridges.signal import settings, transport
from bridges.signal.daemon import calls, deadline, jsonrpc, lines, place, sse

LINE_BYTES_MAX: Final = 1024 * 1024
# On the machine's own clock: whoever stops us gives all of us ten seconds together (C37).
FAREWELL_S: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. A half-open link is noticed after the sum of both.

    After `ping_every_s` of silence a sign of life is asked for, due in `ping_limit_s`. The HTTP
    daemon gives one by itself every 15 s.
    """

    ping_every_s: float = 30.0
    ping_limit_s: float = 15.0


class Ear(Protocol):
    """A way in."""

    async def listen(self, hand: transport.Hand) -> None:
        """See transport.Transport.receive."""


def choose(
    chosen: settings.Settings, where: place.Place, asking: calls.Calls, moment: clock.Clock
) -> Ear:
    """The way in for these settings."""
    if chosen.way is settings.Way.DAEMON_POLLING:
        return Polled(
            asking, moment, number=chosen.number, batch=chosen.poll_batch, pause_s=chosen.poll_s
        )
    if where.is_http:
        return Streamed(where, moment, number=chosen.number)
    return Subscribed(where, moment, account={"account": chosen.number})


class Delivery:
    """Hands batches over, however often it takes; keeps the one that is in hand."""

    def __init__(self, hand: transport.Hand, moment: clock.Clock) -> None:
        """`hand` says when a batch is stored."""
        self._hand = hand
        self._clock = moment
        self._in_hand: Sequence[object] = ()

    async def give(self, batch: Sequence[object]) -> None:
        """Return when it is stored. An empty batch is a sign of life."""
        self._in_hand = batch
        while True:
            try:
                await self._hand(batch)
            except intake.NotStoredError as away:
                await self._clock.sleep(away.retry_after_s)
            else:
                self._in_hand = ()
                return

    async def give_again(self) -> None:
        """Hand over what was interrupted; it may be stored already, which does no harm."""
        if self._in_hand:
            await self.give(self._in_hand)


class Subscribed:
    """`subscribeReceive` over a socket file or TCP, on a connection of its own."""

    def __init__(
        self,
        where: place.Place,
        moment: clock.Clock,
        *,
        account: Mapping[str, object],
        pace: Pace | None = None,
    ) -> None:
        """Opens nothing. `account`: the parameters that say whose messages."""
        self._where = where
        self._clock = moment
        self._account = account
        self._pace = pace or Pace()

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        try:
            connecting = place.connect(self._where)
            opened = await deadline.within(self._clock, calls.CONNECT_LIMIT_S, connecting)
        except (OSError, TimeoutError):
            raise bridge.BridgeDownError("signal-cli's daemon is not there") from None
        line = lines.Lines(opened, line_bytes_max=LINE_BYTES_MAX)
        talk = _Subscription(line, Delivery(hand, self._clock), self._clock, self._pace)
        try:
            await talk.begin(self._account)
            await talk.follow()
        except lines.LinkCutError:
            raise bridge.BridgeDownError("the link to signal-cli's daemon was cut") from None
        except asyncio.CancelledError:
            await _farewell(talk.end())
            raise
        finally:
            await talk.drop()


class _Subscription:
    """One connection from its first request to its last line."""

    def __init__(
        self, line: lines.Lines, delivery: Delivery, moment: clock.Clock, pace: Pace
    ) -> None:
        self._line = line
        self._delivery = delivery
        self._clock = moment
        self._pace = pace
        self._reading: asyncio.Future[list[bytes]] | None = None
        self._idents = itertools.count(1)
        self._answers: dict[str, jsonrpc.Response] = {}
        self._begun = ""

    async def begin(self, account: Mapping[str, object]) -> None:
        """Subscribe; messages may come before the answer does."""
        # Set before it is written: cancelled right after, we know that messages may be coming.
        self._begun = self._ident()
        await self._write(self._begun, "subscribeReceive", account)
        if not await self._until(self._begun):
            raise bridge.BridgeDownError("signal-cli's daemon does not answer")
        if (error := self._answers[self._begun].error) is not None:
            raise _down(error)

    async def follow(self) -> None:
        """Hand over until the link is cut; ask for a sign of life where there is none."""
        while True:
            if await self._heard(self._pace.ping_every_s):
                continue
            ident = self._ident()
            await self._write(ident, "version", {})
            if not await self._heard(self._pace.ping_limit_s):
                raise bridge.BridgeDownError("the link to signal-cli's daemon is half open")
            self._answers.pop(ident, None)

    async def end(self) -> None:
        """Unsubscribe and hand over what is still on its way: a planned stop loses nothing."""
        await self._delivery.give_again()
        if self._begun and await self._until(self._begun):
            number = self._answers[self._begun].result
            ident = self._ident()
            await self._write(ident, "unsubscribeReceive", {"subscription": number})
            await self._until(ident)

    async def drop(self) -> None:
        """Close, whatever is on its way."""
        if self._reading is not None:
            await deadline.dropped(self._reading)
        await self._line.close()

    async def _until(self, ident: str) -> bool:
        """Hand over until the answer to `ident` is there; False after a silence."""
        while ident not in self._answers:
            if not await self._heard(self._pace.ping_limit_s):
                return False
        return True

    def _ident(self) -> str:
        return str(next(self._idents))

    async def _write(self, ident: str, method: str, params: Mapping[str, object]) -> None:
        writing = self._line.write(jsonrpc.request(ident, method, params))
        try:
            await deadline.within(self._clock, self._pace.ping_limit_s, writing)
        except TimeoutError:
            raise bridge.BridgeDownError("the link to signal-cli's daemon is half open") from None

    async def _heard(self, seconds: float) -> bool:
        """Hand over what comes within `seconds`; whether anything came."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._line.some())
        if not await deadline.done_in(self._clock, seconds, self._reading):
            return False
        said, self._reading = self._reading, None
        batch: list[object] = []
        for line in said.result():
            # What makes no sense is passed over: to cut the link would lose what stands behind it.
            with contextlib.suppress(ValueError):
                told = jsonrpc.read(line)
                if isinstance(told, jsonrpc.Response):
                    self._answers[told.ident] = told
                elif told.method == "receive":
                    batch.append(told.params)
        await self._delivery.give(batch)
        return True


class Streamed:
    """`GET /api/v1/events`: server-sent events. What it is cut off from is lost: see the docs."""

    def __init__(
        self, where: place.Place, moment: clock.Clock, *, number: str, pace: Pace | None = None
    ) -> None:
        """Opens nothing."""
        self._url = f"{where.url}/api/v1/events"
        self._clock = moment
        self._number = number
        self._pace = pace or Pace()

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        limit = aiohttp.ClientTimeout(total=None, sock_connect=calls.CONNECT_LIMIT_S)
        # A small buffer: what has been read is lost when we are killed.
        async with aiohttp.ClientSession(timeout=limit, read_bufsize=lines.READ_BYTES) as session:
            try:
                opening = session.get(self._url, params={"account": self._number})
                answer = await deadline.within(
                    self._clock, self._pace.ping_every_s, _opened(opening)
                )
                async with answer:
                    _check(answer.status)
                    await self._follow(answer.content, Delivery(hand, self._clock))
            except TimeoutError:
                raise bridge.BridgeDownError(
                    "the link to signal-cli's daemon is half open"
                ) from None
            except (aiohttp.ClientError, OSError, sse.EventTooLongError):
                raise bridge.BridgeDownError("the link to signal-cli's daemon was cut") from None

    async def _follow(self, content: aiohttp.StreamReader, delivery: Delivery) -> None:
        reader = sse.Reader()
        silence_s = self._pace.ping_every_s + self._pace.ping_limit_s
        try:
            while chunk := await deadline.within(self._clock, silence_s, content.readany()):
                await delivery.give(_decoded(reader.feed(chunk)))
        except asyncio.CancelledError:
            await _farewell(delivery.give_again())
            raise
        raise bridge.BridgeDownError("signal-cli's daemon ended the events")


class Polled:
    """The `receive` command again and again: at most `batch` messages are ever on their way.

    Slower than a subscription (signal-cli connects to Signal for each call), and the smallest loss
    when somebody is killed.
    """

    WAIT_S: Final = 1.0  # for the first message; a call ends after so long a silence
    _CALL_LIMIT_S: Final = 60.0

    def __init__(
        self, asking: calls.Calls, moment: clock.Clock, *, number: str, batch: int, pause_s: float
    ) -> None:
        """`batch`: the most messages of one answer. `pause_s`: between two empty answers."""
        self._calls = asking
        self._clock = moment
        self._asked = {"account": number, "timeout": self.WAIT_S, "maxMessages": batch}
        self._batch = batch
        self._pause_s = pause_s

    async def listen(self, hand: transport.Hand) -> None:
        """See Ear."""
        delivery = Delivery(hand, self._clock)
        while True:
            call = asyncio.ensure_future(self._call())
            try:
                batch = await asyncio.shield(call)
                await delivery.give(batch)
            except asyncio.CancelledError:
                await _farewell(self._end(call, delivery))
                raise
            finally:
                await deadline.dropped(call)
            if len(batch) < self._batch:
                await self._clock.sleep(self._pause_s)

    @staticmethod
    async def _end(call: asyncio.Future[list[object]], delivery: Delivery) -> None:
        """A call that was asked takes messages from Signal, wanted or not: wait for them."""
        await delivery.give(await call)

    async def _call(self) -> list[object]:
        try:
            told = await self._calls.ask("receive", self._asked, self._CALL_LIMIT_S)
        except calls.NotAskedError:
            raise bridge.BridgeDownError("signal-cli's daemon is not there") from None
        except calls.NoAnswerError:
            raise bridge.BridgeDownError("signal-cli's daemon does not answer") from None
        except jsonrpc.RefusedError as error:
            raise _down(error) from None
        if not isinstance(told, list):
            raise bridge.BridgeDownError("signal-cli's daemon answers what nobody can read")
        return told


async def _farewell(parting: Coroutine[Any, Any, None]) -> None:
    """Give a parting its few seconds, although we are cancelled; it may fail."""
    task = asyncio.ensure_future(parting)
    try:
        await asyncio.wait({task}, timeout=FAREWELL_S)
    finally:
        await deadline.dropped(task)


async def _opened(opening: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    return await opening


def _check(status: int) -> None:
    """The daemon answers 400 where it has no such account."""
    if status == 400:  # noqa: PLR2004 (HTTP: bad request)
        raise _down(jsonrpc.RefusedError(jsonrpc.INVALID_PARAMS))
    if status != 200:  # noqa: PLR2004 (HTTP: fine)
        raise bridge.BridgeDownError(f"signal-cli's daemon answers {status}: is the url right?")


def _decoded(events: Sequence[bytes]) -> list[object]:
    found: list[object] = []
    for event in events:
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(event))
    return found


def _down(error: jsonrpc.RefusedError) -> bridge.BridgeDownError:
    if error.code == jsonrpc.INVALID_PARAMS:
        return bridge.BridgeDownError(
            "signal-cli's daemon has no such account",
            needs_human="register the number with signal-cli, or mend `number` (docs/signal.md)",
        )
    return bridge.BridgeDownError(f"signal-cli's daemon refuses to receive (error {error.code})")

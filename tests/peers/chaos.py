"""A bad line on the way to any peer: TCP in, TCP out, and the faults that a test orders.

    cut        both ends are reset after so many bytes
    stall      nothing moves until `mend`, and nobody is told
    drip       byte by byte, from then on
    double     what the client says is said a second time (a replay)
    half_open  one end is gone; the other's stays open and hears nothing more

`order` says what happens, in which direction, and after how many bytes or at which words; it
happens once and then the line is good again, but for connections that it broke. `struck` counts,
`replied` is what the peer said to the last replay.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import enum
import socket
import struct
from collections.abc import AsyncIterator
from typing import Final

_READ: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)


class Fault(enum.StrEnum):
    CUT = "cut"
    STALL = "stall"
    DRIP = "drip"
    DOUBLE = "double"
    HALF_OPEN = "half-open"


class Way(enum.StrEnum):
    UP = "up"
    DOWN = "down"


@dataclasses.dataclass(kw_only=True, eq=False)
class Order:
    """`after`: bytes of one connection in that direction; `at`: words in what is passed on.

    `passing`: the words themselves still get through, what follows does not.
    Half-open: `peer_stays` leaves the peer believing instead of the client.
    Drip: `pace_s` between two bytes, as long as the line lives.
    Double: over a line of its own what was said since the last answer; `whole`: since the line was
    opened, until the peer has nothing more to say; `same`: this very piece, over the same line.
    """

    fault: Fault
    way: Way = Way.UP
    after: int = 0
    at: bytes = b""
    passing: bool = False
    peer_stays: bool = False
    pace_s: float = 0.0
    whole: bool = False
    same: bool = False


@dataclasses.dataclass(eq=False)
class Line:
    """One connection of the client's, and its other half."""

    client: asyncio.StreamWriter
    peer: asyncio.StreamWriter
    sent: dict[Way, int] = dataclasses.field(default_factory=lambda: {Way.UP: 0, Way.DOWN: 0})
    said: bytearray = dataclasses.field(default_factory=bytearray)
    stalled: bool = False
    deaf: bool = False
    dripping: bool = False
    answered: int = 0
    over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Proxy:
    """In front of one peer, by host and port or by the path of a socket."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, path: str = "") -> None:
        """Nothing is opened yet."""
        self._host, self._peer_port, self._path = host, port, path
        self._orders: list[Order] = []
        self._good = asyncio.Event()
        self._good.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: set[Line] = set()
        self.refusing = False
        self.struck: collections.Counter[str] = collections.Counter()
        self.hit = asyncio.Event()
        self.replied = b""
        self.port = 0

    def order(self, fault: Fault, **more: object) -> None:
        """Let that happen once, to whichever connection comes to it first."""
        self.hit.clear()
        if fault is Fault.STALL:
            self._good.clear()
        self._orders.append(Order(fault=fault, **more))  # type: ignore[arg-type]  # Order's own

    def mend(self) -> None:
        """Everything that was stalled moves again, new connections too; orders are forgotten."""
        self._orders.clear()
        self.refusing = False
        self._good.set()

    def cut_all(self) -> None:
        """Reset whatever is open now."""
        for line in list(self._lines):
            _reset(line.client)
            _reset(line.peer)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listens on loopback until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._good.set()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.cut_all()
            for line in self._lines:
                with contextlib.suppress(OSError):
                    await line.client.wait_closed()
            self._lines.clear()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._path:
            return await asyncio.open_unix_connection(self._path)
        return await asyncio.open_connection(self._host, self._peer_port)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.refusing:
            _reset(client)
            return
        try:
            peer_reader, peer = await self._open()
        except OSError:
            _reset(client)
            return
        line = Line(client, peer)
        self._lines.add(line)
        up = asyncio.create_task(self._pump(line, Way.UP, reader, peer))
        down = asyncio.create_task(self._pump(line, Way.DOWN, peer_reader, client))
        for task in (up, down):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.wait({up, down})
        peer.close()
        if line.deaf:
            return  # its client goes on believing; `running` ends it
        self._lines.discard(line)
        client.close()

    async def _pump(
        self, line: Line, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ):
                if way is Way.UP:
                    line.said += data
                else:
                    line.answered = len(line.said)
                await self._pass(line, way, data, writer)
            if not line.deaf and writer.can_write_eof():
                writer.write_eof()
        line.over.set()

    async def _pass(self, line: Line, way: Way, data: bytes, writer: asyncio.StreamWriter) -> None:
        """One piece on its way, or what became of it."""
        if line.stalled:
            await self._good.wait()
            line.stalled = False
        if line.deaf or writer.is_closing():
            return  # a line that is gone takes no order with it
        before = line.sent[way]
        line.sent[way] += len(data)
        found = next((o for o in self._orders if _due(o, way, before, data)), None)
        if found is None:
            if line.dripping:
                await _drip(data, writer, line.over)
                return
            writer.write(data)
            await writer.drain()
            return
        self._orders.remove(found)
        self.struck[found.fault] += 1
        place = len(data) if found.passing else _place(found, before, data)
        await self._strike(line, found, data, place, writer)
        self.hit.set()

    async def _strike(
        self, line: Line, order: Order, data: bytes, place: int, writer: asyncio.StreamWriter
    ) -> None:
        fault = order.fault
        if fault is Fault.DOUBLE:
            writer.write(data * (2 if order.same else 1))
            await writer.drain()
            if not order.same:
                said = bytes(line.said[0 if order.whole else line.answered :])
                await self._replay(said, to_end=order.whole)
            return
        writer.write(data[:place])
        await writer.drain()
        if fault is Fault.DRIP:
            line.dripping = True
            self.hit.set()
            await _drip(data[place:], writer, line.over, order.pace_s)
        elif fault is Fault.CUT:
            # What was passed on must arrive before the reset overtakes it.
            line.peer.close()
            _reset(line.client)
        elif fault is Fault.STALL:
            line.stalled = True
            self.hit.set()
            await self._good.wait()
            line.stalled = False
            writer.write(data[place:])
            await writer.drain()
        else:
            line.deaf = True
            if order.peer_stays:
                _reset(line.client)
            else:
                line.peer.close()

    async def _replay(self, said: bytes, *, to_end: bool) -> None:
        reader, peer = await self._open()
        peer.write(said)
        await peer.drain()
        # Until the peer has answered, or it may drop what nobody waits for.
        with contextlib.suppress(OSError):
            if to_end:
                peer.write_eof()
            self.replied = await reader.read(-1 if to_end else _READ)
        peer.close()


async def _drip(
    data: bytes, writer: asyncio.StreamWriter, over: asyncio.Event, pace_s: float = 0.0
) -> None:
    for one in data:
        writer.write(bytes((one,)))
        await writer.drain()
        if pace_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pace_s)
        else:
            await asyncio.sleep(0)
        if over.is_set():
            return


def _due(order: Order, way: Way, before: int, data: bytes) -> bool:
    if order.way is not way:
        return False
    return order.at in data if order.at else before + len(data) > order.after


def _place(order: Order, before: int, data: bytes) -> int:
    return data.index(order.at) if order.at else max(order.after - before, 0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()

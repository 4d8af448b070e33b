"""A signal-cli daemon with an account, for what the real one cannot show without Signal.

It does what signal-cli 0.13 does, as read in its source: messages wait at Signal until somebody is
subscribed; each is taken to "disk", acknowledged to Signal, written into the socket and then
forgotten, whether or not anybody ever reads it; a full socket holds everything up. Killed, it finds
what was on disk again. Its ledger knows who wrote, what was written where, and who was sent what.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import json
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self

OURS = "+33639980000"
ACI = "11111111-1111-4111-8111-{:012d}"
Rpc = dict[str, Any]


def envelope(number: int, text: str = "coucou") -> Rpc:
    """Message `number`: its timestamp is its name. The sender hides his number."""
    stamp = 1_700_000_000_000 + number
    return {
        "envelope": {
            "source": ACI.format(number),
            "sourceNumber": None,
            "sourceUuid": ACI.format(number),
            "sourceName": "",
            "sourceDevice": 1,
            "timestamp": stamp,
            "serverReceivedTimestamp": stamp + 1,
            "serverDeliveredTimestamp": stamp + 2,
            "dataMessage": {
                "timestamp": stamp,
                "message": text,
                "expiresInSeconds": 0,
                "isExpirationUpdate": False,
                "viewOnce": False,
            },
        },
        "account": OURS,
    }


def number_of(event: object) -> int:
    """The number of a received message, in any wrapping."""
    inner: Rpc = event.get("result", event) if isinstance(event, dict) else {}
    return int(inner["envelope"]["timestamp"]) - 1_700_000_000_000


class Trouble(Exception):
    """An RPC error to be answered. `results`: of a send that failed after all."""

    def __init__(self, code: int, words: str, results: list[Rpc] | None = None) -> None:
        super().__init__(words)
        data = None if results is None else {"response": {"timestamp": 1, "results": results}}
        self.told = {"code": code, "message": words, "data": data}


class Client:
    """One connection, with its page of the ledger."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.written: list[int] = []
        self.subscription: int | None = None
        self.ended = ""
        self.parted = False
        self.writing = asyncio.Lock()

    async def say(self, raw: bytes) -> None:
        async with self.writing:
            await asyncio.get_running_loop().sock_sendall(self.sock, raw)

    def cut(self, why: str) -> None:
        """End it; what was written still arrives. Whoever reads it closes it."""
        self.ended = self.ended or why
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self, *, reset: bool) -> None:
        """Give the socket back; with a reset even what is on its way is gone."""
        if reset and self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class FakeDaemon:
    """`async with FakeDaemon(path or None) as daemon`; `daemon.url` says where it listens."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._port = 0
        self.at_signal: collections.deque[int] = collections.deque()
        self.on_disk: int | None = None
        self.clients: list[Client] = []
        self.asked: list[tuple[str, Rpc]] = []
        self.delivered: collections.Counter[str] = collections.Counter()
        self.sent: list[tuple[str, str]] = []
        self.before: Callable[[Client, str, Rpc], None] = lambda *_: None
        self.after: Callable[[Client, str, bytes], bytes] = lambda _client, _method, raw: raw
        self.envelope: Callable[[int], object] = envelope
        self.identities: list[Rpc] = []
        self.restarts = 0
        self.receiving_by_hand = False
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._subscriptions = itertools.count()
        self._stamps = itertools.count(1_700_000_000_000)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._path}" if self._path else f"tcp://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Listen, at the same address as before."""
        if self._path:
            self._path.unlink(missing_ok=True)
            one = socket.socket(socket.AF_UNIX)
            one.bind(str(self._path))
        else:
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", self._port))
            self._port = one.getsockname()[1]
        one.listen(64)
        one.setblocking(False)
        self._listening = one
        asyncio.get_running_loop().add_reader(one, self._accept, one)
        self._go(self._pump())

    async def stop(self, *, why: str = "theirs", reset: bool = False) -> None:
        """As if killed: connections end as they are, what is on disk stays there."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self.clients:
            if not client.ended:
                client.ended = why
                client.close(reset=reset)
        if self.on_disk is not None:
            self.at_signal.appendleft(self.on_disk)
            self.on_disk = None
            self._idle.set()

    def cut_all(self) -> None:
        """Every connection ends at once, the daemon lives on."""
        for client in self.clients:
            if not client.ended:
                client.cut("cut")

    async def restart(self) -> None:
        await self.stop()
        self.restarts += 1
        self.start()

    def post(self, *numbers: int) -> None:
        """Somebody wrote: the messages wait at Signal."""
        self.at_signal.extend(numbers)
        self._arrived.set()

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = listening.accept()
            sock.setblocking(False)
            client = Client(sock)
            self.clients.append(client)
            self._go(self._serve(client))

    async def _pump(self) -> None:
        """Signal's own connection: one message at a time, only while somebody is subscribed."""
        while True:
            subscribed = [c for c in self.clients if c.subscription is not None and not c.ended]
            if not (subscribed and self.at_signal):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self.on_disk = number = self.at_signal.popleft()
            self._idle.clear()
            for client in subscribed:
                params = {"subscription": client.subscription, "result": self.envelope(number)}
                said = {"jsonrpc": "2.0", "method": "receive", "params": params}
                client.written.append(number)
                with contextlib.suppress(OSError):  # signal-cli forgets it all the same
                    await client.say(json.dumps(said).encode() + b"\n")
            self.on_disk = None
            self._idle.set()
            await asyncio.sleep(0)

    async def _serve(self, client: Client) -> None:
        rest = b""
        try:
            while chunk := await asyncio.get_running_loop().sock_recv(client.sock, 65_536):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    self._go(self._act(client, json.loads(line)))
        except OSError:
            pass
        client.subscription = None
        client.cut("ours")
        async with client.writing:  # a writer sees the end first
            client.close(reset=False)

    async def _act(self, client: Client, request: Rpc) -> None:
        answer: Rpc = {"jsonrpc": "2.0", "id": request["id"]}
        params = dict(request.get("params", {}))
        method = str(request["method"])
        self.asked.append((method, params))
        try:
            self.before(client, method, params)
            answer["result"] = await getattr(self, f"_do_{method}")(client, params)
        except Trouble as trouble:
            answer["error"] = trouble.told
        raw = self.after(client, method, json.dumps(answer).encode() + b"\n")
        with contextlib.suppress(OSError):
            await client.say(raw)

    def _own(self, params: Rpc) -> None:
        if params.get("account") != OURS:
            raise Trouble(-32602, "Specified account does not exist")

    async def _do_version(self, client: Client, params: Rpc) -> Rpc:
        return {"version": "0.13.19"}

    async def _do_listAccounts(self, client: Client, params: Rpc) -> list[Rpc]:  # noqa: N802
        return [{"number": OURS}]

    async def _do_subscribeReceive(self, client: Client, params: Rpc) -> int:  # noqa: N802
        self._own(params)
        client.subscription = next(self._subscriptions)
        self._arrived.set()
        return client.subscription

    async def _do_unsubscribeReceive(self, client: Client, params: Rpc) -> Rpc:  # noqa: N802
        if params.get("subscription") != client.subscription:
            raise Trouble(-1, "Unknown subscription id")
        client.subscription = None
        await self._idle.wait()  # signal-cli waits for its receiving thread
        client.parted = True
        return {}

    async def _do_receive(self, client: Client, params: Rpc) -> list[object]:
        """Takes from Signal up to `maxMessages`; who does not read the answer loses it."""
        self._own(params)
        count = min(len(self.at_signal), int(params["maxMessages"]))
        taken = [self.at_signal.popleft() for _ in range(count)]
        client.written.extend(taken)
        return [self.envelope(number) for number in taken]

    async def _do_send(self, client: Client, params: Rpc) -> Rpc:
        """Delivered and called good, unless the script says otherwise by raising Trouble."""
        self._own(params)
        for recipient in params["recipient"]:
            self.delivered[recipient] += 1
            self.sent.append((recipient, params["message"]))
        return {"timestamp": next(self._stamps), "results": [{"type": "SUCCESS"}]}

    async def _do_getUserStatus(self, client: Client, params: Rpc) -> list[Rpc]:  # noqa: N802
        self._own(params)
        return [
            {
                "recipient": number,
                "number": number,
                "username": None,
                "uuid": ACI.format(int(number[-4:])) if int(number[-1]) % 2 else None,
                "isRegistered": bool(int(number[-1]) % 2),
            }
            for number in params["recipient"]
        ]

    async def _do_submitRateLimitChallenge(self, client: Client, params: Rpc) -> Rpc:  # noqa: N802
        if params["captcha"] != "signalcaptcha://right":
            raise Trouble(-1, "Captcha rejected, it may be outdated")
        return {}

    async def _do_listIdentities(self, client: Client, params: Rpc) -> list[Rpc]:  # noqa: N802
        self._own(params)
        return self.identities

    async def _do_trust(self, client: Client, params: Rpc) -> Rpc:
        known = [one for one in self.identities if one["uuid"] == params["recipient"]]
        if not known:
            raise Trouble(-1, "Failed to set the trust for this number")
        for one in known:
            one["trustLevel"] = "TRUSTED_UNVERIFIED"
        return {}

    async def _do_listContacts(self, client: Client, params: Rpc) -> list[Rpc]:  # noqa: N802
        profile = {"givenName": ".", "familyName": ""}
        return [{"number": OURS, "uuid": ACI.format(0), "profile": profile}]

    async def _do_updateProfile(self, client: Client, params: Rpc) -> Rpc:  # noqa: N802
        return {}

    async def _do_updateConfiguration(self, client: Client, params: Rpc) -> Rpc:  # noqa: N802
        return {}

"""Fakes around the simulator: an intake that remembers, storage, and calls straight into ASGI."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.contract import address, bridge, clock, intake, messages
from bridges import simulator
from bridges.simulator import bridge as simulator_bridge

OURS = "+33639980000"
HIS = "+33639980001"
NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


class StillClock:
    """Stands at NOW."""

    def now(self) -> dt.datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here may wait")


class Shelf:
    """Storage in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str | None) -> None:
        if value is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = value


class Door:
    """An intake that keeps what it took; `away` makes it store nothing."""

    def __init__(self) -> None:
        self.taken: list[messages.InboundMessage] = []
        self.away = False

    async def accept(
        self,
        batch: Sequence[messages.InboundMessage],
        *,
        channel: str | None = None,
        cursor: str | None = None,
    ) -> None:
        if self.away:
            raise intake.NotStoredError("disk full", retry_after_s=7)
        self.taken.extend(batch)

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        raise AssertionError("phones send no receipts")

    async def delay_over(self, sender: address.Address) -> bool:
        return False

    async def cursor(self, channel: str) -> str | None:
        return None


def context(channel: str = "sms", time: clock.Clock | None = None) -> bridge.Context:
    return bridge.Context(
        channel=channel, clock=time or StillClock(), storage=Shelf(), currency="EUR"
    )


def made(time: clock.Clock | None = None, **table: object) -> simulator_bridge.Simulator:
    """A bridge as the registry would make it."""
    return simulator.create({"addresses": [OURS], **table}, context(time=time))


def reply(
    reply_id: str = "a" * 32, to: str = HIS, text: str = "Bonjour.", network: str = "sms"
) -> messages.OutboundReply:
    return messages.OutboundReply(
        reply_id=reply_id,
        channel="sms",
        sender=address.Address(network, OURS),
        recipient=address.Address(network, to),
        text=text,
        valid_until=NOW + dt.timedelta(days=1),
    )


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(self.body)


async def call(
    app: bridge.AsgiApp,
    method: str,
    target: str,
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    *,
    client: str = "127.0.0.1",
) -> Answer:
    """One request straight into an application; a sequence of bodies arrives in pieces."""
    path, _, query = target.partition("?")
    pieces = [body] if isinstance(body, bytes) else list(body)
    sent: list[Any] = []
    given = {"content-type": "application/json", **(headers or {})}

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(event: Any) -> None:  # noqa: ANN401 (ASGI)
        sent.append(event)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": (client, 1),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
    }
    await app(scope, receive, send)
    start = sent[0]
    lines = {k.decode(): v.decode() for k, v in start["headers"]}
    rest = b"".join(event.get("body", b"") for event in sent[1:])
    return Answer(start["status"], lines, rest)

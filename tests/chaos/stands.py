"""Stand-ins for peers that cannot be had here, each with a ledger of what people really got."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bot.contract import address, bridge, messages
from bridges import signal
from bridges.sms import seven, smsgate
from bridges.sms.twilio import bridge as twilio_bridge
from bridges.sms.twilio import settings as twilio_settings
from tests.bridges.signal import envelopes
from tests.bridges.signal import neighbour as rest
from tests.bridges.signal import world as signals
from tests.bridges.sms.seven import gateway
from tests.bridges.sms.smsgate import phone
from tests.bridges.sms.twilio import exchange
from tests.chaos import site
from tests.fakes import world
from tests.peers import signal_cli_fake

LIMIT_S = 1


class Stand(Protocol):
    """One peer. `price_micros`: what one reply costs us there. `drops_repeats`: by our id."""

    channel: str
    ours: address.Address
    price_micros: int
    drops_repeats: bool
    marks: bytes

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    @property
    def port(self) -> int: ...
    def create(self, port: int) -> site.Create: ...
    def seen(self) -> Sequence[str]: ...
    def person(self, number: int) -> str: ...


def message(stand: Stand, number: int, now: Any) -> messages.InboundMessage:  # noqa: ANN401 (aware)
    """Person `number` writes to this account."""
    return messages.InboundMessage(
        channel=stand.channel,
        provider_id=f"m{number}",
        sender=address.Address(stand.ours.network, stand.person(number)),
        recipient=stand.ours,
        received_at=now,
        text="salut",
    )


class _Sms:
    channel = "sms"

    def __init__(self, ours: str) -> None:
        self.ours = address.Address(address.SMS, ours)

    def person(self, number: int) -> str:
        return world.phone(number)


class Smsgate(_Sms):
    """The app on a phone, or its server: both know our ids."""

    drops_repeats = True
    price_micros = 50_000
    marks = b'"textMessage"'

    def __init__(self, api: str) -> None:
        super().__init__(phone.OURS)
        self._phone = phone.Phone(api)
        self.open, self.close = self._phone.open, self._phone.close

    @property
    def port(self) -> int:
        return int(self._phone.url.rpartition(":")[2])

    def create(self, port: int) -> site.Create:
        table = {
            **self._phone.table(price="0.05", send_limit_s=LIMIT_S),
            "url": f"http://127.0.0.1:{port}",
        }
        return lambda lent: smsgate.create(table, lent)

    def seen(self) -> Sequence[str]:
        return [one.recipient for one in self._phone.ledger]


class Seven(_Sms):
    drops_repeats = False
    price_micros = 75_000
    marks = b"foreign_id"

    def __init__(self) -> None:
        super().__init__(gateway.OURS)
        self._gateway = gateway.Gateway()
        self.open, self.close = self._gateway.open, self._gateway.close

    @property
    def port(self) -> int:
        return int(self._gateway._runner.addresses[0][1])

    def create(self, port: int) -> site.Create:
        url = f"http://127.0.0.1:{port}/api"
        chosen = dataclasses.replace(
            seven.read(self._gateway.table()), url=url, send_limit_s=LIMIT_S
        )
        return lambda lent: seven.Seven(chosen, lent)

    def seen(self) -> Sequence[str]:
        return [one.recipient for one in self._gateway.ledger]


class Twilio(_Sms):
    drops_repeats = False
    price_micros = 95_000
    marks = b"Body="

    def __init__(self) -> None:
        super().__init__(exchange.OURS)
        self._exchange = exchange.Exchange()
        self.open, self.close = self._exchange.open, self._exchange.close

    @property
    def port(self) -> int:
        return int(self._exchange.url.rpartition(":")[2])

    def create(self, port: int) -> site.Create:
        read = twilio_settings.read(exchange.settings(f"http://127.0.0.1:{port}"))
        chosen = dataclasses.replace(read, send_limit_s=LIMIT_S)
        return lambda lent: self._made(chosen, lent)

    def _made(self, chosen: Any, lent: bridge.Context) -> Any:  # noqa: ANN401 (the bridge's own)
        self._exchange.now = lent.clock.now
        return twilio_bridge.make(chosen, lent)

    def seen(self) -> Sequence[str]:
        sent = self._exchange.messages.values()
        return [one["to"] for one in sent if one["direction"] == "outbound-api"]


class _Signal:
    channel = "signal"
    ours = address.Address(address.SIGNAL, envelopes.OURS)
    price_micros = 0
    drops_repeats = False

    def person(self, number: int) -> str:
        return envelopes.aci(number)


class SignalRest(_Signal):
    marks = b"message"

    def __init__(self) -> None:
        self._side = rest.Neighbour()
        self.open, self.close = self._side.open, self._side.close

    @property
    def port(self) -> int:
        return self._side.port

    def create(self, port: int) -> site.Create:
        table = signals.table(f"http://127.0.0.1:{port}", gap_s=0, receipt_wait_s=0)
        return lambda lent: signal.create(table, lent)

    def seen(self) -> Sequence[str]:
        return [one.recipient for one in self._side.ledger]


class SignalDaemon(_Signal):
    marks = b'"send"'

    def __init__(self) -> None:
        self.side = signal_cli_fake.FakeDaemon()

    async def open(self) -> None:
        self.side.start()

    async def close(self) -> None:
        await self.side.stop()

    @property
    def port(self) -> int:
        return int(self.side.url.rpartition(":")[2])

    def create(self, port: int) -> site.Create:
        table = signals.table(f"tcp://127.0.0.1:{port}", "daemon", gap_s=0, receipt_wait_s=0)
        return lambda lent: signal.create(table, lent)

    def seen(self) -> Sequence[str]:
        return [recipient for recipient, _ in self.side.sent]


STANDS: dict[str, Callable[[], Stand]] = {
    "SMSGate's app (stand-in)": lambda: Smsgate("phone"),
    "SMSGate's server (stand-in)": lambda: Smsgate("server"),
    "seven.io (stand-in)": Seven,
    "Twilio (own stand-in)": Twilio,
    "signal-cli-rest-api (stand-in)": SignalRest,
    "signal-cli with an account (stand-in): out": SignalDaemon,
}


def counted(stand: Stand) -> collections.Counter[str]:
    """What people really got."""
    return collections.Counter(stand.seen())

"""An account at seven.io, in memory: credit, logbook, signed events; the real bridge on top."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import hashlib
import hmac
import json
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.contract import address, bridge, segments
from bridges.sms import seven as real
from tests.dst import outside, people, twilio, wire

KEY: Final = "signing-key-of-the-account"
PRICE: Final = 75_000
TRIES: Final = 12
NEWS: Final = ("TRANSMITTED", "DELIVERED")
_HOME: Final = zoneinfo.ZoneInfo("Europe/Berlin")
_TABLE: Final[Mapping[str, object]] = {
    "api_key": "key-of-the-account",
    "signing_key": KEY,
    "addresses": [people.OURS[people.SEVEN]],
    "price": "0.075",
}


@dataclasses.dataclass(slots=True, kw_only=True)
class _Sent:
    """One of our messages in the logbook."""

    call: outside.Call
    at: dt.datetime
    status: str | None = None


class Seven(outside.Network):
    """One account with one number. Nothing drops repeats; an event is told for days."""

    def __init__(self, world: outside.Outside, channel: str = people.SEVEN) -> None:
        super().__init__(world, channel)
        self._sent: dict[str, _Sent] = {}
        self._inbox: list[people.Letter] = []
        self._nonce = 0

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        made = real.Seven(real.read(_TABLE), context)
        made._session = wire.Session(self._asked)  # type: ignore[assignment]  # stands in
        return made

    # ------------------------------------------------------------ what it is asked

    async def _asked(self, asked: wire.Asked) -> wire.Told:
        if asked.method == "POST" and asked.path == "/api/sms":
            form = asked.form
            to = address.Address(address.SMS, form["to"])
            parts = segments.count(form["text"]).parts
            call = self.world.call(self, form["foreign_id"], to, parts * PRICE)
            call.text = form["text"]
            return await self.world.treat(self, call)
        await self.world.question("seven is asked")
        if asked.path == "/api/journal/inbound":
            return self._page([self._got(one) for one in self._received(asked)], asked)
        if asked.path == "/api/journal/outbound":
            return self._page([self._logged(name) for name in self._sent], asked)
        return wire.Told(json={"amount": 100.0, "currency": "EUR"})

    def take(self, call: outside.Call, number: int) -> None:
        draw, name = self.world.draw, str(77_000_000_000 + number)
        call.provider_id = name
        self._sent[name] = _Sent(call=call, at=self.world.clock.true())
        last = "DELIVERED"
        if self.world.fault("not_delivered", 0.15):
            call.failed, last = True, draw.choice(("NOTDELIVERED", "EXPIRED", "REJECTED"))
            call.met.add("not_delivered")
        ended_s = draw.uniform(0, 3_000)
        self.world.later(ended_s, self._ends(name, last))
        if not self.world.fault("news_lost", 0.2):
            self._tell(draw.uniform(0, ended_s), name, "TRANSMITTED")
        if self.world.fault("news_lost", 0.1):
            call.met.add("news_lost")
            return
        for n in range(1 + self.world.fault("news_twice", 0.3)):
            self._tell(ended_s + draw.uniform(0, 3_000), name, last, again=n > 0)

    def _ends(self, name: str, status: str) -> outside.Act:
        async def act() -> None:
            self._sent[name].status = status

        return act

    def good(self, call: outside.Call) -> wire.Told:
        told = {
            "id": call.provider_id,
            "success": True,
            "error": None,
            "parts": call.quote // PRICE,
            "price": _euro(call.price or 0),
        }
        return wire.Told(json={"success": "100", "messages": [told]})

    def refusal(self, *, of_account: bool) -> wire.Told:
        draw = self.world.draw
        code = draw.choice(sorted(real.STOPS if of_account else real.NEVER))
        # Some errors are a bare code instead of an object.
        return wire.Told(raw=code.encode()) if draw.random() < 0.3 else _coded(code)

    @staticmethod
    def _page(found: list[dict[str, Any]], asked: wire.Asked) -> wire.Told:
        query = asked.query
        kept = [
            one
            for one in found[::-1]
            if query.get("id", one["id"]) == one["id"]
            and query.get("to", one["to"]) == one["to"]
            and one["timestamp"][:10] >= query.get("date_from", "")
        ]
        start = int(query.get("offset", "0"))
        return wire.Told(json=kept[start : start + int(query["limit"])])

    def _logged(self, name: str) -> dict[str, Any]:
        one = self._sent[name]
        return {
            "id": name,
            "to": one.call.to.value.lstrip("+"),
            "from": people.OURS[self.channel].lstrip("+"),
            "timestamp": _local(one.at),
            "price": _euro(one.call.price or 0),
            "dlr": one.status,
            "foreign_id": one.call.reply_id,
        }

    def _received(self, asked: wire.Asked) -> list[people.Letter]:
        since = asked.query.get("date_from", "")
        found = [one for one in self._inbox if _local(self.world.written(one))[:10] >= since]
        for one in found:
            self.read_out(one)
        return found

    def _got(self, letter: people.Letter) -> dict[str, Any]:
        return {
            "id": letter.name,
            "from": letter.sender.value.lstrip("+"),
            "to": people.OURS[self.channel].lstrip("+"),
            "text": letter.text,
            "timestamp": _local(self.world.written(letter)),
        }

    # ------------------------------------------------------------ what it calls

    async def early(self, call: outside.Call) -> bool:
        return await self._post("dlr", self._news(str(call.provider_id), "TRANSMITTED"))

    def _news(self, name: str, status: str) -> dict[str, object]:
        told = {"msg_id": name, "status": status, "timestamp": _local(self.world.clock.true())}
        return {**told, "foreign_id": self._sent[name].call.reply_id}

    def _tell(self, delay_s: float, name: str, status: str, *, again: bool = False) -> None:
        async def act() -> bool:
            well = await self._post("dlr", self._news(name, status))
            self.world.effects["news_twice"] += well and again
            return well

        self.world.later(delay_s, self.until(act, TRIES, 60))

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        letter.name = str(600_000 + letter.number)
        letter.wrote = self.world.written(letter)
        # It is in their logbook from now on, so that a sweep may bring it before any event does.
        letter.handed = True
        self._inbox.append(letter)
        data: dict[str, object] = {
            "id": letter.name,
            "sender": letter.sender.value.lstrip("+"),
            "system": people.OURS[self.channel].lstrip("+"),
            "text": letter.text,
            "time": str(int(letter.wrote.timestamp())),
            "message_type": "SMS",
        }

        async def deliver(*, again: bool) -> bool:
            self.read_out(letter)
            stored = await self._post("sms_mo", data)
            if stored:
                acked(letter)
                self.world.effects["delivered_twice"] += again
            return stored

        if self.world.fault("webhook_lost", 0.05):
            letter.met.add("webhook_lost")
            return
        for n in range(1 + self.world.fault("delivered_twice", 0.1)):

            async def act(again: bool = n > 0) -> bool:
                return await deliver(again=again)

            late_s = self.lateness(letter, 0, 900) + n * self.world.draw.uniform(0, 5_000)
            self.world.later(late_s, self.until(act, TRIES, 30))

    async def _post(self, kind: str, data: Mapping[str, object]) -> bool:
        self._nonce += 1
        now = self.world.clock.true()
        told = {"data": data, "webhook_event": kind, "webhook_timestamp": _local(now)}
        body = json.dumps(told).encode()
        path = f"/sms/{self.channel}/seven"
        stamp, nonce = str(int(now.timestamp())), f"{self._nonce:032d}"
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        words = "\n".join((stamp, nonce, "POST", f"{twilio.URL}{path}", md5))
        headers = {
            "content-type": "application/json",
            "x-timestamp": stamp,
            "x-nonce": nonce,
            "x-signature": hmac.new(KEY.encode(), words.encode(), hashlib.sha256).hexdigest(),
        }
        return await self.world.knock(self.channel, path, body, headers)


def _coded(code: str) -> wire.Told:
    return wire.Told(json={"success": code, "messages": []})


def _euro(micros: int) -> str:
    return f"{decimal.Decimal(micros) / 1_000_000:.6f}"


def _local(at: dt.datetime) -> str:
    """The logbook's times carry no zone."""
    return at.astimezone(_HOME).strftime("%Y-%m-%d %H:%M:%S")

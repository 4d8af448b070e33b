"""A phone with the gateway app, in memory: queue, inbox, events; the real bridge on top."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Final

from bot.contract import address, bridge
from bridges.sms.smsgate import bridge as real
from bridges.sms.smsgate import checklist, settings
from tests.dst import outside, people, wire

KEY: Final = "signing-key-of-the-app"
TRIES: Final = 15
_TABLE: Final[Mapping[str, object]] = {
    "api": "phone",
    "url": "http://127.0.0.1:8080",
    "username": "sms",
    "password": "a-password-of-the-app",
    "signing_key": KEY,
    "addresses": [people.OURS[people.GATE]],
    "ping_alarm_s": 0,
    "ping_human_s": 0,
}


@dataclasses.dataclass(slots=True, kw_only=True)
class _Sent:
    """One of our messages in the phone's queue."""

    call: outside.Call
    state: str = "Pending"
    error: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Got:
    """One SMS in the phone's inbox."""

    letter: people.Letter
    at: dt.datetime


class SmsGate(outside.Network):
    """One phone with one SIM."""

    repeats = True

    def __init__(self, world: outside.Outside, channel: str = people.GATE) -> None:
        super().__init__(world, channel)
        self._queue: dict[str, _Sent] = {}
        self._inbox: list[_Got] = []
        self._events = 0

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        made = real.SmsGate(settings.read(_TABLE, context.currency), context)
        made._client._session = wire.Session(self._asked)  # type: ignore[assignment]  # stands in
        return made

    # ------------------------------------------------------------ what it is asked

    async def _asked(self, asked: wire.Asked) -> wire.Told:
        if asked.method == "POST" and asked.path == "/messages":
            return await self._enqueue(asked.json)
        await self.world.question("the phone is asked")
        if asked.path == "/inbox/refresh":
            return wire.Told(status=202)
        if asked.path == "/inbox":
            return self._listed(asked.query)
        found = self._queue.get(asked.path.removeprefix("/messages/"))
        if found is None:
            return wire.Told(status=404, json={"message": "not found"})
        people_ = [{"phoneNumber": "", "state": found.state, "error": found.error}]
        told = {"id": found.call.reply_id, "state": found.state, "recipients": people_}
        return wire.Told(json=told)

    async def _enqueue(self, told: Mapping[str, object]) -> wire.Told:
        name = str(told["id"])
        numbers = told["phoneNumbers"]
        assert isinstance(numbers, list)
        if name in self._queue:
            await self.world.points.at("send repeated")
            self.world.faults["repeat_dropped"] += 1
            return wire.Told(status=409, json={"message": "it is here already"})
        to = address.Address(address.SMS, str(numbers[0]))
        return await self.world.treat(self, self.world.call(self, name, to, 0))

    def take(self, call: outside.Call, number: int) -> None:
        del number
        call.provider_id, call.price = call.reply_id, 0
        sent = self._queue[call.reply_id] = _Sent(call=call)
        draw = self.world.draw
        end, kind = "Delivered", "sms:delivered"
        if self.world.fault("not_delivered", 0.1):
            call.met.add("not_delivered")
            end, kind, call.failed = "Failed", "sms:failed", True
        ended_s = draw.uniform(0, 3_000)
        self.world.later(ended_s, self._ends(sent, end))
        self._tell(draw.uniform(0, 3_000), "sms:sent", call)
        for n in range(1 + self.world.fault("news_twice", 0.3)):
            self._tell(ended_s + draw.uniform(0, 3_000), kind, call, again=n > 0)

    @staticmethod
    def _ends(sent: _Sent, end: str) -> outside.Act:
        async def act() -> None:
            sent.state = end
            sent.error = "Send result: RESULT_ERROR_GENERIC_FAILURE" if end == "Failed" else None

        return act

    def good(self, call: outside.Call) -> wire.Told:
        return wire.Told(status=202, json={"id": call.reply_id, "state": "Pending"})

    def refusal(self, *, of_account: bool) -> wire.Told:
        return wire.Told(status=401 if of_account else 400, json={"message": "no"})

    def _listed(self, query: Mapping[str, str]) -> wire.Told:
        """Newest first, from a moment on."""
        since = dt.datetime.fromisoformat(query["from"])
        if query["type"] != "SMS":
            return wire.Told(json=[])
        found = [(n, one) for n, one in enumerate(self._inbox) if one.at >= since]
        start = int(query["offset"])
        page = found[::-1][start : start + int(query["limit"])]
        for _, one in page:
            self.read_out(one.letter)
        shown = [
            {
                "id": str(n),
                "type": "SMS",
                "sender": one.letter.sender.value,
                "contentPreview": one.letter.text,
                "createdAt": _stamp(one.at),
            }
            for n, one in page
        ]
        return wire.Told(json=shown)

    # ------------------------------------------------------------ what it calls

    async def early(self, call: outside.Call) -> bool:
        return await self._post("sms:sent", self._event(), self._about("sms:sent", call))

    def _event(self) -> str:
        self._events += 1
        return f"event-{self._events}"

    @staticmethod
    def _about(kind: str, call: outside.Call) -> dict[str, object]:
        more = {"reason": "Send result: RESULT_ERROR_GENERIC_FAILURE"} if "failed" in kind else {}
        return {"messageId": call.reply_id, "phoneNumber": call.to.value, **more}

    def _tell(self, delay_s: float, kind: str, call: outside.Call, *, again: bool = False) -> None:
        name = self._event()

        async def act() -> bool:
            well = await self._post(kind, name, self._about(kind, call))
            self.world.effects["news_twice"] += well and again
            return well

        self.world.later(delay_s, self.until(act, TRIES, 60))

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        at = self.world.written(letter)
        letter.wrote, letter.handed = at, True
        self._inbox.append(_Got(letter=letter, at=at))
        payload: dict[str, object] = {
            "messageId": f"{letter.number:08x}",
            "message": letter.text,
            "sender": letter.sender.value,
            "simNumber": 1,
            "receivedAt": _stamp(at),
        }

        async def deliver(name: str, *, again: bool) -> bool:
            self.read_out(letter)
            stored = await self._post("sms:received", name, payload)
            if stored:
                acked(letter)
                self.world.effects["one_sms_two_events"] += again
            return stored

        # Some phones tell one SMS as two events with ids of their own.
        for n in range(1 + self.world.fault("one_sms_two_events", 0.1)):
            act = functools.partial(deliver, self._event(), again=n > 0)
            self.world.later(self.lateness(letter, 0, 900), self.until(act, TRIES, 30))

    async def _post(self, kind: str, name: str, payload: Mapping[str, object]) -> bool:
        body = json.dumps(
            {"id": name, "deviceId": "phone", "event": kind, "payload": payload}
        ).encode()
        stamp = str(int(self.world.clock.true().timestamp())).encode()
        headers = {
            "content-type": "application/json",
            "x-timestamp": stamp.decode(),
            "x-signature": hmac.new(KEY.encode(), body + stamp, hashlib.sha256).hexdigest(),
        }
        return await self.world.knock(self.channel, checklist.path(self.channel), body, headers)


def _stamp(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds")

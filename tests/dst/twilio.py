"""An account at Twilio, in memory: messages, prices, callbacks; the real bridge on top."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

from twilio import request_validator  # type: ignore[import-untyped]  # the SDK has no types

from bot.contract import address, bridge, segments
from bridges.sms.twilio import bridge as real
from bridges.sms.twilio import settings
from tests.dst import outside, people, wire

ACCOUNT: Final = f"AC{'0' * 32}"
TOKEN: Final = "0123456789abcdef0123456789abcdef"
URL: Final = "https://sms.example.org"
PRICE: Final = 70_000
FEE: Final = 1_000
RETRIED: Final = (30003, 30008)
FORBIDDEN: Final = 403
_ROOT: Final = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
_TABLE: Final[Mapping[str, object]] = {
    "account_sid": ACCOUNT,
    "auth_token": TOKEN,
    "addresses": [people.OURS[people.TWILIO]],
    "currency": "EUR",
    "prices": {"FR": "0.07"},
    "inbound_price": "0.0075",
    "countries": ["FR"],
    "lookup_price": "0.008",
}


@dataclasses.dataclass(slots=True, kw_only=True)
class _Message:
    """A message as Twilio keeps it. Its price shows from `priced_s` on."""

    sid: str
    inbound: bool
    sender: str
    to: str
    body: str
    status: str
    made: dt.datetime
    parts: int
    code: int = 0
    price: int = 0
    priced_s: float = 0.0
    gone: bool = False
    letter: people.Letter | None = None


class Twilio(outside.Network):
    """One account with one number."""

    # Who finds no place among those under way comes back at once.
    in_hand_s = 0.0

    def __init__(self, world: outside.Outside, channel: str = people.TWILIO) -> None:
        super().__init__(world, channel)
        self._messages: dict[str, _Message] = {}
        self._signs = request_validator.RequestValidator(TOKEN)
        self._back: dict[str, str] = {}
        draw = world.draw
        self._table = {
            **_TABLE,
            "at_provider": draw.choice((settings.KEEP, settings.REDACT, settings.DELETE)),
            "lookup": draw.random() < 0.3 or world.crowd,
        }

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        made = real.make(settings.read(self._table), context)
        account = made._line.account
        assert account.sdk is not None  # made now, so that its session can be taken
        assert account._http is not None
        await account._http.session.close()
        account._http.session = wire.Session(self._asked)  # type: ignore[assignment]  # stands in
        return made

    # ------------------------------------------------------------ what it is asked

    async def _asked(self, asked: wire.Asked) -> wire.Told:
        if asked.method == "POST" and asked.path == f"{_ROOT}.json":
            return await self._create(asked.form)
        await self.world.question("Twilio is asked")
        if asked.path == f"{_ROOT}.json":
            return self._list(asked.query)
        if asked.path.startswith(f"{_ROOT}/"):
            return self._one(asked)
        if asked.path.startswith("/v2/PhoneNumbers/"):
            return self._looked_up(asked)
        return wire.Told(status=404, json={"code": 20404})

    async def _create(self, form: Mapping[str, str]) -> wire.Told:
        back = form["StatusCallback"]
        reply_id = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["r"][0]
        parts = segments.count(form["Body"]).parts
        to = address.Address(address.SMS, form["To"])
        call = self.world.call(self, reply_id, to, parts * PRICE)
        call.text = form["Body"]
        return await self.world.treat(self, call)

    def take(self, call: outside.Call, number: int) -> None:
        draw, sid = self.world.draw, f"SM{number:032x}"
        call.provider_id = sid
        made = _Message(
            sid=sid,
            inbound=False,
            sender=people.OURS[self.channel],
            to=call.to.value,
            body=call.text,
            status="queued",
            made=self.world.clock.true().replace(microsecond=0),
            parts=call.quote // PRICE,
            price=call.price or 0,
            priced_s=self.world.clock.monotonic() + draw.uniform(60, 20_000),
        )
        self._messages[sid] = made
        self._back[sid] = call.reply_id
        end, code = "delivered", 0
        if self.world.fault("not_delivered", 0.18):
            code, end = draw.choice(RETRIED), "undelivered"
            self.world.faults[f"not_delivered_{code}"] += 1
            call.met |= {"not_delivered", f"not_delivered_{code}"}
        elif self.world.fault("not_delivered_for_good", 0.06):
            code, end = draw.choice((30005, 30006, 30007)), "failed"
            made.price = call.price = FEE
            call.met.add("not_delivered_for_good")
        call.failed = bool(code)
        for status in ("queued", "sent"):
            if not self.world.fault("news_lost", 0.3):
                self._tell(draw.uniform(0, 4_000), made, status, 0)
        ended_s = draw.uniform(0, 3_000)
        self.world.later(ended_s, self._ends(made, end, code))
        if self.world.fault("news_lost", 0.1):
            call.met.add("news_lost")
            return
        for n in range(1 + self.world.fault("news_twice", 0.3)):
            self._tell(ended_s + draw.uniform(0, 3_000), made, end, code, again=n > 0)

    @staticmethod
    def _ends(made: _Message, end: str, code: int) -> outside.Act:
        async def act() -> None:
            made.status, made.code = end, code

        return act

    def good(self, call: outside.Call) -> wire.Told:
        assert call.provider_id is not None
        return wire.Told(status=201, json=self._shown(self._messages[call.provider_id]))

    def refusal(self, *, of_account: bool) -> wire.Told:
        if of_account:
            return wire.Told(status=401, json={"code": 20003})
        code = self.world.draw.choice((21211, 21610, 21614, 30005))
        self.world.faults["refused_21610"] += code == 21610
        return wire.Told(status=400, json={"code": code})

    def _one(self, asked: wire.Asked) -> wire.Told:
        found = self._messages.get(asked.path.removeprefix(f"{_ROOT}/").removesuffix(".json"))
        if found is None or found.gone:
            return wire.Told(status=404, json={"code": 20404})
        if asked.method == "DELETE":
            found.gone = True
            return wire.Told(status=204, raw=b"")
        if asked.method == "POST":
            found.body = asked.form["Body"]
        return wire.Told(json=self._shown(found))

    def _list(self, query: Mapping[str, str]) -> wire.Told:
        day = query.get("DateSent>", "")
        listed = [
            one
            for one in reversed(self._messages.values())
            if one.to == query["To"] and not one.gone and one.made.isoformat() >= day[:10]
        ]
        for one in listed:
            if one.letter is not None:
                self.read_out(one.letter)
        shown = [self._shown(one) for one in listed]
        return wire.Told(json={"messages": shown, "next_page_uri": None})

    def _looked_up(self, asked: wire.Asked) -> wire.Told:
        number = urllib.parse.unquote(asked.path.rpartition("/")[2])
        line = {"type": self.world.draw.choice(("mobile", "landline")), "error_code": None}
        told = {"phone_number": number, "valid": True, "line_type_intelligence": line}
        return wire.Told(json=told)

    def _shown(self, one: _Message) -> dict[str, Any]:
        priced = self.world.calm or self.world.clock.monotonic() >= one.priced_s
        at = email.utils.format_datetime(one.made)
        return {
            "sid": one.sid,
            "status": one.status,
            "direction": "inbound" if one.inbound else "outbound-api",
            "from": one.sender,
            "to": one.to,
            "body": one.body,
            "num_media": "0",
            "num_segments": str(one.parts),
            "error_code": one.code or None,
            "price": f"-{one.price / 1_000_000:.6f}" if priced and not one.inbound else None,
            "price_unit": "EUR",
            "date_created": at,
            "date_sent": at,
        }

    # ------------------------------------------------------------ what it calls

    async def early(self, call: outside.Call) -> bool:
        assert call.provider_id is not None
        return await self._call_back(self._messages[call.provider_id], "queued", 0)

    def _tell(
        self, delay_s: float, made: _Message, status: str, code: int, *, again: bool = False
    ) -> None:
        async def act() -> bool:
            well = await self._call_back(made, status, code)
            self.world.effects["news_twice"] += well and again
            return well

        # Twilio calls a status once more at the most.
        self.world.later(delay_s, self.until(act, 2, 5))

    async def _call_back(self, made: _Message, status: str, code: int) -> bool:
        form = {
            "AccountSid": ACCOUNT,
            "MessageSid": made.sid,
            "MessageStatus": status,
            "From": made.sender,
            "To": made.to,
        } | ({"ErrorCode": str(code)} if code else {})
        return await self._post("status", form, f"r={self._back[made.sid]}")

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        letter.name = f"SM{letter.number:031x}f"
        letter.wrote = self.world.written(letter)
        # It is in their list from now on, so that a sweep may bring it before any call does.
        letter.handed = True
        self._messages[letter.name] = _Message(
            sid=letter.name,
            inbound=True,
            sender=letter.sender.value,
            to=people.OURS[self.channel],
            body=letter.text,
            status="received",
            made=letter.wrote.replace(microsecond=0),
            parts=1,
            letter=letter,
        )
        form = {
            "AccountSid": ACCOUNT,
            "MessageSid": letter.name,
            "From": letter.sender.value,
            "To": people.OURS[self.channel],
            "Body": letter.text,
            "NumMedia": "0",
            "NumSegments": "1",
        }

        async def deliver(way: str) -> bool:
            self.read_out(letter)
            stored = await self._post(way, form)
            if stored:
                acked(letter)
            return stored

        async def act(*, again: bool = False) -> None:
            well = await deliver("in") or await deliver("fallback")
            self.world.effects["delivered_twice"] += well and again
            if not well:
                self.world.faults["webhook_given_up"] += 1
                letter.met.add("webhook_given_up")
            if self.world.fault("delivered_twice", 0.15):
                self.world.later(self.world.draw.uniform(0, 5_000), lambda: act(again=True))

        if self.world.fault("forged", 0.05):
            # Somebody else, who does not know the secret; it is in nobody's list.
            made_up = form | {"MessageSid": f"SM{letter.number:031x}e"}
            self.world.later(1, lambda: self._forge(made_up))
        if self.world.fault("webhook_lost", 0.06):
            letter.met.add("webhook_lost")
            return
        self.world.later(self.lateness(letter, 60, 2_000), act)

    async def _forge(self, form: dict[str, str]) -> None:
        path = f"/twilio/{self.channel}/in"
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": "bm90IG91ciBzaWduYXR1cmU=",
        }
        body = urllib.parse.urlencode(form).encode()
        status = await self.world.ring(self.channel, path, body, headers)
        self.world.effects["forged"] += status == FORBIDDEN

    async def _post(self, name: str, form: dict[str, str], query: str = "") -> bool:
        path = f"/twilio/{self.channel}/{name}"
        url = f"{URL}{path}" + (f"?{query}" if query else "")
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": self._signs.compute_signature(url, form),
        }
        body = urllib.parse.urlencode(form).encode()
        return await self.world.knock(self.channel, path, body, headers, query)

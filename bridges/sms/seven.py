"""seven.io (Kiel, Germany): prepaid, two-way numbers, signed webhooks. The whole provider.

Why this one: docs/decisions/0007-third-provider.md. Facts: docs.seven.io (sms, status-reports,
logbook, webhooks, signing) and the maker's PHP and Go clients, read on 22 November 2026.

A send has no idempotency key; our reply id goes along as `foreign_id`, by which the logbook finds
what was cut. Little can be lost: an event is told for 3.5 days, and the logbook is swept.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import decimal
import hashlib
import hmac
import json
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp

from bot.contract import address, bridge, first_run, intake, messages, money, outcomes, segments

BASE: Final = "https://gateway.seven.io/api"
MAX_BYTES: Final = 32_768
MAX_AGE_S: Final = 300
PAGE: Final = 100
CONNECT_LIMIT_S: Final = 1.5  # what has its connection later leaves too late after a pause (C21)
# Of long texts: 152 or 62 (help.seven.io, "SMS Pricing"), less one for a pair at a part's edge.
PART_UNITS: Final = {segments.Encoding.GSM_7: 151, segments.Encoding.UCS_2: 61}
_HOME: Final = zoneinfo.ZoneInfo("Europe/Berlin")  # the logbook's times carry no zone
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_KEY: Final = re.compile(r"[\x21-\x7e]{8,512}\Z")
_REPLY_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
KEYS: Final = {
    "api_key": "app.seven.io, Developer, API keys",
    "signing_key": "app.seven.io, Developer, API settings; unsigned events are refused",
    "addresses": 'our numbers: `"+44…"` or `{ value, state }`',
    "price": "EUR a part, of the dearest country that is answered",
    "credit_alarm": "EUR of credit below which health says so",
}  # every key with its meaning; docs/sms.md shows this very table
DEFAULTS: Final[Mapping[str, object]] = {"price": "0.075", "credit_alarm": "5"}
_Q: Final = first_run.Question
_ASKED: Final = (
    _Q(key="api_key", ask="API key", why=f"{KEYS['api_key']}.", secret=True),
    _Q(key="signing_key", ask="Signing key", why=f"{KEYS['signing_key']}.", secret=True),
    _Q(key="addresses", ask="Number with its +", why="That people will write to.", many=True),
)
_SAID: Final = "prepaid credit at seven.io (it stops at zero)"
START = (first_run.Start(name="prepaid", title=_SAID, page="sms.md", questions=_ASKED),)
DELIVERIES: Final = {
    "DELIVERED": messages.Delivery.DELIVERED,
    **dict.fromkeys(("TRANSMITTED", "ACCEPTED", "BUFFERED"), messages.Delivery.SENT),
    **dict.fromkeys(("NOTDELIVERED", "REJECTED", "FAILED", "EXPIRED"), messages.Delivery.FAILED),
}
# The maker's StatusCode (php-client): seconds to wait, stop, refused. All else is unknown, also 402
# (the same text went to him within 180 s: an earlier try of ours was taken).
LATER: Final = {"11": 600, "403": 21_600, "500": 1_800}
STOPS: Final = frozenset({"201", "900", "901", "902", "903"})
NEVER: Final = frozenset({"202", "300", "301", "305", "401"})

_Own = Sequence[bridge.OwnAddress]
Faults = list[tuple[str, str]]
_Answer = tuple[int, bytes, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One account; `price` is of one part, at the most."""

    api_key: str = dataclasses.field(repr=False)
    signing_key: str = dataclasses.field(repr=False)
    addresses: tuple[bridge.OwnAddress, ...]
    price: money.Money
    credit_alarm: money.Money
    send_limit_s: float = 15.0
    url: str = BASE


def read(table: Mapping[str, object]) -> Settings:
    """The settings of a table of the configuration; raises SettingsError with all faults."""
    unknown = sorted(table.keys() - KEYS.keys() - {"kind"})
    faults = [(key, f"is not known here; known are {', '.join(sorted(KEYS))}") for key in unknown]
    told = {**DEFAULTS, **table}
    keys = {key: told.get(key) for key in ("api_key", "signing_key")}
    fault = "must be a text in quotes, as seven.io shows it"
    faults += [(k, fault) for k, v in keys.items() if not (isinstance(v, str) and _KEY.match(v))]
    own = _addresses(told.get("addresses"), faults)
    price, alarm = (_euro(told[key], key, faults) for key in ("price", "credit_alarm"))
    if faults:
        raise bridge.SettingsError(faults)
    return Settings(addresses=own, price=price, credit_alarm=alarm, **keys)  # type: ignore[arg-type]


def _addresses(value: object, faults: Faults) -> tuple[bridge.OwnAddress, ...]:
    own: dict[str, bridge.OwnAddress] = {}
    for place, entry in enumerate(value if isinstance(value, list | tuple) else ()):
        told = entry if isinstance(entry, Mapping) else {"value": entry}
        number, state = str(told.get("value")), told.get("state", bridge.State.OFFERED)
        sound = re.fullmatch(r"\+[1-9][0-9]{6,14}", number) and number not in own
        stated = isinstance(state, str) and state in set(bridge.State)
        if not sound or not stated or not told.keys() <= {"value", "state"}:
            fault = 'must be "+…" or { value = "+…", state = "offered" }, each number once'
            faults.append((f"addresses[{place}]", fault))
            continue
        made = address.Address(address.SMS, number)
        own[number] = bridge.OwnAddress(address=made, state=bridge.State(str(state)))
    if not own:
        faults.append(("addresses", 'must list at least one number: ["+447700900001"]'))
    return tuple(own.values())


def _euro(value: object, key: str, faults: Faults) -> money.Money:
    made = _amount(value) if isinstance(value, str) else None
    if made is None or made.micros < 0:
        faults.append((key, 'must be a decimal amount in quotes: "0.075"'))
    return made or money.Money(0, "EUR")


def signed(key: str, url: str, body: bytes, head: Mapping[bytes, bytes], now: dt.datetime) -> bool:
    """Hex HMAC-SHA256 of time, nonce, method, our URL and the body's MD5; at most 5 minutes old."""
    stamp, nonce = head.get(b"x-timestamp", b""), head.get(b"x-nonce", b"")
    if not re.fullmatch(rb"[0-9]{1,12}", stamp) or abs(int(stamp) - now.timestamp()) > MAX_AGE_S:
        return False
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest().encode()
    words = b"\n".join((stamp, nonce, b"POST", url.encode(), digest))
    ours = hmac.digest(key.encode(), words, "sha256").hex().encode()
    return hmac.compare_digest(ours, head.get(b"x-signature", b"").lower())


def _json(raw: bytes) -> Any:  # noqa: ANN401 (JSON)
    """The value with exact decimals, None where there is none."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(raw.decode("utf-8"), parse_float=money.exact)
    return None


def _name(value: object) -> str:
    if not isinstance(value, str | int) or not _ID.match(str(value)):
        raise ValueError("no id")
    return str(value)


def _number(value: object) -> address.Address:
    """seven.io leaves the plus out; a short code or a name stays as it is."""
    shown = value if isinstance(value, str) else ""
    plus = "+" if re.fullmatch(r"[1-9][0-9]{6,14}", shown) else ""
    return address.Address(address.SMS, plus + shown)


def _amount(value: object) -> money.Money | None:
    """An amount as seven.io writes it, rounded up to a millionth; None where it is none."""
    with contextlib.suppress(decimal.DecimalException, ValueError):
        told = decimal.Decimal(str(value)).quantize(decimal.Decimal("1e-6"), decimal.ROUND_UP)
        return money.parse(told, "EUR")
    return None


def inbound(told: Any, channel: str, own: _Own, now: dt.datetime) -> messages.InboundMessage:  # noqa: ANN401
    """`data` of the event `sms_mo`, or an entry of the logbook. Raises ValueError."""
    if not isinstance(told, dict) or not isinstance(told.get("text"), str):
        raise ValueError("no message")  # noqa: TRY004 (one error for all)
    sender = _number(told.get("sender", told.get("from")))
    recipient = _number(told.get("system", told.get("to")))
    if not any(one.address == recipient for one in own):
        raise ValueError("not to one of our numbers")
    time = str(told.get("time", told.get("timestamp")))
    try:
        if re.fullmatch(r"[0-9]{1,11}", time):
            at = dt.datetime.fromtimestamp(int(time), dt.UTC)
        else:
            at = dt.datetime.fromisoformat(time).replace(tzinfo=_HOME, fold=1).astimezone(dt.UTC)
    except (OverflowError, OSError):
        raise ValueError("no time") from None
    return messages.InboundMessage(
        channel=channel,
        provider_id=f"mo-{_name(told.get('id'))}",
        sender=sender,
        recipient=recipient,
        received_at=min(at, now),
        text=told["text"],
    )


def receipt(told: Any, channel: str, now: dt.datetime) -> messages.DeliveryReceipt | None:  # noqa: ANN401
    """`data` of the event `dlr`, or an entry of the logbook; None for a status without news."""
    if not isinstance(told, dict):
        raise ValueError("no report")  # noqa: TRY004 (one error for all)
    message_id, ours = _name(told.get("msg_id", told.get("id"))), told.get("foreign_id")
    status = str(told.get("status", told.get("dlr"))).upper()
    if "price" in told:  # the logbook lists what was taken, whatever its status
        status = status if status in DELIVERIES else "ACCEPTED"
    if status not in DELIVERIES:
        return None
    return messages.DeliveryReceipt(
        channel=channel,
        at=now,
        provider_id=message_id,
        reply_id=ours if isinstance(ours, str) and _REPLY_ID.match(ours) else None,
        delivery=DELIVERIES[status],
        price=_amount(told.get("price")),
        reason=status.lower() if DELIVERIES[status] is messages.Delivery.FAILED else None,
    )


def outcome(status: int, raw: bytes, wait: str, parts: int, now: dt.datetime) -> outcomes.Outcome:
    """What the answer of POST /sms means; some errors are a bare code instead of an object."""
    told = _json(raw) if status < 500 else None  # noqa: PLR2004 (a proxy's words are no code)
    told = told if isinstance(told, dict) else {"success": told if status == 200 else None}  # noqa: PLR2004
    listed = told.get("messages")
    first = listed[0] if isinstance(listed, list) and listed else None
    first, code = first if isinstance(first, dict) else {}, str(told.get("success"))
    code = str(first.get("error") or code) if code in {"100", "101"} else code
    if code in {"100", "101"} and first.get("success") is True and _ID.match(str(first.get("id"))):
        count, price = first.get("parts"), _amount(first.get("price"))
        parts = count if type(count) is int and count > 0 else parts
        return outcomes.Accepted(provider_id=str(first["id"]), parts=parts, price=price)
    if status == 429 or code in LATER:  # noqa: PLR2004 (HTTP)
        seconds = int(wait) if re.fullmatch(r"[0-9]{1,5}", wait) else LATER.get(code, 60)
        why = "the credit is used up" if code == "500" else "told to wait"
        return outcomes.NotNow(reason=why, retry_at=now + dt.timedelta(seconds=max(1, seconds)))
    if status in {401, 403} or code in STOPS:
        return outcomes.Rejected(reason="the account is refused", stop_channel=True)
    unsure = status in {402, 408, 499} or code == "402"
    if not unsure and (400 <= status < 500 or code in NEVER):  # noqa: PLR2004 (HTTP)
        return outcomes.Rejected(reason=f"refused ({status})")
    return outcomes.Unknown(reason=f"answered {status}, not as it should")


class Seven:
    """One account with its numbers."""

    network: Final = address.SMS
    idempotent: Final = False

    def __init__(self, chosen: Settings, context: bridge.Context) -> None:
        self.channel: Final = context.channel
        self.addresses: Final = chosen.addresses
        self._settings, self._clock = chosen, context.clock
        self._path = f"/sms/{context.channel}/seven"
        self._hook_url = context.public_url.rstrip("/") + self._path
        self._session: aiohttp.ClientSession | None = None
        self._heard_at: dt.datetime | None = None
        self._refused = 0

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == address.SMS and recipient.is_e164

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        """Upper bound: seven.io counts long texts in smaller parts than the standard."""
        if not self.reaches(recipient):
            return None
        size = segments.count(text)
        billed = -(-size.units // PART_UNITS[size.encoding]) if size.parts > 1 else 1
        price = self._settings.price.times(max(billed, size.parts))
        return messages.Quote(price=price, parts=size.parts)

    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        """Where seven.io posts its events."""

        async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
            status, body, more = 200, b"ok", []
            try:
                await self._take(await self._event(scope, receive), door)
            except (ValueError, TimeoutError):
                self._refused += 1
                status, body, more = 403, b"forbidden", [(b"connection", b"close")]
            except intake.NotStoredError as error:
                wait = str(error.retry_after_s).encode()
                status, body, more = 503, b"not stored", [(b"retry-after", wait)]
            head = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": status, "headers": head + more})
            await send({"type": "http.response.body", "body": body})

        return (bridge.Route(path=self._path, app=app),)

    async def listen(self, door: intake.Intake) -> None:
        await asyncio.Event().wait()

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        now, quote = self._clock.now(), self.quote(reply.recipient, reply.text)
        left_s = (reply.valid_until - now).total_seconds()
        if quote is None or left_s <= 0 or all(o.address != reply.sender for o in self.addresses):
            return outcomes.Rejected(reason="no price, too late, or not our number")
        form = {"to": reply.recipient.value, "from": reply.sender.value.lstrip("+")}
        ttl = str(max(1, int(left_s // 60)))
        form |= {"text": reply.text, "foreign_id": reply.reply_id, "ttl": ttl}
        try:
            answer = await self._ask("POST", "/sms", self._settings.send_limit_s, data=form)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return outcomes.NotNow(reason="not reached", retry_at=now + dt.timedelta(seconds=60))
        except (TimeoutError, aiohttp.ClientError, OSError):
            return outcomes.Unknown(reason="no answer")
        return outcome(*answer, quote.parts, now)

    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        """Look the reply up in the logbook, by its id or by our own that went along."""
        day = f"{sent.sent_at - dt.timedelta(days=1):%Y-%m-%d}"
        query = {"id": sent.provider_id} if sent.provider_id else {"date_from": day}
        if sent.provider_id is None and sent.recipient is not None:
            query["to"] = sent.recipient.value.lstrip("+")
        for one in await self._get("/journal/outbound", 10, limit=str(PAGE), **query) or ():
            told = one if isinstance(one, dict) else {}
            if told.get("foreign_id") == sent.reply_id or told.get("id") == (sent.provider_id or 0):
                with contextlib.suppress(ValueError):
                    return receipt(told, self.channel, self._clock.now())
        return None

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        """Hand in the logbook's inbound since then; it knows whole days only."""
        count, page = 0, {"date_from": f"{since - dt.timedelta(days=1):%Y-%m-%d}"}
        for start in range(0, 50 * PAGE, PAGE):
            page |= {"limit": str(PAGE), "offset": str(start)}
            told = await self._get("/journal/inbound", 30, **page)
            if not isinstance(told, list):
                raise bridge.BridgeDownError("the logbook cannot be read")
            found = []
            for one in told:
                with contextlib.suppress(ValueError):
                    found.append(inbound(one, self.channel, self.addresses, self._clock.now()))
            if found:
                await door.accept(found)
            count += len(found)
            if len(told) < PAGE:
                break
        return count

    async def health(self) -> bridge.Health:
        """The credit: without any, nothing goes out until somebody tops it up."""
        told = await self._get("/balance", 4)
        credit = _amount(told.get("amount") if isinstance(told, dict) else told)
        condition = bridge.Condition.UP
        detail = f"{self._refused} foreign requests refused" if self._refused else ""
        if credit is None:
            condition, detail = bridge.Condition.DOWN, "seven.io does not tell the credit"
        elif credit.micros < max(1, self._settings.price.micros):
            condition, detail = bridge.Condition.NEEDS_HUMAN, "the credit is used up: top it up"
        elif credit.micros < self._settings.credit_alarm.micros:
            detail = f"credit is low: {credit}"
        return bridge.Health(condition=condition, detail=detail, last_event_at=self._heard_at)

    def release_reason(self) -> str | None:
        french = any(own.address.value[:4] in {"+336", "+337"} for own in self.addresses)
        return "a French 06 or 07 must not send by itself on a platform" if french else None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _event(self, scope: Any, receive: Any) -> dict[str, Any]:  # noqa: ANN401
        body, more = bytearray(), scope["method"] == "POST"
        async with asyncio.timeout(10):
            while more and len(body) <= MAX_BYTES:
                told = await receive()
                body += told.get("body", b"")
                more = told["type"] == "http.request" and told.get("more_body", False)
        key, now, headers = self._settings.signing_key, self._clock.now(), dict(scope["headers"])
        is_json = headers.get(b"content-type", b"").lower().startswith(b"application/json")
        found = _json(bytes(body)) if is_json and len(body) <= MAX_BYTES else None
        good = signed(key, self._hook_url, bytes(body), headers, now)
        if not good or not isinstance(found, dict):
            raise ValueError("not for us")
        return found

    async def _take(self, event: dict[str, Any], door: intake.Intake) -> None:
        self._heard_at, data = self._clock.now(), event.get("data")
        if event.get("webhook_event") == "sms_mo":
            await door.accept([inbound(data, self.channel, self.addresses, self._heard_at)])
        elif event.get("webhook_event") == "dlr":
            told = receipt(data, self.channel, self._heard_at)
            await door.receipts([] if told is None else [told])

    async def _ask(self, method: str, where: str, limit_s: float, **more: Any) -> _Answer:  # noqa: ANN401
        if self._session is None:
            ways = aiohttp.TCPConnector(limit=0)  # a queue would eat up the request's own limit
            quick = aiohttp.ClientTimeout(connect=CONNECT_LIMIT_S)
            self._session = aiohttp.ClientSession(connector=ways, timeout=quick)
        headers = {"X-Api-Key": self._settings.api_key, "Accept": "application/json"}
        url, more = self._settings.url + where, {"allow_redirects": False, **more}
        asked = self._session.request(method, url, headers=headers, **more)
        async with asyncio.timeout(limit_s), asked as answer:
            return answer.status, await answer.read(), answer.headers.get("Retry-After", "")

    async def _get(self, where: str, limit_s: float, **query: str) -> Any:  # noqa: ANN401
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            status, raw, _ = await self._ask("GET", where, limit_s, params=query)
            return _json(raw) if status == 200 else None  # noqa: PLR2004 (HTTP)
        return None


def create(table: Mapping[str, object], context: bridge.Context) -> Seven:
    """What the registry calls; raises SettingsError."""
    return Seven(read(table), context)

"""From the app's bytes to messages and receipts. Pure; whatever is none raises ValueError.

Facts: docs.sms-gate.app (webhooks, mms), the app's source (payloads, hashes), PROVIDERS.md.
No error repeats what was in an event.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import phonenumbers

from bot.contract import address, clock, messages, segments
from bridges.sms.smsgate import settings

MAX_AGE_S: Final = 300
_STAMP: Final = re.compile(rb"[0-9]{1,12}\Z")
_REPLY_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_RESULT: Final = re.compile(r"RESULT_[A-Z_]{1,48}")
_CODE_CHARACTERS: Final = 6

RECEIVED: Final = "sms:received"
MMS: Final = "mms:received"
SENT: Final = "sms:sent"
DELIVERED: Final = "sms:delivered"
FAILED: Final = "sms:failed"
PING: Final = "system:ping"
EVENTS: Final = (RECEIVED, MMS, SENT, DELIVERED, FAILED, PING)
"""What we register for. Not `mms:downloaded`: it carries the pictures (C45)."""

# Android refuses to send at all: the next one would fare no better. `GENERIC_FAILURE` is what an
# empty prepaid SIM gives, among others; several in a row stop the channel (see notes.py).
STOPPING: Final = frozenset(
    {
        "RESULT_ERROR_LIMIT_EXCEEDED",
        "RESULT_ERROR_RADIO_OFF",
        "RESULT_ERROR_NO_SERVICE",
        "RESULT_ERROR_FDN_CHECK_FAILURE",
        "RESULT_NO_DEFAULT_SMS_APP",
    }
)
EXPIRED: Final = "expired"


class ForeignError(ValueError):
    """An event of another phone, or of a SIM that is not ours."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event:
    """One event of the app. `kind`: `sms:received` and the like."""

    id: str
    device_id: str
    kind: str
    payload: Mapping[str, Any]


def signed(
    keys: Sequence[str], body: bytes, stamp: bytes, signature: bytes, now: dt.datetime
) -> bool:
    """Whether the phone signed this body not more than five minutes ago (or ahead).

    X-Signature is the hexadecimal HMAC-SHA256 of the raw body followed by X-Timestamp.
    """
    if not _STAMP.match(stamp) or abs(int(stamp) - now.timestamp()) > MAX_AGE_S:
        return False
    given = signature.lower()
    # No early end: each key is tried, so that time tells nobody which one it was.
    found = [
        hmac.compare_digest(
            hmac.new(key.encode(), body + stamp, hashlib.sha256).hexdigest().encode(), given
        )
        for key in keys
    ]
    return any(found)


def event(body: bytes) -> Event:
    """The envelope of an event."""
    try:
        told = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    match told:
        case {
            "id": str(event_id),
            "deviceId": str(device_id),
            "event": str(kind),
            "payload": dict(payload),
        } if 0 < len(event_id) <= messages.MAX_ID_CHARACTERS and event_id.isprintable():
            return Event(id=event_id, device_id=device_id, kind=kind, payload=payload)
    raise ValueError("id, deviceId and event must be texts, payload an object")


def inbound(
    told: Event, channel: str, chosen: settings.Settings, now: dt.datetime
) -> messages.InboundMessage:
    """The message of `sms:received` or `mms:received`; ForeignError for a SIM not ours."""
    payload = told.payload
    text = payload.get("message") if told.kind == RECEIVED else ""
    return _message(
        payload,
        sender=payload.get("sender") or payload.get("phoneNumber"),
        text=text,
        moment=payload.get("receivedAt"),
        event_id=told.id,
        is_text=told.kind == RECEIVED,
        channel=channel,
        chosen=chosen,
        now=now,
    )


def listed(
    item: object, channel: str, chosen: settings.Settings, now: dt.datetime
) -> messages.InboundMessage:
    """An entry of GET /inbox. Its `id` is a 32-bit hash that two messages may share."""
    if not isinstance(item, dict) or str(item.get("type")) not in {"SMS", "MMS"}:
        raise ValueError("no entry of an inbox")
    is_text = item["type"] == "SMS"
    return _message(
        item,
        sender=item.get("sender"),
        text=item.get("contentPreview") if is_text else "",
        moment=item.get("createdAt"),
        event_id=None,
        is_text=is_text,
        channel=channel,
        chosen=chosen,
        now=now,
    )


def _message(
    fields: Mapping[str, Any],
    *,
    sender: object,
    text: object,
    moment: object,
    event_id: str | None,
    is_text: bool,
    channel: str,
    chosen: settings.Settings,
    now: dt.datetime,
) -> messages.InboundMessage:
    """One SMS has two names, and either alone drops a repeat.

    Its provider_id is made of sender, text and second, because some phones tell one SMS as two
    events, and the inbox knows no event (issues 264, 310, 372 of the app); its fingerprint is
    the event's id, for the same event told again.
    """
    if not isinstance(sender, str) or not isinstance(text, str) or not isinstance(moment, str):
        raise ValueError("sender, text and time must be texts")  # noqa: TRY004 (one error for all)
    received_at = _time(moment)
    # A phone's clock may be wrong; a message from the future would wait for its own arrival.
    at = min(received_at, now) if received_at is not None else now
    stamp = str(clock.to_ms(received_at) // 1_000) if received_at is not None else moment
    kind = messages.Kind.TEXT if is_text else messages.Kind.ATTACHMENT
    return messages.InboundMessage(
        channel=channel,
        provider_id=f"sms-{_digest(kind, sender, text, stamp)}",
        sender=address.Address(address.SMS, _international(sender, chosen)),
        recipient=address.Address(address.SMS, _recipient(fields, chosen)),
        received_at=at,
        text=text,
        kind=kind,
        parts=segments.count(text).parts,
        fingerprint=event_id,
    )


def _digest(*words: str) -> str:
    # A surrogate that stands alone is no Unicode, but the app passes on what a phone sent.
    raw = "\x00".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()


def _time(value: str) -> dt.datetime | None:
    """The app tells local time with its offset; anything else is no time."""
    with contextlib.suppress(ValueError, OverflowError):
        moment = dt.datetime.fromisoformat(value)
        if moment.utcoffset() is not None:
            return moment.astimezone(dt.UTC)
    return None


def _international(sender: str, chosen: settings.Settings) -> str:
    """Some networks show a sender at home in national form (06...); others stay as shown.

    An MMS tells its sender as an address of its own kind: `+33.../TYPE=PLMN` (OMA MMS-ENC, 8).
    """
    sender = sender.partition("/TYPE=")[0]
    if not (sender.isascii() and sender.isdigit() and sender.startswith("0")):
        return sender
    with contextlib.suppress(phonenumbers.NumberParseException):
        home = phonenumbers.parse(chosen.addresses[0].address.value)
        region = phonenumbers.region_code_for_country_code(home.country_code or 0)
        found = phonenumbers.parse(sender, region)
        if phonenumbers.is_possible_number(found):
            return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    return sender


def _recipient(fields: Mapping[str, Any], chosen: settings.Settings) -> str:
    """Which of our numbers it came to; empty where the phone does not know.

    An empty one is never answered: he is answered from the number he wrote to or not at all (C43).
    """
    sim, told = fields.get("simNumber"), fields.get("recipient")
    own = [one.address.value for one in chosen.addresses]
    if type(sim) is int and chosen.sims:
        for number, slot in chosen.sims.items():
            if slot == sim:
                return number
        raise ForeignError("a SIM that is not ours")
    if isinstance(told, str) and address.Address(address.SMS, told).is_e164:
        if told not in own:
            raise ForeignError("a number that is not ours")
        return told
    return own[0] if len(own) == 1 else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `sms:sent`, `sms:delivered` or `sms:failed` says of one of our replies.

    `parts`: how many the phone made, where it says so. `reason`: a short word of ours.
    """

    event_id: str
    reply_id: str
    delivery: messages.Delivery
    parts: int | None = None
    reason: str | None = None


_DELIVERY: Final = {
    SENT: messages.Delivery.SENT,
    DELIVERED: messages.Delivery.DELIVERED,
    FAILED: messages.Delivery.FAILED,
}


def report(told: Event) -> Report | None:
    """The report, None if it is of a message that somebody sent by hand."""
    message_id = told.payload.get("messageId")
    if not isinstance(message_id, str):
        raise ValueError("messageId must be a text")  # noqa: TRY004 (one error for all)
    if not _REPLY_ID.match(message_id):
        return None
    parts = told.payload.get("partsCount")
    return Report(
        event_id=told.id,
        reply_id=message_id,
        delivery=_DELIVERY[told.kind],
        parts=parts if type(parts) is int and 0 < parts < 256 else None,  # noqa: PLR2004 (an octet)
        reason=reason(told.payload.get("reason")) if told.kind == FAILED else None,
    )


def reason(told: object) -> str:
    """A provider's words as a word of ours: they may hold a number."""
    words = told if isinstance(told, str) else ""
    if found := _RESULT.search(words):
        return found[0]
    if "TTL expired" in words:
        return EXPIRED
    return "not delivered" if "Delivery result" in words else "not sent"


def state(raw: bytes) -> tuple[str, str | None] | None:
    """State and the recipient's error out of an answer of GET /messages/{id}; None if unreadable.

    https://docs.sms-gate.app/features/status-tracking/
    """
    told = json_of(raw)
    if not isinstance(told, dict) or not isinstance(told.get("state"), str):
        return None
    people = told.get("recipients")
    first = people[0] if isinstance(people, list) and people else None
    error = first.get("error") if isinstance(first, dict) else None
    return told["state"], error if isinstance(error, str) else None


def json_of(raw: bytes) -> Any:  # noqa: ANN401 (JSON)
    """The value, None for what is no JSON."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def code(key: str) -> str:
    """The word that begins a test message of the checklist; nobody else can know it."""
    return hmac.new(key.encode(), b"antirelou checklist", hashlib.sha256).hexdigest()[
        :_CODE_CHARACTERS
    ]


def test_point(message: messages.InboundMessage, keys: Sequence[str]) -> settings.Point | None:
    """The point of the checklist that a message tests: its whole text is `CODE point`."""
    words = message.text.lower().split()
    if len(words) == 2 and any(words[0] == code(key) for key in keys):  # noqa: PLR2004
        with contextlib.suppress(ValueError):
            return settings.Point(words[1])
    return None

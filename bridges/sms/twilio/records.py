"""The SDK's message resources as values of ours; pure, and never fooled by odd fields."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final

from bot.contract import address, messages, money
from bridges.sms.twilio import errors, line, tariff, wire

INBOUND: Final = "inbound"
_MOST_PARTS: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record:
    """A message as Twilio keeps it. `price`: of the whole message, without its sign."""

    sid: str
    status: str
    direction: str
    sender: str
    recipient: str
    body: str
    media: int
    parts: int | None
    code: int
    price: money.Money | None
    created_at: dt.datetime | None
    sent_at: dt.datetime | None

    @property
    def is_inbound(self) -> bool:
        """Whether somebody sent it to us."""
        return self.direction == INBOUND


def read(told: Any) -> Record | None:  # noqa: ANN401 (untyped SDK)
    """A Record of a MessageInstance; None for one without an id."""
    sid = told.sid
    if not isinstance(sid, str) or not 0 < len(sid) <= messages.MAX_ID_CHARACTERS:
        return None
    return Record(
        sid=sid,
        status=_text(told.status),
        direction=_text(told.direction),
        sender=_text(told.from_),
        recipient=_text(told.to),
        body=_text(told.body),
        media=_number(told.num_media) or 0,
        parts=_parts(told.num_segments),
        code=_number(told.error_code) or 0,
        price=_price(told.price, told.price_unit),
        created_at=_moment(told.date_created),
        sent_at=_moment(told.date_sent),
    )


def news(record: Record, reply_id: str | None) -> errors.News:
    """What the record says of one of our replies."""
    return errors.News(
        provider_id=record.sid,
        status=record.status,
        code=record.code,
        reply_id=reply_id,
        price=record.price,
        parts=record.parts,
        recipient=wire.number(record.recipient),
    )


def inbound(record: Record, of: line.Line) -> messages.InboundMessage | None:
    """A message that came in, as the webhook would have told it; None if it is none for us."""
    empty = not record.body.strip() and not record.media
    if not record.is_inbound or not of.is_ours(record.recipient) or empty:
        return None
    try:
        sender = address.Address(address.SMS, record.sender)
    except ValueError:
        return None
    own = address.Address(address.SMS, record.recipient)
    parts = record.parts or 1
    attached = record.media > 0 and not record.body.strip()
    now = of.now()
    return messages.InboundMessage(
        channel=of.context.channel,
        provider_id=record.sid,
        sender=sender,
        recipient=own,
        received_at=min(record.sent_at or record.created_at or now, now),
        text=record.body,
        kind=messages.Kind.ATTACHMENT if attached else messages.Kind.TEXT,
        parts=parts,
        cost=record.price if record.price is not None else of.tariff.inbound(own, parts),
    )


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""


def _number(told: object) -> int | None:
    if isinstance(told, bool):
        return None
    if isinstance(told, int):
        return told
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 10:  # noqa: PLR2004 (64 bits)
        return int(told)
    return None


def _parts(told: object) -> int | None:
    """Billed parts; Twilio says 0 while it does not know."""
    parts = _number(told)
    return parts if parts is not None and 0 < parts <= _MOST_PARTS else None


def _price(told: object, unit: object) -> money.Money | None:
    """Null until later; with a minus sign for what we pay."""
    micros = tariff.micros_of(told)
    if micros is None or not isinstance(unit, str):
        return None
    try:
        return money.Money(micros, unit.upper())
    except ValueError:
        return None


def _moment(told: object) -> dt.datetime | None:
    if not isinstance(told, dt.datetime):
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=dt.UTC)

"""What travels through a bridge: messages in, replies out, receipts back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
from typing import Final

from bot.contract import address, money

MAX_TEXT_CHARACTERS: Final = 4_000
MAX_ID_CHARACTERS: Final = 255
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Kind(enum.StrEnum):
    """What somebody did. An attachment is a contact but is never fetched; a call never texts."""

    TEXT = "text"
    ATTACHMENT = "attachment"
    CALL = "call"


class Wish(enum.StrEnum):
    """An opt-out or its undoing, as the provider itself reports it (Twilio's OptOutType)."""

    STOP = "stop"
    START = "start"


def aware(moment: dt.datetime, name: str) -> None:
    """Raise ValueError unless `moment` carries a time zone; `name` is the field's name."""
    if moment.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime (with a time zone)")


def clean(text: str) -> str:
    """Text that every database can hold: no NUL, no lone surrogate, bounded length."""
    bounded = text[:MAX_TEXT_CHARACTERS].replace("\x00", "")
    if not bounded.isascii() and _SURROGATE.search(bounded):
        bounded = bounded.encode("utf-8", "replace").decode("utf-8")
    return bounded


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InboundMessage:
    """One thing somebody sent us. Built by `bridges/*/wire.py`, stored by intake.

    `channel`: name of the configured account it came through.
    `provider_id`: unique within the channel for ever; the dedupe key (C02).
    `fingerprint`: optional second dedupe key for networks that tell one SMS under two ids.
    `sender`, `recipient`: theirs and ours. `aliases`: other addresses that the network itself
    says are the same person's (a Signal account's number).
    `received_at`: when it reached us, aware. `parts`, `cost`: what receiving it was billed.
    """

    channel: str
    provider_id: str
    sender: address.Address
    recipient: address.Address
    received_at: dt.datetime
    text: str = ""
    kind: Kind = Kind.TEXT
    aliases: tuple[address.Address, ...] = ()
    wish: Wish | None = None
    parts: int = 1
    cost: money.Money | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be deduplicated or dated; clean the text (C10: NULs)."""
        aware(self.received_at, "received_at")
        if not 0 < len(self.provider_id) <= MAX_ID_CHARACTERS:
            raise ValueError(f"provider_id must have 1 to {MAX_ID_CHARACTERS} characters")
        if not self.provider_id.isprintable():
            raise ValueError("provider_id holds a control character or a lone surrogate")
        object.__setattr__(self, "text", clean(self.text))

    def __repr__(self) -> str:
        """Neither sender nor words."""
        return f"<InboundMessage {self.kind} via {self.channel}>"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OutboundReply:
    """One reply to send now.

    `reply_id`: our own id, 32 hexadecimal digits; use it as the provider's idempotency key where
    there is one. `sender` is one of our addresses of this channel, `valid_until` the moment after
    which it must no longer be delivered (set the provider's validity period from it).
    """

    reply_id: str
    channel: str
    sender: address.Address
    recipient: address.Address
    text: str
    valid_until: dt.datetime

    def __repr__(self) -> str:
        """Neither recipient nor words."""
        return f"<OutboundReply {self.reply_id} via {self.channel}>"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a send would cost at the most, all parts together; free is zero."""

    price: money.Money
    parts: int


class Delivery(enum.StrEnum):
    """What a receipt can say."""

    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """News of a reply: by `provider_id`, by our own `reply_id`, or both (one at least).

    `delivery` None means "only the price became known". `price` is the true price of the whole
    message; a provider's negative sign is the bridge's to turn. `opt_out`: the network says this
    person does not want messages (Twilio 21610). `retry_at`: with a failed delivery, that one
    later attempt to `recipient` is worth it (30003, 30008); the core grants it once a person.
    `stop_channel`: the account itself is in trouble (filtered, suspended): feed it nothing until a
    moderator resumes it.
    """

    channel: str
    at: dt.datetime
    provider_id: str | None = None
    reply_id: str | None = None
    delivery: Delivery | None = None
    price: money.Money | None = None
    parts: int | None = None
    reason: str | None = None
    opt_out: bool = False
    retry_at: dt.datetime | None = None
    recipient: address.Address | None = dataclasses.field(default=None, repr=False)
    stop_channel: bool = False

    def __post_init__(self) -> None:
        """Refuse a receipt that belongs to nothing."""
        aware(self.at, "at")
        if self.retry_at is not None:
            aware(self.retry_at, "retry_at")
        if self.provider_id is None and self.reply_id is None:
            raise ValueError("a receipt needs provider_id or reply_id")

"""Twilio's error codes, each with what it means for the reply, the person and the channel.

From PROVIDERS.md and twilio.com/docs/api/errors. A code that is not listed is final at the send
(a 4xx was refused for certain) and a plain failure in a callback. Pure.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping
from typing import Final

from bot.contract import address, messages, money, outcomes
from bridges.sms.twilio import tariff


class Meaning(enum.Enum):
    """What is to be done about it."""

    FINAL = "final for this recipient"
    OPTED_OUT = "final, and he opted out"
    STOP = "the account or our number is in trouble: feed it nothing, alert"
    WAIT = "stop feeding for a while"
    DAY_FULL = "the day's limit: wait for the next day"
    TOO_FAST = "never processed: send again"
    RETRY_ONCE = "one later attempt"
    FILTERED = "filtered; several in a row stop the channel"
    EXPIRED_FREE = "expired unsent, costs nothing"


CODES: Final[Mapping[int, tuple[Meaning, str]]] = {
    20003: (Meaning.STOP, "Twilio refuses the credentials"),
    20005: (Meaning.STOP, "the Twilio account is not active"),
    20404: (Meaning.STOP, "Twilio does not know this account"),
    20429: (Meaning.TOO_FAST, "too many requests"),
    21211: (Meaning.FINAL, "no valid number"),
    21408: (Meaning.FINAL, "sending to that region is not permitted"),
    21606: (Meaning.STOP, "our number cannot send"),
    21610: (Meaning.OPTED_OUT, "he opted out"),
    21611: (Meaning.WAIT, "our number's queue is full"),
    21612: (Meaning.FINAL, "no route to that number"),
    21614: (Meaning.FINAL, "no mobile number"),
    21617: (Meaning.FINAL, "the text is too long"),
    21635: (Meaning.FINAL, "a landline"),
    21659: (Meaning.STOP, "our number is not Twilio's"),
    21660: (Meaning.STOP, "our number is of another account"),
    30001: (Meaning.WAIT, "our queue overflowed"),
    30002: (Meaning.STOP, "the Twilio account is suspended"),
    30003: (Meaning.RETRY_ONCE, "the phone cannot be reached"),
    30004: (Meaning.FINAL, "he or his carrier blocks us"),
    30005: (Meaning.FINAL, "no such number"),
    30006: (Meaning.FINAL, "landline, or a carrier out of reach"),
    30007: (Meaning.FILTERED, "filtered as spam"),
    30008: (Meaning.RETRY_ONCE, "failed for an unknown reason"),
    30036: (Meaning.EXPIRED_FREE, "expired before it was sent"),
    30450: (Meaning.FINAL, "the fraud guard blocks that prefix"),
    60410: (Meaning.FINAL, "the fraud guard blocks that prefix"),
    60605: (Meaning.FINAL, "sending to that country is blocked"),
    63038: (Meaning.DAY_FULL, "the account's daily limit is used up"),
}
DEFAULT_WAIT_S: Final = 10
QUEUE_WAIT_S: Final = 900
RETRY_AFTER_S: Final = 3 * 3_600
LONGEST_WAIT_S: Final = 86_400
_TOO_MANY: Final = 429
_NO_CREDENTIALS: Final = frozenset({401, 403})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Twilio's refusal of a request: HTTP status, its own code (0 if none), Retry-After."""

    status: int
    code: int
    retry_after_s: int | None = None


def refused(told: Refusal, now: dt.datetime) -> outcomes.Outcome:
    """What a refused send is. Only a 4xx is certain; whoever asks has sorted out the rest."""
    meaning, reason = CODES.get(told.code, (None, f"refused with code {told.code}"))
    if meaning is None:
        if told.status == _TOO_MANY:
            meaning, reason = CODES[20429]
        elif told.status in _NO_CREDENTIALS:
            meaning, reason = Meaning.STOP, f"refused with status {told.status}"
    wait_s = _wait_s(meaning, told, now)
    if wait_s is not None:
        return outcomes.NotNow(reason=reason, retry_at=now + dt.timedelta(seconds=wait_s))
    return outcomes.Rejected(
        reason=reason,
        opt_out=meaning is Meaning.OPTED_OUT,
        stop_channel=meaning is Meaning.STOP,
    )


def _wait_s(meaning: Meaning | None, told: Refusal, now: dt.datetime) -> int | None:
    """How long to wait, None for never."""
    asked_s = told.retry_after_s
    match meaning:
        case Meaning.TOO_FAST:
            return min(max(asked_s or DEFAULT_WAIT_S, 1), LONGEST_WAIT_S)
        case Meaning.WAIT:
            return min(max(asked_s or 0, QUEUE_WAIT_S), LONGEST_WAIT_S)
        case Meaning.RETRY_ONCE:
            return RETRY_AFTER_S
        case Meaning.DAY_FULL:
            # Twilio's day is UTC; a little later, so that nobody knocks at midnight sharp.
            next_day = (now + dt.timedelta(days=1)).astimezone(dt.UTC)
            midnight = next_day.replace(hour=0, minute=5, second=0, microsecond=0)
            return max(int((midnight - now).total_seconds()), 60)
        case _:
            return None


_SENT: Final = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
_DELIVERED: Final = frozenset({"delivered", "read"})
_FAILED: Final = frozenset({"failed", "undelivered", "canceled"})


def delivery_of(status: str) -> messages.Delivery | None:
    """What a MessageStatus says; None for one that says nothing.

    `queued` and `sending` mean accepted, which is what our `sent` means: such a callback is how
    a reply that was lost in a crash is found again.
    """
    if status in _SENT:
        return messages.Delivery.SENT
    if status in _DELIVERED:
        return messages.Delivery.DELIVERED
    return messages.Delivery.FAILED if status in _FAILED else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What Twilio says of a message: of a callback, or of the message when it is asked for."""

    provider_id: str
    status: str
    code: int = 0
    reply_id: str | None = None
    price: money.Money | None = None
    parts: int | None = None
    recipient: address.Address | None = dataclasses.field(default=None, repr=False)


def is_filtered(news: News) -> bool:
    """Whether a carrier or Twilio took it for spam."""
    meaning, _ = CODES.get(news.code, (None, ""))
    return delivery_of(news.status) is messages.Delivery.FAILED and meaning is Meaning.FILTERED


def receipt(
    news: News, *, channel: str, at: dt.datetime, currency: str, stop_channel: bool = False
) -> messages.DeliveryReceipt:
    """The contract's receipt. `stop_channel`: too many were filtered in a row."""
    delivery = delivery_of(news.status)
    failed = delivery is messages.Delivery.FAILED
    meaning, reason = CODES.get(news.code, (None, f"{news.status}, code {news.code}"))
    if not failed:
        meaning = None
    retry_at = None
    if meaning is Meaning.RETRY_ONCE:
        retry_at = at + dt.timedelta(seconds=RETRY_AFTER_S)
    return messages.DeliveryReceipt(
        channel=channel,
        at=at,
        provider_id=news.provider_id,
        reply_id=news.reply_id,
        delivery=delivery,
        price=news.price if news.price is not None else _known_price(news, currency),
        parts=news.parts,
        reason=reason if failed else None,
        opt_out=meaning is Meaning.OPTED_OUT,
        retry_at=retry_at,
        recipient=news.recipient,
        stop_channel=stop_channel or meaning is Meaning.STOP,
    )


def _known_price(news: News, currency: str) -> money.Money | None:
    """What a failure costs is known at once: a fee if it never left Twilio, nothing if expired."""
    if delivery_of(news.status) is not messages.Delivery.FAILED:
        return None
    meaning, _ = CODES.get(news.code, (None, ""))
    if meaning is Meaning.EXPIRED_FREE or news.status == "canceled":
        return money.Money(0, currency)
    return money.Money(tariff.FAILED_FEE_MICROS, currency) if news.status == "failed" else None

"""A reply as the app takes it, and what its answers mean. Pure.

202, 200                Accepted    the phone has it in its queue
409                     Accepted    it has it already: our repeat was dropped
400, other 4xx          Rejected    certainly not taken
401, 403                Rejected    and the channel stops: name, password or token are wrong
429, 503 of the queue   NotNow      not taken, after Retry-After seconds or a minute
nobody listening        NotNow      nothing was asked
all else                Unknown     it may be in the queue
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from bot.contract import messages, money, outcomes
from bridges.sms.smsgate import client, settings, wire

RETRY_S: Final = 60
MIN_TTL_S: Final = 5
"""The API's own lower bound."""
_STATES: Final = {
    # "Pending" and "Processed" are in the phone's hands, as after a 202.
    "Pending": messages.Delivery.SENT,
    "Processed": messages.Delivery.SENT,
    "Sent": messages.Delivery.SENT,
    "Delivered": messages.Delivery.DELIVERED,
    "Failed": messages.Delivery.FAILED,
    "Cancelled": messages.Delivery.FAILED,
}


def body(
    reply: messages.OutboundReply, chosen: settings.Settings, now: dt.datetime
) -> dict[str, object]:
    """The request's JSON. The phone drops what it could not send in `ttl` seconds."""
    ttl_s = max(MIN_TTL_S, int((reply.valid_until - now).total_seconds()))
    made: dict[str, object] = {
        "id": reply.reply_id,
        "textMessage": {"text": reply.text},
        "phoneNumbers": [reply.recipient.value],
        "withDeliveryReport": True,
        "ttl": ttl_s,
    }
    if reply.sender.value in chosen.sims:
        made["simNumber"] = chosen.sims[reply.sender.value]
    if chosen.device_id is not None:
        made["deviceId"] = chosen.device_id
    return made


def later(why: str, now: dt.datetime, seconds: int | None = None) -> outcomes.NotNow:
    """Certainly not sent; again after so many seconds."""
    wait = dt.timedelta(seconds=max(1, RETRY_S if seconds is None else seconds))
    return outcomes.NotNow(reason=why, retry_at=now + wait)


def outcome(
    answer: client.Answer, reply: messages.OutboundReply, quote: messages.Quote, now: dt.datetime
) -> outcomes.Outcome:
    """The answer of POST /messages."""
    status = answer.status
    told = answer.json()
    known = answer.is_good and isinstance(told, dict) and told.get("id") == reply.reply_id
    if known or status == 409:  # noqa: PLR2004 (HTTP)
        return outcomes.Accepted(provider_id=reply.reply_id, parts=quote.parts, price=quote.price)
    if status == 429 or (status == 503 and _is_queue(answer)):  # noqa: PLR2004 (HTTP)
        return later("the phone's queue is full", now, answer.wait_s)
    if status in {401, 403}:
        return outcomes.Rejected(reason="the app refuses our credentials", stop_channel=True)
    # 408 and 499 are a proxy's "too slow": the phone may have it.
    if 400 <= status < 500 and status not in {408, 499}:  # noqa: PLR2004 (HTTP)
        return outcomes.Rejected(reason=f"the app refused with {status}")
    return outcomes.Unknown(reason=f"the app answered {status}, or not as it should")


def _is_queue(answer: client.Answer) -> bool:
    """The server's own 503, given before it takes a message; a proxy's 503 proves nothing.

    https://docs.sms-gate.app, "message queue limits", May 2026.
    """
    told = answer.json()
    words = told.get("message") if isinstance(told, dict) else None
    return isinstance(words, str) and "queue limits exceeded" in words.lower()


def status(
    answer: client.Answer,
    reply_id: str,
    *,
    channel: str,
    now: dt.datetime,
    parts: int,
    price: money.Money,
) -> messages.DeliveryReceipt | None:
    """The answer of GET /messages/{id}; None where it is not known there."""
    found = wire.state(answer.body) if answer.is_good else None
    delivery = _STATES.get(found[0]) if found is not None else None
    if found is None or delivery is None:
        return None
    if delivery is messages.Delivery.DELIVERED and parts > 1:
        # There, one delivered part is enough for the word; here, all must be.
        delivery = messages.Delivery.SENT
    failed = delivery is messages.Delivery.FAILED
    return messages.DeliveryReceipt(
        channel=channel,
        at=now,
        provider_id=reply_id,
        reply_id=reply_id,
        delivery=delivery,
        parts=None if failed else parts,
        price=None if failed else price.times(parts),
        reason=wire.reason(found[1]) if failed else None,
    )


def receipt(
    report: wire.Report, *, channel: str, now: dt.datetime, stops: bool, price: money.Money
) -> messages.DeliveryReceipt:
    """An event as a receipt. What expired in the phone's queue was never sent and costs nothing."""
    expired = report.reason == wire.EXPIRED
    return messages.DeliveryReceipt(
        channel=channel,
        at=now,
        provider_id=report.reply_id,
        reply_id=report.reply_id,
        delivery=report.delivery,
        parts=report.parts,
        price=money.Money(0, price.currency) if expired else None,
        reason=report.reason,
        stop_channel=stops or report.reason in wire.STOPPING,
    )

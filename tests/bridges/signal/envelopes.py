"""Envelopes as signal-cli writes them, made up here; people from the invented ranges only."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

OURS = "+33639980000"
OUR_ACI = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
Raw = dict[str, Any]
AT_MS = 1_767_614_400_000  # 2026-01-05 12:00 UTC, the fakes' noon


def aci(number: int) -> str:
    """The account of person `number`."""
    return f"5e5e5e5e-0000-4000-8000-{number:012x}"


def stamp(event_id: str) -> int:
    """A timestamp that belongs to this event."""
    return AT_MS + int.from_bytes(hashlib.sha256(event_id.encode()).digest()[:5]) % 80_000_000


def event(who: str, at_ms: int, *, number: str | None = None, **parts: object) -> Raw:
    """A receive event; `parts` are its dataMessage, receiptMessage and so on."""
    return {
        "envelope": {
            "source": number or who,
            "sourceNumber": number,
            "sourceUuid": who,
            "sourceName": "",
            "sourceDevice": 1,
            "timestamp": at_ms,
            "serverReceivedTimestamp": at_ms + 50,
            "serverDeliveredTimestamp": at_ms + 80,
            **parts,
        },
        "account": OURS,
    }


def text(who: str, words: str, at_ms: int, *, number: str | None = None, **more: object) -> Raw:
    """Somebody writes."""
    data = {
        "timestamp": at_ms,
        "message": words,
        "expiresInSeconds": 0,
        "isExpirationUpdate": False,
        "viewOnce": False,
        **more,
    }
    return event(who, at_ms, number=number, dataMessage=data)


def data(who: str, at_ms: int, parts: Raw) -> Raw:
    """Any dataMessage."""
    return event(who, at_ms, dataMessage={"timestamp": at_ms, **parts})


def edit(who: str, words: str, at_ms: int, target_ms: int) -> Raw:
    """Somebody edits what was written at `target_ms`."""
    inner = text(who, words, at_ms)["envelope"]["dataMessage"]
    parts = {"targetSentTimestamp": target_ms, "dataMessage": inner}
    return event(who, at_ms, editMessage=parts)


def receipt(who: str, *stamps: int, at_ms: int = AT_MS, number: str | None = None) -> Raw:
    """His phone has got our messages."""
    told = {
        "when": at_ms,
        "isDelivery": True,
        "isRead": False,
        "isViewed": False,
        "timestamps": list(stamps),
    }
    return event(who, at_ms, number=number, receiptMessage=told)


def notification(raw: Raw) -> Raw:
    """As the daemon and the webhook wrap it."""
    return {"jsonrpc": "2.0", "method": "receive", "params": copy.deepcopy(raw)}

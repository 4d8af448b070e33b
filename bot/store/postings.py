"""Rows of the table of postings, as the ledger, its only writer, inserts them."""

from __future__ import annotations

from typing import Any, Final

from bot.policy import exchange

REPLIES: Final = "replies"


def row(  # noqa: PLR0917 (a posting's columns in their order)
    at_ms: int,
    kind: str,
    of: exchange.Request | exchange.Reservation,
    micros: int,
    day: str,
    amount: exchange.Amount | None,
) -> dict[str, Any]:
    """One of the account of replies."""
    return {
        "at_ms": at_ms,
        "account": REPLIES,
        "kind": kind,
        "reply_id": of.reply_id,
        "amount_micros": micros,
        "original_micros": amount.original.micros if amount else None,
        "original_currency": amount.original.currency if amount else None,
        "rate_micros": amount.rate_micros if amount else None,
        "day": day,
        "channel": of.channel,
        "country": of.country,
    }


def apart(
    at_ms: int, account: str, micros: int, amount: exchange.Amount, day: str
) -> dict[str, Any]:
    """One of another account."""
    return {
        "at_ms": at_ms,
        "account": account,
        "kind": "post",
        "reply_id": None,
        "amount_micros": micros,
        "original_micros": amount.original.micros,
        "original_currency": amount.original.currency,
        "rate_micros": amount.rate_micros or None,
        "day": day,
        "channel": None,
        "country": None,
    }

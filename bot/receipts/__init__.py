"""Delivery receipts and late prices -> outbox and ledger."""

from __future__ import annotations

from bot.receipts.retries import Again
from bot.receipts.taking import EARLY_KEPT_MS, Receipts, settle_early, take

__all__ = ["EARLY_KEPT_MS", "Again", "Receipts", "settle_early", "take"]

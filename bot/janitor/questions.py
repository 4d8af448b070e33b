"""What the chores ask of bridges about replies: whom it is about, and an answer or what came of it.

A bridge may raise, or never answer; neither may end a chore or keep other bridges from being asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from bot import outbox
from bot.contract import address
from bot.store import vault

T = TypeVar("T")


def recipient(keys: vault.Vault, row: Mapping[str, Any] | sa.RowMapping) -> address.Address | None:
    """Whom a row of replies is for; None if that is kept no longer, or cannot be opened."""
    try:
        value = keys.open(row["address_enc"], outbox.place(row["id"]))
    except vault.SealedError:
        return None
    return address.Address(row["network"], value)


async def answer(question: Coroutine[Any, Any, T], limit_s: float) -> T | BaseException:
    """The answer, or what the bridge raised; TimeoutError after `limit_s`."""
    try:
        async with asyncio.timeout(limit_s):
            told: Sequence[T | BaseException] = await asyncio.gather(
                question, return_exceptions=True
            )
    except TimeoutError as late:
        return late
    return told[0]

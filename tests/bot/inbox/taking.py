"""A batch through the whole intake in one transaction, at a moment of the test's own."""

from __future__ import annotations

import functools

from bot.contract import messages
from bot.inbox import door, state
from bot.store import database
from tests.bot.store import rows


async def take(
    store: database.Store,
    *batch: messages.InboundMessage,
    context: state.Context | None = None,
    now_ms: int = rows.NOW_MS,
) -> None:
    """Store it, by the default settings unless told others."""
    told = context or rows.context()
    await told.ids.top_up(store, 4 * len(batch))
    work = functools.partial(door.take_in, context=told, batch=batch, now_ms=now_ms)
    await store.write(work)

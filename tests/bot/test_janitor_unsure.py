"""An unknown send keeps its address as long as anybody may ask about it, and no longer."""

from __future__ import annotations

import pytest

from bot.janitor import retention
from bot.store import tables
from tests.bot.store import rows
from tests.bot.store.houses import house


@pytest.mark.case("C34")
async def test_an_unknown_sends_address_goes_after_a_week() -> None:
    week_ms = rows.NOW_MS - retention.UNSURE_DAYS * rows.DAY_MS
    kept = {"address_enc": b"x", "text_enc": b"y"}
    async with rows.memory() as store:
        await rows.put_replies(
            store,
            rows.reply(1, "unknown", started_ms=week_ms - 1, **kept),
            rows.reply(2, "unknown", started_ms=week_ms, **kept),
        )
        await house(store).janitor.step("forget")
        left = await rows.rows(store, tables.replies)
    assert [(row["address_enc"], row["text_enc"]) for row in left] == [(None, None), (b"x", b"y")]

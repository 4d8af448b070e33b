"""One batch of n gives what n batches of one give (C49)."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bot import outbox
from bot.contract import address, messages, money
from bot.inbox import door
from bot.policy import settings
from bot.store import database, people, tables
from tests.bot.store import rows

PHONES = ["+33639981231", "+33639981232", "+12025550123", "", "36180"]
ACIS = ["aci-1", "aci-2"]
TEXTS = [
    "salut",
    "STOP",
    "START",
    "stop tu me plais",
    "Votre code est 123456",
    "wesh",
    "",
    "je veux mourir",
    "mauvais numéro",
    "PROOF-ABCDEFGH23",
]
RULES = settings.Reply(window_days=1)


@st.composite
def events(draw: st.DrawFn) -> messages.InboundMessage:
    number = draw(st.integers(0, 400))
    signal = draw(st.booleans())
    sender = draw(st.sampled_from(ACIS if signal else PHONES))
    aliases = [address.Address("sms", phone) for phone in PHONES[:2]]
    told = draw(st.sampled_from([(), (), *((alias,) for alias in aliases)])) if signal else ()
    return rows.message(
        f"id{number}",
        draw(st.sampled_from(TEXTS)),
        sender=sender,
        network="signal" if signal else "sms",
        # From a burst to well past the window.
        at_s=draw(st.sampled_from([0, 1, 2, 300, 4_000, 90_000, 200_000])),
        kind=draw(st.sampled_from([messages.Kind.TEXT] * 4 + list(messages.Kind))),
        aliases=told,
        wish=draw(st.sampled_from([None] * 6 + [messages.Wish.STOP, messages.Wish.START])),
        cost=draw(st.sampled_from([None, money.Money(7_500, "EUR"), money.Money(1, "XXX")])),
        fingerprint=draw(st.sampled_from([None, None, None, "f1", "f2"])),
    )


def keyed(found: Sequence[messages.InboundMessage]) -> list[messages.InboundMessage]:
    """Each id once: two different events never share one."""
    return list({one.provider_id + one.channel: one for one in found}.values())


async def everything(store: database.Store) -> dict[str, Any]:
    """All tables, with what may differ made equal: nonces, and how often sums were written."""
    out: dict[str, Any] = {}
    for table in tables.metadata.sorted_tables:
        out[table.name] = await rows.rows(store, table)
    for row in out["replies"]:
        if row["address_enc"] is not None:
            row["address_enc"] = rows.KEYS.open(row["address_enc"], outbox.place(row["id"]))
    for row in out["inbound"]:
        if row["text_enc"] is not None:
            place = people.text_place(row["person_id"], row["received_ms"])
            row["text_enc"] = rows.KEYS.open(row["text_enc"], place)
    sums: dict[str, int] = {}
    for row in out.pop("postings"):
        name = f"{row['account']} {row['channel']} {row['original_currency']}"
        sums[name] = sums.get(name, 0) + row["amount_micros"]
        sums[name + " told"] = sums.get(name + " told", 0) + row["original_micros"]
    seen: dict[str, int] = {}
    for row in out.pop("events"):
        # Alarms that say how far a sum got are heard at the same sum or a little later.
        data = json.loads(row["data"])
        seen[row["kind"]] = seen.get(row["kind"], 0) + data.get("n", 1)
    for name in [scope for scope in out["caps"] if scope["scope"].startswith("odd:")]:
        name["used"] = min(name["used"], 1)
    # Only how many ids were taken ahead.
    out.pop("sequences")
    return out | {"sums": sums, "happened": seen}


async def taken(
    chunks: Sequence[Sequence[messages.InboundMessage]], rules: settings.Reply = RULES
) -> dict[str, Any]:
    context = rows.context(settings.Core(reply=rules))
    async with rows.memory() as store:
        for chunk in chunks:
            await context.ids.top_up(store, 4 * len(chunk) + 1)
            work = functools.partial(door.take_in, context=context, batch=chunk, now_ms=rows.NOW_MS)
            await store.write(work)
        return await everything(store)


BATCHES = st.tuples(
    st.lists(events(), min_size=1, max_size=9).map(keyed),
    st.lists(st.integers(0, 8), max_size=4),
    st.sets(st.integers(1, 12)),
    st.booleans(),
    st.randoms(use_true_random=False),
)


@pytest.mark.case("C49", "C02")
@pytest.mark.sqlite_only("its twin below has as many examples as PostgreSQL has time for")
@hypothesis.settings(max_examples=200)
@hypothesis.given(BATCHES)
async def test_a_batch_is_as_its_messages_one_by_one(told: tuple[Any, ...]) -> None:
    singly, together = await either_way(*told)
    assert together == singly


@pytest.mark.case("C49", "C02")
@pytest.mark.postgresql_only("see above")
@hypothesis.settings(max_examples=12)
@hypothesis.given(BATCHES)
async def test_a_batch_is_as_its_messages_one_by_one_there_too(told: tuple[Any, ...]) -> None:
    singly, together = await either_way(*told)
    assert together == singly


async def either_way(
    found: list[messages.InboundMessage],
    repeated: list[int],
    cuts: set[int],
    by_hand: bool,
    shuffler: Any,  # noqa: ANN401 (hypothesis' Random)
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What one by one leaves behind, and what in batches."""
    batch = found + [found[i] for i in repeated if i < len(found)]
    batch.sort(key=lambda one: (one.received_at, one.provider_id, one.channel))
    edges = [0, *sorted(cut for cut in cuts if cut < len(batch)), len(batch)]
    chunks = [batch[a:b] for a, b in itertools.pairwise(edges)]
    for chunk in chunks:
        # The door brings a batch into its order itself.
        shuffler.shuffle(chunk)
    rules = settings.Reply(window_days=1, release_by_hand=by_hand)
    return await taken([[one] for one in batch], rules), await taken(chunks, rules)


MERGE = [
    rows.message("1", "salut", sender=PHONES[0]),
    rows.message("2", "salut", sender="aci-1", network="signal", at_s=1),
    rows.message(
        "3",
        "re",
        sender="aci-1",
        network="signal",
        at_s=2,
        aliases=(address.Address("sms", PHONES[0]),),
    ),
    rows.message("4", "STOP", sender=PHONES[0], at_s=3),
    rows.message("5", "salut", sender="aci-1", network="signal", at_s=4),
]


@pytest.mark.case("C49")
@pytest.mark.parametrize(
    "batch",
    [
        [rows.message("1"), rows.message("1"), rows.message("1")],
        [rows.message("1"), rows.message("2", "STOP", at_s=1)],
        [rows.message("2", "STOP"), rows.message("1", at_s=1)],
        [rows.message("1"), rows.message("2"), rows.message("3", sender=PHONES[1])],
        MERGE[:3],
        MERGE,
        [rows.message("1"), rows.message("2", "STOP", at_s=1), rows.message("3", "START", at_s=2)],
    ],
)
async def test_named_batches_are_as_one_by_one(batch: list[messages.InboundMessage]) -> None:
    assert await taken([batch]) == await taken([[one] for one in batch])

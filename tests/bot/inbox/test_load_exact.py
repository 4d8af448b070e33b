"""To the hash and the millisecond: how a message is read, and what is known of its sender."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from bot.contract import address, messages
from bot.inbox import load, state
from bot.store import database, tables, vault
from tests.bot.store import rows

PHONE, OTHER = rows.phone(1), rows.phone(2)
OLD, NEW = vault._Key(1, b"1" * 32), vault._Key(2, b"2" * 32)
ENC = (vault._Key(1, b"3" * 32),)
BEFORE, BOTH = vault.Vault((OLD,), ENC), vault.Vault((OLD, NEW), ENC)
BY_BOTH = dataclasses.replace(rows.context(), keys=BOTH)
WORD = "PROOF-ABCDEFGH23"


@pytest.fixture
async def store() -> AsyncIterator[database.Store]:
    async with rows.memory() as opened:
        yield opened


def items(
    *batch: messages.InboundMessage, context: state.Context | None = None, now_ms: int = rows.NOW_MS
) -> list[state.Item]:
    return load.items(context or rows.context(), batch, now_ms)


def item(message: messages.InboundMessage, **how: Any) -> state.Item:  # noqa: ANN401 (as of items)
    (one,) = items(message, **how)
    return one


def by_newest(name: str) -> bytes:
    """The hash of a message's id, as the table of seen ids keeps it."""
    return BOTH.hash("seen", name)


def signal(name: str, sender: str = "aci-1", *phones: str) -> messages.InboundMessage:
    aliases = tuple(address.Address("sms", phone) for phone in phones)
    return rows.message(name, sender=sender, network="signal", aliases=aliases)


def test_a_message_is_known_by_its_id_and_its_fingerprint_under_every_key() -> None:
    one = item(rows.message("a", fingerprint="f"), context=BY_BOTH)
    names = ("sms\x00a", "sms\x00\x00f")
    assert one.seen == tuple(h for name in names for h in BOTH.ring("seen", name))
    # What is kept from now on is under the newest key only.
    assert one.fresh == tuple(map(by_newest, names))
    plain = item(rows.message("a"), context=BY_BOTH)
    assert (plain.seen, plain.fresh) == (BOTH.ring("seen", names[0]), (by_newest(names[0]),))


def test_a_fingerprint_is_of_its_channel_and_no_id() -> None:
    def of(name: str, **changes: Any) -> set[bytes]:  # noqa: ANN401 (any field of a message)
        return set(item(rows.message(name, **changes)).seen)

    here = of("a", fingerprint="f")
    assert here & of("b", fingerprint="f")
    for other in (
        of("b", fingerprint="g"),
        of("b", fingerprint="f", channel="sms2"),
        of("f"),
        of("a", channel="sms2"),
        of("b"),
    ):
        assert not here & other


def test_a_person_is_known_by_each_address_under_every_key() -> None:
    both = item(signal("a", "aci-1", PHONE), context=BY_BOTH)
    assert both.hashes == (BOTH.hash_address("signal", "aci-1"), BOTH.hash_address("sms", PHONE))
    assert [len(ring) for ring in both.hashes] == [2, 2]


def test_who_withholds_his_own_address_is_who_his_other_one_says() -> None:
    told = item(signal("a", "", PHONE))
    assert told.hashes == (rows.KEYS.hash_address("sms", PHONE),)
    nobody = item(signal("b", ""))
    assert nobody.hashes == (rows.KEYS.hash_address("signal", ""),)
    usual = item(signal("c", "aci-1"))
    assert usual.hashes == (rows.KEYS.hash_address("signal", "aci-1"),)


@pytest.mark.parametrize(("before_ms", "counted_ms"), [(900_001, 900_000), (899_999, 899_999)])
def test_nothing_counts_as_older_than_a_quarter_of_an_hour(before_ms: int, counted_ms: int) -> None:
    sent = rows.NOW - dt.timedelta(milliseconds=before_ms)
    one = item(rows.message("a", received_at=sent))
    assert one.at_ms == rows.NOW_MS - counted_ms
    assert item(rows.message("a", at_s=60)).at_ms == rows.NOW_MS + 60_000


def test_a_batch_is_in_the_order_of_time_then_id_then_channel() -> None:
    found = items(
        rows.message("a", at_s=2),
        rows.message("b", at_s=1, channel="sms2"),
        rows.message("b", at_s=1, channel="sms1"),
        rows.message("a", at_s=1, channel="sms3"),
    )
    told = [(one.message.provider_id, one.message.channel) for one in found]
    assert told == [("a", "sms3"), ("b", "sms1"), ("b", "sms2"), ("a", "sms")]
    # What the door collected of several callers is brought into it again, in place.
    turned = found[::-1]
    assert load.ordered(turned) is turned
    assert turned == found
    assert load.ordered(found[1::-1]) == found[:2]
    assert load.ordered(found[:1]) == found[:1]
    assert load.ordered([]) == []


@pytest.mark.parametrize(
    ("changes", "wish"),
    [
        ({"text": "STOP"}, messages.Wish.STOP),
        ({"text": "START"}, messages.Wish.START),
        ({"text": "salut"}, None),
        # The network's own word is first, and only a text is read.
        ({"text": "START", "wish": messages.Wish.STOP}, messages.Wish.STOP),
        ({"text": "salut", "wish": messages.Wish.START}, messages.Wish.START),
        ({"text": "STOP", "kind": messages.Kind.ATTACHMENT}, None),
        ({"text": "STOP", "kind": messages.Kind.CALL}, None),
        (
            {"text": "", "kind": messages.Kind.CALL, "wish": messages.Wish.STOP},
            messages.Wish.STOP,
        ),
    ],
)
def test_a_wish_is_the_networks_or_the_whole_texts(
    changes: dict[str, Any], wish: messages.Wish | None
) -> None:
    assert item(rows.message("a", **changes)).wish is wish


def test_a_word_that_we_asked_for_is_read() -> None:
    assert item(rows.message("a", WORD)).proof == "ABCDEFGH23"
    assert item(rows.message("a", "salut")).proof is None


def test_one_number_has_one_spelling_and_no_other_network_has_numbers() -> None:
    odd = f"+33 {PHONE[3:]}"
    told = rows.message("a", sender=odd)
    assert load.spelled(told) == dataclasses.replace(told, sender=address.Address("sms", PHONE))
    assert item(told).hashes == item(rows.message("a", sender=PHONE)).hashes
    for kept in (
        rows.message("a", sender=PHONE),
        rows.message("a", sender="36180"),
        rows.message("a", sender=""),
        signal("a", odd),
    ):
        assert load.spelled(kept) is kept


async def unseen(store: database.Store, batch: Sequence[state.Item]) -> list[str]:
    found = await store.write(lambda tx: load.unseen(tx, batch))
    return [one.message.provider_id for one in found]


async def test_what_was_seen_before_is_told_by_any_of_its_ids(store: database.Store) -> None:
    old = [BEFORE.hash("seen", name) for name in ("sms\x00a", "sms\x00\x00f")]
    await rows.put(store, tables.seen, *({"hash": h, "at_ms": 1} for h in old))
    batch = items(
        rows.message("a"),
        rows.message("b", fingerprint="f"),
        rows.message("c", fingerprint="g"),
        rows.message("d"),
        context=BY_BOTH,
    )
    assert await unseen(store, batch) == ["c", "d"]


async def test_of_one_batch_the_first_of_each_is_taken(store: database.Store) -> None:
    batch = items(
        rows.message("a", fingerprint="f"),
        rows.message("a", at_s=1),
        rows.message("b", fingerprint="f", at_s=2),
        # Known by what a message said that was not taken itself.
        rows.message("b", at_s=3),
        rows.message("c", at_s=4),
    )
    assert await unseen(store, batch) == ["a", "c"]
    assert await unseen(store, []) == []


async def known(store: database.Store, *batch: messages.InboundMessage) -> state.Known:
    return await store.write(lambda tx: load.known(tx, items(*batch)))


async def led(store: database.Store, person_id: int, network: str, value: str) -> bytes:
    found = rows.KEYS.hash_address(network, value)[0]
    await rows.put(store, tables.identities, {"hash": found, "person_id": person_id})
    return found


async def test_a_person_is_as_the_row_says_with_the_guard_of_its_update(
    store: database.Store,
) -> None:
    told: dict[str, Any] = {"created_ms": 1, "last_ms": 2, "blocked_until_ms": 3, "opted_out_ms": 4}
    await rows.put(
        store, tables.persons, rows.person(7, **told, blocked_ms=5), rows.person(8), rows.person(9)
    )
    mine = await led(store, 7, "sms", PHONE)
    other = await led(store, 8, "signal", "aci-1")
    await led(store, 9, "sms", OTHER)
    found = await known(store, rows.message("a", sender=PHONE), signal("b", "aci-1"))
    assert found.by_hash == {mine: 7, other: 8}
    assert found.persons == {
        7: state.Person(
            id=7,
            new=False,
            **told,
            blocked_ms=5,
            was_blocked_until_ms=3,
            was_opted_out_ms=4,
        ),
        8: state.Person(
            id=8,
            created_ms=rows.NOW_MS,
            new=False,
            last_ms=rows.NOW_MS,
            blocked_until_ms=rows.WINDOW_MS,
            opted_out_ms=None,
            blocked_ms=None,
            was_blocked_until_ms=rows.WINDOW_MS,
        ),
    }


@pytest.mark.parametrize("reply_state", ["held", "scheduled", "sending"])
@pytest.mark.parametrize("again", [False, True])
async def test_the_reply_that_waits_comes_with_its_person(
    store: database.Store, reply_state: str, again: bool
) -> None:
    waits: dict[str, Any] = {"first_ms": 11, "due_ms": 12, "window_ms": 13}
    await rows.put_replies(store, rows.reply(7, "delivered"), rows.reply(8, "scheduled"))
    retried = 7 if again else None
    for row in (
        rows.reply(20, reply_state, person_id=7, retry_of=retried, **waits),
        rows.reply(21, "held", person_id=7, automatic=False),
    ):
        await rows.put(store, tables.replies, row)
    await led(store, 7, "sms", PHONE)
    found = await known(store, rows.message("a", sender=PHONE))
    assert set(found.persons) == {7}
    assert found.persons[7].waiting == state.Waiting(
        reply_id=20, state=reply_state, **waits, again=again
    )


@pytest.mark.parametrize("over", ["sent", "delivered", "failed", "unknown", "cancelled", "expired"])
async def test_what_is_over_does_not_wait(store: database.Store, over: str) -> None:
    await rows.put_replies(store, rows.reply(7, over))
    await led(store, 7, "sms", PHONE)
    found = await known(store, rows.message("a", sender=PHONE))
    assert found.persons[7].waiting is None


async def test_of_nobody_nothing_is_known(store: database.Store) -> None:
    await rows.put_replies(store, rows.reply(7, "scheduled"))
    assert await known(store, rows.message("a", sender=PHONE)) == state.Known()
    assert await known(store) == state.Known()

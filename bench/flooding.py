"""The flood's signals by themselves: microseconds a message, and memory that stays flat.

Half of the messages are people's words in many combinations, half are a flood that never says the
same thing twice (the worst case for whatever counts words). Each sender writes twice, so half of
the messages are first contacts. Counting, storing the counts, looking every five minutes and
asking again when the reply falls due are all in the figure.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import hmac
import random
import resource
import time
from collections.abc import Iterator

from bench import measure
from bot.contract import address, messages
from bot.flood import look
from bot.inbox import save, signals, state
from bot.policy import settings
from bot.policy.flood import topics, words
from bot.simulate import clock
from bot.store import database, ids, schema, vault

_START_MS = 1_800_000_000_000
_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "bu",
    "ka",
    "ke",
    "ki",
    "ko",
    "ku",
    "la",
    "le",
    "li",
    "lo",
    "lu",
    "ma",
    "me",
    "mi",
    "mo",
    "mu",
    "ra",
    "re",
    "ri",
    "ro",
    "ru",
]
_HELLO = ["salut", "coucou", "hey", "bonsoir", "hi", "hola", "hallo", "ciao", "oi"]
_WHO = ["hugo", "max", "lea", "tom", "ana", "jan", "luca", "pedro", "eva", "noa", "ines"]
_WHERE = [
    "du bar",
    "de la gare",
    "de samedi",
    "from the party",
    "de ayer",
    "von gestern",
    "di ieri",
]
_BATCH = 64
_EACH_MS = 100


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Seconds over all messages, beside one HMAC a message; memory at the start and the end."""
    count = 200_000 if quick else 2_000_000
    spent_s, early_kib, late_kib = asyncio.run(_flood(count, told))
    started = time.perf_counter()
    for i in range(200_000):
        hmac.digest(b"0" * 32, b"%d" % i, "sha256")
    plain_us = (time.perf_counter() - started) / 200_000 * 1e6
    ours_us = spent_s / count * 1e6
    yield measure.Result(
        name="flood signals",
        figure=f"{ours_us:.1f} µs a message",
        ratio=ours_us / plain_us,
        reference="one HMAC-SHA256",
        detail={"us": ours_us, "messages": count, "senders": count // 2},
    )
    yield measure.Result(
        name="flood memory",
        figure=f"{late_kib / 1024:.0f} MB after {count:,} messages",
        ratio=late_kib / early_kib,
        reference="the same process after a tenth of them",
        detail={"early_kib": early_kib, "late_kib": late_kib},
    )


async def _flood(count: int, told: measure.Told) -> tuple[float, int, int]:
    store = database.Store(None)
    await store.open()
    await store.write(schema.create)
    core, keys, moment = settings.Core(), vault.throwaway(3), clock.VirtualClock(_START_MS)
    leader = look.Flood(store, core, moment)
    context = state.Context(
        core=core,
        keys=keys,
        ids=ids.Ids(),
        own=frozenset(),
        countries=frozenset(),
        hashed=signals.hasher(keys),
        flood=lambda: leader.snapshot,
    )
    draw = random.Random(7)
    spent_s, early_kib = 0.0, 0
    next_look_ms = _START_MS + look.EVERY_S * 1000
    for done in range(0, count, _BATCH):
        at_ms = _START_MS + done * _EACH_MS
        batch = [_item(draw, at_ms) for _ in range(_BATCH // 2)]
        moment.move_to(at_ms)
        started = time.perf_counter()
        written = state.Written()
        packed = [signals.note(context, item, written) for item in batch]
        await store.write(functools.partial(save.flood, written=written))
        for one in packed:
            topics.of(words.unpack(one), leader.snapshot.flagged)
        if at_ms >= next_look_ms:
            await leader.look()
            next_look_ms += look.EVERY_S * 1000
            told(f"{done:,} of {count:,} messages")
        spent_s += time.perf_counter() - started
        if not early_kib and done >= count // 10:
            early_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await store.close()
    return spent_s, early_kib, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _item(draw: random.Random, at_ms: int) -> state.Item:
    if draw.random() < 0.5:
        text = f"{draw.choice(_HELLO)} {draw.choice(_WHO)} {draw.choice(_WHERE)}"
    else:
        text = " ".join("".join(draw.choices(_SYLLABLES, k=3)) for _ in range(4))
    message = messages.InboundMessage(
        channel="sms",
        provider_id="x",
        sender=address.Address(address.SMS, ""),
        recipient=address.Address(address.SMS, ""),
        received_at=dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC),
        text=text,
    )
    return state.Item(message=message, at_ms=at_ms, seen=(), fresh=(), hashes=())

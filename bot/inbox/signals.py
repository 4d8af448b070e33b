"""What a first contact adds to the flood's counts: keyed words, never the text.

Only somebody who is to get a reply counts, and once, so that no number of messages from one
sender makes a topic and nobody who is not answered anyway can make a crowd.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from bot.inbox import state
from bot.policy import smalltalk
from bot.policy.flood import snapshot, topics, words
from bot.store import vault


def hasher(keys: vault.Vault) -> Callable[[str], int]:
    """Word -> a number above zero under the newest key; common words are remembered."""

    @functools.lru_cache(16_384)
    def hashed(word: str) -> int:
        return words.number(word, keys.hash("word", word))

    return hashed


def common(hashed: Callable[[str], int]) -> frozenset[int]:
    """What everybody says, as its keyed words."""
    return frozenset(map(hashed, _everybodys()))


@functools.cache
def _everybodys() -> frozenset[str]:
    return frozenset(w for said in smalltalk.words() for w in words.of(said))


def note(context: state.Context, item: state.Item, written: state.Written) -> bytes:
    """Count a first contact; returns its words as the reply's row keeps them."""
    hashed = tuple(map(context.hashed, words.of(item.message.text)))
    block = words.block(item.message.sender.value)
    if block is not None:
        hashed = (context.hashed(block), *hashed)
    start_ms = snapshot.bucket_ms(item.at_ms)
    counts = written.flood
    for word in (words.SENDERS, *hashed):
        counts[start_ms, word] = counts.get((start_ms, word), 0) + 1
    seen = context.flood()
    if seen.flagged and topics.of(hashed, seen.flagged, seen.plain, seen.strong) is not None:
        counts[start_ms, words.TOPICAL] = counts.get((start_ms, words.TOPICAL), 0) + 1
    return words.pack(hashed)

"""A new topic shared by many: words that many new senders use now and hardly anybody used before.

A raid's slogans and a false advertisement look alike from here, and rightly so: both are held
and shown to a moderator, neither is accused. What people always say (« Salut ça va ? ») is common
before and after, so being one of many is no sign of anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from bot.policy import settings
from bot.policy.flood.words import BLOCK

# What is usual is taken at its upper bound, which is generous while little is known (a share of a
# tenth at the very start).
_DOUBT_SENDERS: Final = 3.0
_DOUBT_TOTAL: Final = 30.0
# While fewer new senders than this are known, everything is new and nothing is a topic.
WARM: Final = 25
# What everybody says in some language counts as if a fifth of so many more had said it.
_COMMON_SENDERS: Final = 20.0
_COMMON_TOTAL: Final = 100.0
# Once a topic, a word stays one while so many use it, and so long after.
STILL_SENDERS: Final = 3
KEPT_MS: Final = 24 * 3_600_000
# A message is on a topic if so much of it is, or two words that are so much of what it says
# beside words that say nothing, or its whole wording.
_ENOUGH: Final = 0.3
_ENOUGH_SAYING: Final = 0.5
# Words of so large a share of all, and of at least so many, say nothing.
_PLAIN_SHARE: Final = 0.02
_PLAIN_SENDERS: Final = 10.0


# A word makes a topic by itself where so many, and such a share of all, say it of a sudden: so
# many times the usual, so the share must be the greater the less is known.
_STRONG_SENDERS: Final = 20
_STRONG_SHARE: Final = 0.1
_STRONG_LIFT: Final = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many distinct new senders used each word, and how many senders there were.

    `common`: words that everybody uses in some language, known before anybody wrote.
    """

    senders: float
    words: Mapping[int, float]
    common: AbstractSet[int] = frozenset()


def usual_share(usual: Counts, word: int) -> float:
    """Upper bound of a word's usual share among new senders, in (0, 1]."""
    used = usual.words.get(word, 0.0) + _DOUBT_SENDERS
    if word in usual.common:
        return (used + _COMMON_SENDERS) / (usual.senders + _DOUBT_TOTAL + _COMMON_TOTAL)
    return used / (usual.senders + _DOUBT_TOTAL)


def flag(
    recent: Counts,
    usual: Counts,
    flagged: Mapping[int, int],
    now_ms: int,
    rules: settings.Flood,
) -> dict[int, int]:
    """Word -> when many last used it as a topic, from what was flagged before and is new now."""
    heeded = {BLOCK: rules.blocks, 0: rules.topics}
    if not any(heeded.values()):
        return {}
    kept = {
        word: now_ms if recent.words.get(word, 0) >= STILL_SENDERS else seen_ms
        for word, seen_ms in flagged.items()
        if now_ms - seen_ms < KEPT_MS
    }
    if usual.senders < WARM:
        return kept
    least = max(rules.topic_senders, rules.topic_share * recent.senders)
    lift = rules.topic_lift * recent.senders
    for word, senders in recent.words.items():
        if senders < least or not heeded[word & BLOCK] or word in usual.common:
            continue
        if senders >= lift * usual_share(usual, word):
            kept[word] = now_ms
    return kept


def strong(
    recent: Counts, usual: Counts, flagged: Mapping[int, int], before: AbstractSet[int]
) -> frozenset[int]:
    """Flagged words that make a topic by themselves: a tenth of all say what hardly anybody did.

    What an advertisement is about stands in nearly every answer to it, among usual words. A word
    that was strong stays so while it is flagged.
    """
    least = max(_STRONG_SENDERS, _STRONG_SHARE * recent.senders)
    lift = _STRONG_LIFT * recent.senders
    found = {
        word
        for word in flagged
        if recent.words.get(word, 0) >= max(least, lift * usual_share(usual, word))
    }
    return frozenset(found | (before & flagged.keys()))


def plain(usual: Counts) -> frozenset[int]:
    """Words that so many use anyway that they say nothing of what a message is about."""
    least = max(_PLAIN_SENDERS, _PLAIN_SHARE * usual.senders)
    return frozenset(w for w, n in usual.words.items() if n >= least) | usual.common


def of(
    words: Sequence[int],
    flagged: Mapping[int, int],
    unsaying: AbstractSet[int] = frozenset(),
    strong_words: AbstractSet[int] = frozenset(),
) -> int | None:
    """The topic of a message (the flagged word that was flagged first), None if it has none.

    `words` as `flood.words.of` gives them, hashed: the whole text's own word is the last. Before
    them stands the sender's block, which is a topic by itself. `unsaying` words count only if
    they are flagged; one of `strong_words` is enough.
    """
    if words and words[0] & BLOCK:
        if words[0] in flagged:
            return words[0]
        words = words[1:]
    found = [word for word in words if word in flagged]
    if not found:
        return None
    single = words[:-1] if len(words) > 1 else words
    saying = sum(word in flagged or word not in unsaying for word in single)
    several = len(found) > 1 and len(found) >= _ENOUGH_SAYING * saying
    if not strong_words.isdisjoint(found):
        return min(strong_words & set(found), key=lambda word: (flagged[word], word))
    if words[-1] in flagged or several or len(found) >= _ENOUGH * len(single):
        return min(found, key=lambda word: (flagged[word], word))
    return None

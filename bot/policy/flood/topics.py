"""A new topic shared by many: words that many new senders use now and hardly anybody used before.

A raid's slogans and a false advertisement look alike from here, and rightly so: both are held
and shown to a moderator, neither is accused. What people always say (« Salut ça va ? ») is common
before and after, so being one of many is no sign of anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from bot.policy import settings

# What is usual is taken at its upper bound, which is generous while little is known (a share of a
# tenth at the very start).
_DOUBT_SENDERS: Final = 3.0
_DOUBT_TOTAL: Final = 30.0
# While fewer new senders than this are known, everything is new and nothing is a topic.
WARM: Final = 100
# Once a topic, a word stays one while so many use it, and so long after.
STILL_SENDERS: Final = 3
KEPT_MS: Final = 24 * 3_600_000
# A message is on a topic if so much of what it says is, or its whole wording is.
_ENOUGH: Final = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many distinct new senders used each word, and how many senders there were."""

    senders: float
    words: Mapping[int, float]


def usual_share(usual: Counts, word: int) -> float:
    """Upper bound of a word's usual share among new senders, in (0, 1]."""
    return (usual.words.get(word, 0.0) + _DOUBT_SENDERS) / (usual.senders + _DOUBT_TOTAL)


def flag(
    recent: Counts,
    usual: Counts,
    flagged: Mapping[int, int],
    now_ms: int,
    rules: settings.Flood,
) -> dict[int, int]:
    """Word -> when many last used it as a topic, from what was flagged before and is new now."""
    if not rules.topics:
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
        if senders >= least and senders >= lift * usual_share(usual, word):
            kept[word] = now_ms
    return kept


def of(words: Sequence[int], flagged: Mapping[int, int]) -> int | None:
    """The topic of a message (the flagged word that was flagged first), None if it has none.

    `words` as `flood.words.of` gives them, hashed: the whole text's own word is the last.
    """
    found = [word for word in words if word in flagged]
    if not found:
        return None
    single = max(len(words) - 1, 1)
    if words[-1] in flagged or len(found) >= _ENOUGH * single:
        return min(found, key=lambda word: (flagged[word], word))
    return None

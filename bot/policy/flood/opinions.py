"""Whether a second opinion on a number is worth its price, by what the answers so far said.

A held reply of a crowd may be to a made-up number, and then its price would be wasted. Whoever
can tell for less than that is worth asking; where nearly all were real, asking is the waste.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Final

# As the reply's row keeps it; None there: nobody was asked.
ASKED: Final = -1
NOBODY: Final = 0
REAL: Final = 1
# Before the first answers, as likely as not.
_PRIOR_NOBODY: Final = 1
_PRIOR_ALL: Final = 2
# Clusters remembered, the newest.
CLUSTERS: Final = 200
_DAY_MS: Final = 86_400_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Of one cluster: how many answers came, and how many of them said that nobody is there."""

    answers: int = 0
    nobody: int = 0

    def and_also(self, *, nobody: bool) -> Learned:
        """With one answer more."""
        return Learned(answers=self.answers + 1, nobody=self.nobody + nobody)


NOTHING: Final = Learned()


def worth(price_micros: int, reply_micros: int, learned: Learned) -> bool:
    """Whether an opinion costs less than the money that a reply would probably waste.

    The probability of waste is the share of false ones among the cluster's answers so far, drawn
    towards a half while there are few.
    """
    of = learned.answers + _PRIOR_ALL
    return price_micros * of < reply_micros * (learned.nobody + _PRIOR_NOBODY)


def cluster(topic: int | None, first_ms: int) -> str:
    """What a reply in doubt is judged together with: its topic, else the surges of its day."""
    return f"topic:{topic}" if topic is not None else f"surge:{first_ms // _DAY_MS}"


def learned_from(channel: str, of: str) -> str:
    """Where the answers of one bridge about one cluster are kept.

    Apart, because whom the dearer one is asked about, the cheaper one could not tell of.
    """
    return f"{channel}:{of}"


def together(learned: Mapping[str, Learned], of: str) -> Learned:
    """What all bridges said of one cluster."""
    found = [one for place, one in learned.items() if place.endswith(f":{of}")]
    return Learned(
        answers=sum(one.answers for one in found), nobody=sum(one.nobody for one in found)
    )


def text(learned: Mapping[str, Learned]) -> str:
    """As the store keeps it: the clusters that were added to last, in that order."""
    kept = list(learned.items())[-CLUSTERS:]
    return json.dumps({name: [one.answers, one.nobody] for name, one in kept})


def read(kept: str | None) -> dict[str, Learned]:
    """Back from the store; empty if there is nothing yet."""
    found: dict[str, list[int]] = json.loads(kept) if kept is not None else {}
    return {name: Learned(answers=n[0], nobody=n[1]) for name, n in found.items()}

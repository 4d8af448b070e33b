"""The breaker's modes, by rules with hysteresis: up at once, down after a calm hour.

A mode holds back, it never accuses: what it holds is released or expires. REVIEW and
RECEIVE_ONLY are set by hand only; a crowd alone must not make the house stop answering people.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from bot.policy import settings
from bot.policy.flood.snapshot import Mode

# Below a handful an hour nothing is a surge.
SURGE_LEAST: Final = 24.0
TOPICAL: Final = 0.2
_TOPICAL_LEAST: Final = 10
# Of the day's cap: from here only free networks answer, until there is clearly money again.
SPENT: Final = 0.995
MONEY_BACK: Final = 0.9
CALM_MS: Final = 3_600_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look saw. `spent`: share of the day's cap in use, None without a cap.

    `senders`, `topical`: new senders of the last hour, and those of them on a flagged topic.
    """

    now_ms: int
    senders: float
    topical: float
    surging: bool
    spent: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`since_ms`: when the mode began; `stirred_ms`: when something last called for it."""

    mode: Mode = Mode.NORMAL
    since_ms: int = 0
    stirred_ms: int = 0
    reason: str = ""


def wanted(sight: Sight) -> tuple[Mode, str]:
    """The mode that this look calls for, and why in figures."""
    if sight.spent is not None and sight.spent >= SPENT:
        return Mode.FREE_ONLY, f"{sight.spent:.0%} of the day's money is used"
    if sight.senders >= _TOPICAL_LEAST and sight.topical >= TOPICAL * sight.senders:
        share = sight.topical / sight.senders
        return Mode.TIGHT, f"{share:.0%} of new senders write about one new topic"
    if sight.surging:
        return Mode.TIGHT, f"{sight.senders:.0f} new senders in an hour, far more than usual"
    return Mode.NORMAL, ""


def turn(before: Setting, sight: Sight) -> Setting:
    """The setting after this look; the same object's values if nothing changes."""
    mode, reason = wanted(sight)
    if before.mode in (Mode.REVIEW, Mode.RECEIVE_ONLY):
        return before
    if mode is not Mode.NORMAL and (mode is before.mode or before.mode is Mode.NORMAL):
        since_ms = before.since_ms if mode is before.mode else sight.now_ms
        kept = before.reason if mode is before.mode else reason
        return Setting(mode=mode, since_ms=since_ms, stirred_ms=sight.now_ms, reason=kept)
    if mode is not Mode.NORMAL:
        return Setting(mode=mode, since_ms=sight.now_ms, stirred_ms=sight.now_ms, reason=reason)
    if before.mode is Mode.FREE_ONLY and (sight.spent or 0.0) < MONEY_BACK:
        return Setting(since_ms=sight.now_ms, stirred_ms=sight.now_ms, reason="there is money")
    if before.mode is not Mode.NORMAL and sight.now_ms - before.stirred_ms >= CALM_MS:
        return Setting(since_ms=sight.now_ms, stirred_ms=sight.now_ms, reason="calm for an hour")
    return before


def surging(  # noqa: PLR0917 (one span's figures)
    senders: float,
    topical: float,
    usual: tuple[float, ...] | None,
    hour: int,
    share: float,
    rules: settings.Flood,
) -> bool:
    """Whether a span that is `share` of an hour saw far more untopical new senders than usual.

    Neighbouring hours count as usual too: a busy evening may begin an hour early.
    """
    if usual is None or not rules.surges:
        return False
    around = max(usual[(hour + shift) % len(usual)] for shift in (-1, 0, 1))
    return (senders - topical) >= max(rules.surge_factor * around * share, SURGE_LEAST * share)

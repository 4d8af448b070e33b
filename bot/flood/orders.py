"""The mode in force: by the rules or by hand, told to everybody, kept over a restart.

Every change is an event `mode` with its reason and figures. What a mode held goes on by itself
when the mode is over; what a topic held, when a moderator found the topic fine.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.policy.decision import Reason
from bot.policy.flood import breaker, byhand
from bot.policy.flood.snapshot import Mode
from bot.policy.lifecycle import State
from bot.store import events, prepared, statements, tables

KIND: Final = "mode"
BY_HAND: Final = "hand"
HAND_OVER: Final = "hand_over"
MONEY: Final = "money"
TOPIC: Final = "topic"
SURGE: Final = "surge"
CALM: Final = "calm"
_SLICE: Final = 500

_s, _r, _c = tables.storage, tables.replies, tables.control
_KEY: Final = {"channel": "", "key": "mode"}
_READ = prepared.Prepared(sa.select(_s.c.value).where(_s.c.channel == "", _s.c.key == "mode"))
_KEEP = statements.upsert(_s).on_conflict_do_update(
    index_elements=["channel", "key"], set_={"value": statements.upsert(_s).excluded.value}
)
_OLD = prepared.Prepared(
    sa.delete(_c).where(_c.c.key.startswith(byhand.TOPIC), _c.c.at_ms < sa.bindparam("before"))
)
_ON_FINE = (
    sa.select(_r.c.id)
    # A literal, so that the partial index is used (SPEED.md).
    .where(sa.literal_column("replies.state") == sa.literal_column("'held'"))
    .where(_r.c.reason == Reason.NEW_TOPIC.value)
    .where(_r.c.topic.in_(sa.bindparam("words", expanding=True)))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(_SLICE)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The present mode as the last change told it. `cause` is one of the words above.

    `senders`, `topical`, `spent`: what the look saw (`breaker.Sight`). `who`, `until_ms`: of a
    mode set by hand.
    """

    mode: Mode = Mode.NORMAL
    since_ms: int = 0
    cause: str = CALM
    senders: float = 0.0
    topical: float = 0.0
    spent: float | None = None
    by_hand: bool = False
    until_ms: int | None = None
    who: str = ""


def told(tx: sa.Connection) -> Told:
    """The present mode; normal before anybody looked."""
    found = _READ.rows(tx)
    return parsed(json.loads(found[0][0])) if found else Told()


def parsed(plain: Mapping[str, object]) -> Told:
    """From plain JSON values, as kept and as events carry them; other values are left out."""
    names = {field.name for field in dataclasses.fields(Told)}
    known = {name: value for name, value in plain.items() if name in names}
    return Told(**{**known, "mode": Mode(str(plain["mode"]))})  # type: ignore[arg-type]  # written by us


def controls(tx: sa.Connection, now_ms: int) -> dict[str, str]:
    """What moderators set; what is over by now is taken away first."""
    _OLD.many(tx, [{"before": now_ms - byhand.FINE_MS}])
    found = events.controls(tx)
    if byhand.KEY in found and byhand.order(found, now_ms) is None:
        events.control(tx, now_ms, byhand.KEY, None)
        del found[byhand.KEY]
    return found


def turn(
    tx: sa.Connection, before: breaker.Setting, sight: breaker.Sight, found: Mapping[str, str]
) -> breaker.Setting:
    """The setting after this look; a change is told."""
    last, now_ms = told(tx), sight.now_ms
    order = byhand.order(found, now_ms)
    if order is not None:
        reason = f"set by hand by {order.who}"
        after = breaker.Setting(
            mode=order.mode, since_ms=order.since_ms, stirred_ms=now_ms, reason=reason
        )
        cause = BY_HAND
    else:
        if last.by_hand:
            reason = "what was set by hand is over"
            before = breaker.Setting(since_ms=now_ms, stirred_ms=now_ms, reason=reason)
        after = breaker.turn(before, sight)
        over = last.by_hand and after.mode is Mode.NORMAL
        cause = HAND_OVER if over else _cause(last.mode, after.mode, sight)
    until_ms = order.until_ms if order is not None else None
    new = Told(
        mode=after.mode,
        since_ms=after.since_ms,
        cause=cause,
        senders=sight.senders,
        topical=sight.topical,
        spent=sight.spent,
        by_hand=order is not None,
        until_ms=until_ms,
        who=order.who if order is not None else "",
    )
    if (new.mode, new.by_hand, new.until_ms) != (last.mode, last.by_hand, last.until_ms):
        plain = {**dataclasses.asdict(new), "mode": new.mode.value}
        tx.execute(_KEEP, {**_KEY, "value": json.dumps(plain)})
        events.append(
            tx, now_ms, KIND, {**plain, "before": last.mode.value, "reason": after.reason}
        )
    return after


def _cause(before: Mode, after: Mode, sight: breaker.Sight) -> str:
    if after is Mode.NORMAL:
        return MONEY if before is Mode.FREE_ONLY else CALM
    if after is Mode.FREE_ONLY:
        return MONEY
    return TOPIC if sight.topical >= breaker.TOPICAL * max(sight.senders, 1) else SURGE


def release_fine(tx: sa.Connection, found: Mapping[str, str], now_ms: int) -> int:
    """What was held for a topic that a moderator found fine goes on, a slice a look."""
    words = byhand.fine(found)
    if not words:
        return 0
    ids = tx.execute(_ON_FINE, {"words": sorted(words)}).scalars()
    moved = [{"id": i, "due_ms": now_ms, "reason": Reason.FIRST_CONTACT} for i in ids]
    outbox.move(tx, State.HELD, State.SCHEDULED, moved)
    return len(moved)

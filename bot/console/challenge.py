"""A network's challenge (a captcha) answered by a moderator, here or from the command line.

The answer is handed in first, outside of any transaction; only when the network took it does the
channel go on. Nothing else starts it again, and no reply takes a paid way meanwhile.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from bot.console import audit
from bot.console.results import Done, said
from bot.contract import bridge
from bot.store import database, events, tables

_r = tables.replies
_COME_FORWARD: Final = (
    sa.update(_r)
    .where(sa.literal_column("state") == sa.literal_column("'scheduled'"))
    .where(_r.c.channel == sa.bindparam("of"), _r.c.attempts > 0)
    .where(_r.c.due_ms > sa.bindparam("now"))
    .values(due_ms=sa.bindparam("now"))
)


async def hand_in(
    store: database.Store, way: bridge.Bridge, answer: str, *, now_ms: int, who: str
) -> Done:
    """Give an answer to the challenge that waits on a channel. Raises StoreAwayError."""
    controls = await store.read(events.controls)
    token = controls.get(f"{events.CHALLENGE}:{way.channel}")
    if token is None or not isinstance(way, bridge.SolvesChallenges):
        en, fr = "No challenge waits there.", "Aucune épreuve n'attend là."
        return Done(ok=False, said=said(en, fr))
    if not await way.solve(token, answer):
        en = "The network did not take that answer; fetch a fresh one and try again."
        fr = "Le réseau n'a pas accepté ; prenez-en une nouvelle et recommencez."
        return Done(ok=False, said=said(en, fr))
    return await store.write(lambda tx: solved(tx, channel=way.channel, now_ms=now_ms, who=who))


def solved(tx: sa.Connection, *, channel: str, now_ms: int, who: str) -> Done:
    """The network took the answer: the channel goes on. A moderator's own pause stays."""
    lift(tx, channel=channel, now_ms=now_ms)
    audit.note(tx, now_ms, who, "captcha", channel=channel)
    return Done(ok=True, said=said("Taken. Sending goes on.", "Accepté. Les envois reprennent."))


def lift(tx: sa.Connection, *, channel: str, now_ms: int) -> None:
    """End the wait; what was refused because of it need not wait out the network's day."""
    events.control(tx, now_ms, f"{events.CHALLENGE}:{channel}", None)
    tx.execute(_COME_FORWARD, {"of": channel, "now": now_ms})

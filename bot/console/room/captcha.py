"""A network's challenge, solved from the room: the bridge is asked before the transaction."""

from __future__ import annotations

import sqlalchemy as sa

from bot.console import challenge
from bot.console.room.here import Answer, Here, done, line
from bot.console.room.parser import Asked
from bot.contract import bridge
from bot.store import database, events


async def solve(store: database.Store, way: bridge.Bridge | None, answer: str) -> bool | None:
    """Hand the answer in; None if there is no challenge. Raises StoreAwayError."""
    if way is None or not isinstance(way, bridge.SolvesChallenges):
        return None
    controls = await store.read(events.controls)
    token = controls.get(f"{events.CHALLENGE}:{way.channel}")
    return None if token is None else await way.solve(token, answer)


def solved(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """What came of it; a solved one lets the channel go on."""
    result = here.outside.solved
    if result is None or asked.channel is None:
        return line(here.t("No challenge waits there.", "Aucune épreuve n'attend là."), ok=False)
    if not result:
        return line(
            here.t(
                "The network did not take that answer; fetch a fresh one and try again.",
                "Le réseau n'a pas accepté ; prenez-en une nouvelle et recommencez.",
            ),
            ok=False,
        )
    return done(here, challenge.solved(tx, channel=asked.channel, now_ms=here.now_ms, who=here.who))

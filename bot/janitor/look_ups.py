"""Who of those about to be answered is on a free network too (route `cheapest`).

Asks a bridge that can look people up, a little before their replies fall due, a bounded batch a
run and so many a day as `look_ups_per_day` allows: a flood must not use up what the network
grants, and who came in a crowd is not looked up at all. The answers stay with the bridge; it
reaches somebody from then on or does not. A challenge met on the way stops the channel, as one
met at a send does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa
import structlog

from bot import ledger
from bot.contract import address, bridge
from bot.janitor import questions
from bot.policy import periods, settings
from bot.policy.flood import snapshot
from bot.store import database, events, tables, vault

_log = structlog.get_logger(__name__)

BATCH: Final = 20
AHEAD_MS: Final = 900_000
LIMIT_S: Final = 60.0
_READ: Final = 500
# Set for a channel, these mean that it must not be bothered.
_TROUBLED: Final = (events.CHALLENGE, "stopped", "paused")

_r = tables.replies
_SOON = (
    sa.select(_r.c.id, _r.c.network, _r.c.first_ms, _r.c.address_enc)
    .where(sa.literal_column("state") == sa.literal_column("'scheduled'"))
    .where(_r.c.due_ms <= sa.bindparam("before_ms"), _r.c.automatic)
    .where(_r.c.network != sa.bindparam("theirs"), _r.c.address_enc.is_not(None))
    .order_by(_r.c.due_ms, _r.c.id)
    .limit(_READ)
)


class LookUps:
    """Remembers whom it asked about; after a restart the bridge's own memory answers."""

    def __init__(
        self,
        *,
        core: settings.Core,
        keys: vault.Vault,
        bridges: Mapping[str, bridge.Bridge],
        flood: Callable[[], snapshot.Snapshot],
    ) -> None:
        """Nobody was asked about yet."""
        self._core = core
        self._keys = keys
        self._flood = flood
        self._ways: dict[str, bridge.LooksUpIdentities] = {}
        self._networks: dict[str, str] = {}
        self._asked: dict[str, set[int]] = {}
        if core.reply.route == settings.ROUTE_SAME:
            return
        for name, way in bridges.items():
            if isinstance(way, bridge.LooksUpIdentities):
                self._ways[name] = way
                self._networks[name] = way.network
                self._asked[name] = set()

    async def step(self, store: database.Store, now_ms: int) -> dict[str, int]:
        """One batch for each bridge; how many were asked about."""
        out = {"looked_up": 0}
        for name, way in self._ways.items():
            soon, turn = await store.write(functools.partial(self._turn, name=name, now_ms=now_ms))
            self._asked[name] = (self._asked[name] & soon) | turn.keys()
            whom = [one for one in turn.values() if one is not None]
            if not whom:
                continue
            out["looked_up"] += len(whom)
            answer = await questions.answer(way.look_up(whom), LIMIT_S)
            if isinstance(answer, bridge.ChallengedError):
                tell = functools.partial(
                    events.challenge, at_ms=now_ms, channel=name, token=answer.token
                )
                await store.write(tell)
            elif isinstance(answer, BaseException):
                _log.warning("look_up_failed", channel=name, error=type(answer).__name__)
        return out

    def _turn(
        self, tx: sa.Connection, name: str, now_ms: int
    ) -> tuple[set[int], dict[int, address.Address | None]]:
        """All whose replies are due soon, and those of them to ask about now (None: sealed).

        Their look-ups are taken from the quota.
        """
        controls = events.controls(tx)
        if any(word in controls or f"{word}:{name}" in controls for word in _TROUBLED):
            return self._asked[name], {}
        budget = self._core.budget
        quota = budget.quotas.get(name, settings.Quota())
        day = periods.day(now_ms, budget.timezone)
        if ledger.used(tx, f"first:{name}:{day}") >= quota.first_contacts_per_day:
            return self._asked[name], {}
        query = {"before_ms": now_ms + AHEAD_MS, "theirs": self._networks[name]}
        found = tx.execute(_SOON, query).mappings().all()
        asked, seen = self._asked[name], self._flood()
        fresh = [
            row for row in found if row["id"] not in asked and not seen.in_surge(row["first_ms"])
        ][:BATCH]
        n = ledger.grant(tx, f"look:{name}:{day}", len(fresh), quota.look_ups_per_day)
        turn = {row["id"]: questions.recipient(self._keys, row) for row in fresh[:n]}
        return {row["id"] for row in found}, turn

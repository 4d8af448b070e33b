"""Sends whose end is not certain, and the delivery receipts that settle them.

A receipt names our message by its timestamp, which we do not know when a send hung or was refused
with a 429. But we know to whom we sent and between which moments: a receipt of that very person
for a message of ours from within that span can only be about that send. Where two sends fit, it
settles neither.

What is kept (in the bridge's own storage, so that a restart forgets nothing) is bounded in number
and age, and holds no address: people stand in it as keyed hashes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Collection, Iterable
from typing import Final

from bot.contract import bridge
from bridges.signal import sent

KEY: Final = "doubts"
KEPT: Final = 500
KEPT_MS: Final = 172_800_000  # budget.unknown_after_s: later nobody asks any more
SLACK_MS: Final = 2_000  # signal-cli stamps by its own clock, on this machine or the next


@dataclasses.dataclass(slots=True, kw_only=True)
class Doubt:
    """One send. `ended_ms` None while it goes on; `proof_ms` once a receipt has shown it came.

    `limited`: it was refused with a 429, which is almost always true.
    """

    reply_id: str
    who: str
    started_ms: int
    ended_ms: int | None = None
    limited: bool = False
    proof_ms: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a receipt has shown: the message of that timestamp reached him.

    `reply_id`: the reply that was in doubt until now, None for a send that never was.
    """

    reply_id: str | None
    timestamp_ms: int


class Doubts:
    """All that is not certain of one account; of one event loop."""

    def __init__(self, storage: bridge.Storage, secret: str) -> None:
        """`secret` keys the hashes; with another one, older doubts are never settled."""
        self._storage = storage
        self._secret = secret.encode()
        self._open: dict[str, Doubt] | None = None
        # Timestamps that are known to be another send's: no proof of a doubtful one.
        self._sent = sent.Sent(storage)

    def keyed(self, name: str) -> str:
        """A person's address so that only who has the secret can recognise it."""
        return hmac.new(self._secret, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    async def begin(self, reply_id: str, recipient: str, now_ms: int) -> Doubt | None:
        """Before a send: None, or what an earlier attempt of the same reply left behind."""
        kept = await self._load()
        earlier = kept.get(reply_id)
        if earlier is not None:
            return earlier
        self._drop_old(kept, now_ms)
        while len(kept) >= KEPT:
            del kept[next(iter(kept))]
        kept[reply_id] = Doubt(reply_id=reply_id, who=self.keyed(recipient), started_ms=now_ms)
        await self._save()
        return None

    async def forget_old(self, now_ms: int) -> None:
        """What nobody asks for any more goes from the store too, though nothing is sent."""
        if self._drop_old(await self._load(), now_ms):
            await self._save()
        await self._sent.forget_old(now_ms)

    @staticmethod
    def _drop_old(kept: dict[str, Doubt], now_ms: int) -> int:
        old = [k for k, d in kept.items() if now_ms - d.started_ms > KEPT_MS]
        for one in old:
            del kept[one]
        return len(old)

    async def reopen(self, reply_id: str) -> None:
        """It is sent again after a refusal: its span goes on."""
        doubt = (await self._load()).get(reply_id)
        if doubt is not None:
            doubt.ended_ms, doubt.limited = None, False
            await self._save()

    async def certain(self, reply_id: str, timestamp_ms: int | None = None) -> None:
        """It is known what became of it: `timestamp_ms` where it went out."""
        kept = await self._load()
        if timestamp_ms is not None:
            doubt = kept.get(reply_id)
            await self._sent.note(timestamp_ms, doubt.who if doubt is not None else "")
        if kept.pop(reply_id, None) is not None:
            await self._save()

    async def uncertain(self, reply_id: str, now_ms: int, *, limited: bool) -> None:
        """The send is over and nobody knows; its span ends now."""
        doubt = (await self._load()).get(reply_id)
        if doubt is not None:
            doubt.ended_ms, doubt.limited = now_ms, limited
            await self._save()

    async def proof(self, reply_id: str) -> int | None:
        """The timestamp under which a reply has been shown to have come, None if it has not."""
        doubt = (await self._load()).get(reply_id)
        return doubt.proof_ms if doubt else None

    async def settle(self, names: Collection[str], timestamps_ms: Iterable[int]) -> list[Settled]:
        """What a delivery receipt settles. `names`: the sender's ACI and number as far as known.

        Timestamps of messages that did not go to him, or that nobody knows any more, are left out.
        """
        owners = [(stamp, await self._sent.whose(stamp)) for stamp in timestamps_ms]
        kept = await self._load()
        who = {self.keyed(name) for name in names}
        short = {one[: sent.SHORT] for one in who}
        mine = [d for d in kept.values() if d.who in who]
        settled: list[Settled] = []
        fresh = False
        for stamp, owner in owners:
            # The same receipt again, perhaps because it could not be stored the first time.
            fitting = [d for d in mine if d.proof_ms == stamp]
            if not fitting and owner is None:
                fitting = [d for d in mine if d.proof_ms is None and _fits(d, stamp)]
                fresh = fresh or len(fitting) == 1
            if len(fitting) == 1:
                fitting[0].proof_ms = stamp
                settled.append(Settled(reply_id=fitting[0].reply_id, timestamp_ms=stamp))
            elif owner in short:
                settled.append(Settled(reply_id=None, timestamp_ms=stamp))
        if fresh:
            await self._save()
        return settled

    async def _load(self) -> dict[str, Doubt]:
        if self._open is None:
            raw = await self._storage.get(KEY)
            # Another task may have read it meanwhile, and begun a send.
            if self._open is None:
                self._open = {} if raw is None else _parsed(raw)
        return self._open

    async def _save(self) -> None:
        rows = [
            (d.reply_id, d.who, d.started_ms, d.ended_ms, d.limited, d.proof_ms)
            for d in (self._open or {}).values()
        ]
        await self._storage.put(KEY, json.dumps(rows) if rows else None)


def _fits(doubt: Doubt, stamp_ms: int) -> bool:
    """Whether a message of that timestamp can be the one that was being sent."""
    if stamp_ms < doubt.started_ms - SLACK_MS:
        return False
    return doubt.ended_ms is None or stamp_ms <= doubt.ended_ms + SLACK_MS


def _parsed(raw: str) -> dict[str, Doubt]:
    found: dict[str, Doubt] = {}
    for reply_id, who, started_ms, ended_ms, limited, proof_ms in json.loads(raw):
        found[reply_id] = Doubt(
            reply_id=reply_id,
            who=who,
            started_ms=started_ms,
            # The process ended in mid-send: it cannot have gone on for longer than a send may.
            ended_ms=ended_ms if ended_ms is not None else started_ms + 60_000,
            limited=limited,
            proof_ms=proof_ms,
        )
    return found

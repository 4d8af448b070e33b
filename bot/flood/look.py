"""One look of the leader, every few minutes: topics, surges, mode, and who may go now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import clock
from bot.flood import memory, orders, rows
from bot.policy import decision, overrides, periods, settings
from bot.policy.flood import breaker, byhand, opinions, pacing, snapshot, topics
from bot.policy.lifecycle import State
from bot.store import database, events

EVERY_S: Final = 300
_RECENT_MS: Final = 2 * 3_600_000
_SURGES_KEPT_MS: Final = 36 * 3_600_000
_HOUR_MS: Final = 3_600_000
_RELEASE: Final = 500
# He is answered on time if he leaves within this of falling due; later ones come after.
_ON_TIME_MS: Final = 3_000_000
_SHORTEST_SHARE: Final = 1 / 12


class Flood:
    """The leader, or one who follows it. `snapshot` is what intake and dispatch go by."""

    def __init__(
        self,
        store: database.Store,
        core: settings.Core,
        moment: clock.Clock,
        common: AbstractSet[int] = frozenset(),
    ) -> None:
        """Calm until the first look. `common`: the keyed words that everybody uses."""
        self._common = common
        self._store = store
        self._core = core
        self._clock = moment
        self._memory: memory.Memory | None = None
        self._closed: dict[int, memory.Bucket] = {}
        self._looked_ms = clock.to_ms(moment.now())
        self._since_ms = snapshot.bucket_ms(self._looked_ms) + snapshot.BUCKET_MS
        self.snapshot = snapshot.CALM

    async def look(self) -> Mapping[str, int]:
        """One round, one transaction. Raises StoreAwayError."""
        now_ms = clock.to_ms(self._clock.now())
        known, self._memory = self._memory, None
        if now_ms - self._looked_ms > _RECENT_MS:
            # The machine slept, or the database was away: as after a start.
            self._since_ms = snapshot.bucket_ms(now_ms) + snapshot.BUCKET_MS

        def work(tx: sa.Connection) -> tuple[memory.Memory, Mapping[str, int]]:
            # After a failure the memory is read again: what was half done here is forgotten.
            taken = known if known is not None else rows.load(tx)
            return taken, self._look(tx, taken, now_ms)

        seen, counts = await self._store.write(work)
        self._memory = seen
        self._looked_ms = now_ms
        self.snapshot = self._shown(seen, now_ms)
        return counts

    async def follow(self) -> None:
        """Go by what the leader, another process, last kept. Raises StoreAwayError."""
        now_ms = clock.to_ms(self._clock.now())
        seen = await self._store.read(rows.load)
        # Should we lead next, we begin with what is kept, like everybody after a start.
        self._memory = None
        self._closed.clear()
        self.snapshot = self._shown(seen, now_ms)

    def _shown(self, seen: memory.Memory, now_ms: int) -> snapshot.Snapshot:
        return snapshot.Snapshot(
            at_ms=now_ms,
            mode=seen.setting.mode,
            flagged=dict(seen.flagged),
            strong=frozenset(seen.strong),
            surges=frozenset(seen.surges),
            usual=self._usual(seen),
            plain=self._plain(seen) if seen.flagged else frozenset(),
        )

    def _plain(self, known: memory.Memory) -> frozenset[int]:
        # What is usual is learned only as `learned_ms` moves on.
        of = (known.learned_ms, known.usual_senders, len(known.usual_words))
        return known.derived("plain", of, lambda: topics.plain(known.usual(self._common)))

    def _look(self, tx: sa.Connection, known: memory.Memory, now_ms: int) -> Mapping[str, int]:
        before, strong = known.mark(), known.strong
        oldest_ms = snapshot.bucket_ms(now_ms) - _RECENT_MS
        buckets = self._buckets(tx, min(oldest_ms, known.learned_ms or oldest_ms), now_ms)
        recent = {start: b for start, b in buckets.items() if start >= oldest_ms}
        seen = known.seen(recent, snapshot.bucket_ms(now_ms) - snapshot.BUCKET_MS)
        found = orders.controls(tx, now_ms)
        flagged = topics.flag(
            seen, known.usual(self._common), known.flagged, now_ms, self._core.flood
        )
        for word in byhand.fine(found):
            flagged.pop(word, None)
        fresh = flagged.keys() - known.flagged.keys()
        known.flagged = flagged
        usual = known.usual(self._common)
        known.strong = set(topics.strong(seen, usual, flagged, known.strong))
        self._surges(known, recent, now_ms)
        self._learn(known, buckets, oldest_ms, now_ms)
        known.setting = orders.turn(
            tx, known.setting, self._sight(tx, known, recent, now_ms), found
        )
        if fresh:
            people = max(seen.words.get(word, 0) for word in fresh)
            told = {"words": len(fresh), "people": people, "of": seen.senders}
            events.append(tx, now_ms, "new_topic", told)
        rows.forget(tx, oldest_ms - snapshot.BUCKET_MS)
        # Alone in memory nobody follows, and what is strong is found anew at each look.
        if known.mark() != before or (strong != known.strong and not self._store.inline):
            rows.keep(tx, known)
        released = orders.release_fine(tx, found, now_ms)
        doubted = known.surges | byhand.crowd(found, now_ms)
        released += self._release(tx, known, doubted, now_ms)
        return {"topics": len(flagged), "new": len(fresh), "released": released}

    def _buckets(self, tx: sa.Connection, oldest_ms: int, now_ms: int) -> dict[int, memory.Bucket]:
        """Closed buckets from memory, the last two and unknown ones from the rows."""
        open_ms = snapshot.bucket_ms(now_ms) - snapshot.BUCKET_MS
        # A look that was left out must leave out no bucket.
        since_ms = min(open_ms, max(self._closed)) if self._closed else oldest_ms
        self._closed |= rows.buckets(tx, since_ms)
        self._closed = {s: b for s, b in self._closed.items() if s >= oldest_ms}
        return dict(self._closed)

    def _usual(self, known: memory.Memory) -> tuple[float, ...] | None:
        today = periods.day(clock.to_ms(self._clock.now()), self._core.budget.timezone)
        of = (today, known.learned_ms, known.anchor)
        return known.derived("usual", of, lambda: usual(known, today))

    def _surges(
        self, known: memory.Memory, recent: Mapping[int, memory.Bucket], now_ms: int
    ) -> None:
        usual = self._usual(known)
        today = periods.day(now_ms, self._core.budget.timezone)
        seen = {hour for day, hours in known.days.items() if day != today for hour in hours}
        for start_ms, bucket in recent.items():
            hour = self._local(start_ms).hour
            if hour not in seen:
                # What is only guessed of an hour is no measure: else it would never be learned.
                continue
            span_ms = min(snapshot.BUCKET_MS, max(now_ms - start_ms, 1))
            share = max(span_ms / _HOUR_MS, _SHORTEST_SHARE)
            if breaker.surging(
                bucket.senders, bucket.topical, usual, hour, share, self._core.flood
            ):
                known.surges.add(start_ms)
        known.surges = {s for s in known.surges if now_ms - s < _SURGES_KEPT_MS}

    def _learn(
        self,
        known: memory.Memory,
        buckets: Mapping[int, memory.Bucket],
        oldest_ms: int,
        now_ms: int,
    ) -> None:
        """Buckets that left the last two hours, if they were calm."""
        # A quarter without anybody is a calm one, but not while nobody was looking. A restart is
        # no such while: what it would leave out is counted yet.
        if self._since_ms - known.learned_ms > _RECENT_MS + 2 * snapshot.BUCKET_MS:
            known.looking_ms = self._since_ms
        first_ms = max(known.learned_ms, known.looking_ms)
        quiet = range(first_ms, oldest_ms, snapshot.BUCKET_MS)
        for start_ms in sorted({*buckets, *quiet}):
            if not known.learned_ms <= start_ms < oldest_ms:
                continue
            bucket = buckets.get(start_ms, memory.Bucket())
            local = self._local(start_ms)
            calm = start_ms not in known.surges
            if calm:
                known.saw_hour(
                    local.date().isoformat(), local.hour, bucket.senders - bucket.topical
                )
            if calm and bucket.topical <= breaker.TOPICAL * bucket.senders:
                known.learn(bucket, now_ms)
        known.learned_ms = max(known.learned_ms, oldest_ms)
        if known.week_ms == now_ms or known.anchor is None:
            full = len(known.days) > memory.DAYS
            known.anchor = self._usual(known) if full else None

    def _sight(
        self,
        tx: sa.Connection,
        known: memory.Memory,
        recent: Mapping[int, memory.Bucket],
        now_ms: int,
    ) -> breaker.Sight:
        last = [b for s, b in recent.items() if s > now_ms - _HOUR_MS - snapshot.BUCKET_MS]
        cap = overrides.budget(self._core.budget, events.controls(tx)).cap_day_micros
        used = ledger.used(tx, self._day_scope(now_ms)) if cap else 0
        return breaker.Sight(
            now_ms=now_ms,
            senders=sum(b.senders for b in last),
            topical=sum(b.topical for b in last),
            surging=snapshot.bucket_ms(now_ms) in known.surges,
            spent=used / cap if cap else None,
        )

    def _release(
        self, tx: sa.Connection, known: memory.Memory, doubted: AbstractSet[int], now_ms: int
    ) -> int:
        """Let go what waits for its turn or was held by a mode that is over, as money allows."""
        if known.setting.mode in byhand.HOLDING:
            return 0
        most = 0 if known.setting.mode is snapshot.Mode.FREE_ONLY else ledger.NO_LIMIT
        cap = overrides.budget(self._core.budget, events.controls(tx)).cap_day_micros
        local = self._local(now_ms)
        waiting = rows.waiting(tx, now_ms - _ON_TIME_MS, _RELEASE, most)
        if not waiting:
            return 0
        used = ledger.used(tx, self._day_scope(now_ms))
        chosen = []
        for keep, doubtful in ((pacing.CREDIBLE, False), (pacing.DOUBTFUL, True)):
            for row in waiting:
                crowd = snapshot.bucket_ms(row["first_ms"]) in doubted
                if (crowd and row["opinion"] != opinions.REAL) is not doubtful:
                    continue
                price = row["quoted_micros"] or 0
                left = (
                    price
                    if cap is None
                    else pacing.allowance(
                        cap_micros=cap,
                        used_micros=used,
                        usual=self._usual(known),
                        hour=local.hour,
                        share_left=1 - local.minute / 60,
                        price_micros=price,
                        keep=keep,
                    )
                )
                if price > left:
                    break
                used += price
                chosen.append(
                    {"id": row["id"], "due_ms": now_ms, "reason": _goes_on(row["reason"])}
                )
        outbox.move(tx, State.HELD, State.SCHEDULED, chosen)
        return len(chosen)

    def _day_scope(self, now_ms: int) -> str:
        return f"day:{periods.day(now_ms, self._core.budget.timezone)}"

    def _local(self, moment_ms: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(moment_ms / 1000, self._core.budget.timezone)


def usual(known: memory.Memory, today: str) -> tuple[float, ...] | None:
    """New senders by local hour as on the days before; None while there is none."""
    now = pacing.usual_by_hour([h for day, h in sorted(known.days.items()) if day != today])
    if now is None or known.anchor is None:
        return now
    # Within a tenth of what it was a week ago, however long somebody teaches it.
    most = 1 + memory.WEEKLY
    return tuple(min(n, max(a * most, 1.0)) for n, a in zip(now, known.anchor, strict=True))


def _goes_on(held: str) -> decision.Reason:
    """Why it is scheduled again."""
    turn = decision.Reason.PACE
    return turn if held == turn else decision.Reason.FIRST_CONTACT

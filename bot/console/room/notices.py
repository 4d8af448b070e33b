"""What moderators are told unasked: out of the events, by a durable position, merged and seldom.

Failures first. One flood is one card that is edited. Somebody is woken only for what must be
acted on, and only whoever is on call. All state is in the store, so a restart repeats nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger
from bot.console import funds, modes, proofs
from bot.console.room import announced, cards, codes, gathered, prompts, said
from bot.console.room.announced import Voice
from bot.contract import room
from bot.policy import handwords, overrides, periods, settings
from bot.policy.distress import Lane
from bot.store import events, keyvalue, people, tables, vault

SPACE: Final = "room.notices"
LOOK_MS: Final = 60_000
_DOWN_MS: Final = 180_000
_EDIT_MS: Final = 300_000
_HOUR_MS: Final = 3_600_000
_STEPS: Final = (50, 80, 100)
_SHORT_DAYS: Final = 3.0
_LANE_PROMPTS: Final = 5
_BATCH: Final = 500
_e, _s = tables.events, tables.storage
_FAILURES: Final = ("channel_stopped", "challenge")


class Notices:
    """One for the process; `tell` runs inside the desk's transaction."""

    def __init__(
        self, core: settings.Core, keys: vault.Vault, rooms: Sequence[tuple[str, str]]
    ) -> None:
        """`rooms`: pairs of a channel and a room of it."""
        self._core = core
        self._keys = keys
        self._rooms = [said.Where(channel=channel, room_id=one) for channel, one in rooms]
        self._looked_ms = 0

    def looks(self, now_ms: int) -> bool:
        """Whether it is time to look at money and health again."""
        return now_ms - self._looked_ms >= LOOK_MS

    def behind(self, tx: sa.Connection) -> bool:
        """Whether `tell` would find anything new without looking around. Reads only."""
        position = keyvalue.get(tx, SPACE, "position")
        if position is None:
            return True
        newer = sa.select(_e.c.id).where(_e.c.id > int(position))
        return tx.execute(newer.limit(1)).scalar() is not None

    def tell(
        self,
        tx: sa.Connection,
        now_ms: int,
        health: Mapping[str, Any] | None,
        rosters: Mapping[str, Sequence[str]],
    ) -> int:
        """Read on, look around if `health` is given; how much was said."""
        # Locked where there are other processes: two that tell at once would say it twice.
        first = sa.select(_s.c.value).where(_s.c.channel == SPACE, _s.c.key == "position")
        tx.execute(first.with_for_update())
        core = overrides.core(self._core, events.controls(tx))
        voice = Voice(core=core, keys=self._keys, now_ms=now_ms)
        teller = _Teller(tx, voice, self._rooms, rosters)
        if health is not None:
            self._looked_ms = now_ms
            teller.bridges(health)
        read = teller.read_on()
        if health is not None:
            teller.money()
            teller.flood_again()
            teller.digest()
        if read or health is not None:
            teller.flush()
        return teller.count


class _Teller:
    """One round."""

    def __init__(
        self,
        tx: sa.Connection,
        voice: Voice,
        rooms: Sequence[said.Where],
        rosters: Mapping[str, Sequence[str]],
    ) -> None:
        self._tx, self._voice, self._rooms, self._rosters = tx, voice, rooms, rosters
        self.count = 0

    # ------------------------------------------------------------ saying

    def _get(self, key: str) -> str | None:
        return keyvalue.get(self._tx, SPACE, key)

    def _put(self, key: str, value: str | None) -> None:
        keyvalue.put(self._tx, SPACE, key, value)

    def _say(self, card: cards.Card, *, wakes: bool = False) -> None:
        for where in self._rooms:
            extras = said.Extras(mentions=self._on_call(where.channel) if wakes else ())
            said.say(
                self._tx,
                self._voice.keys,
                where,
                card,
                lane=room.Lane.NOTICE,
                now_ms=self._voice.now_ms,
                extras=extras,
            )
        self.count += 1

    def _card(self, name: str, card: cards.Card, *, wakes: bool = False) -> None:
        """Say it, or edit what was said under that name; the same words again are not said."""
        digest = hashlib.sha256(cards.plain(card).encode()).hexdigest()[:16]
        if self._get(f"shown:{name}") == digest:
            return
        self._put(f"shown:{name}", digest)
        for where in self._rooms:
            extras = said.Extras(mentions=self._on_call(where.channel) if wakes else ())
            said.card(
                self._tx,
                self._voice.keys,
                where,
                name,
                card,
                now_ms=self._voice.now_ms,
                extras=extras,
            )
        self.count += 1

    def _close(self, name: str) -> None:
        self._put(f"shown:{name}", None)
        for where in self._rooms:
            said.close(self._tx, where, name)

    def _on_call(self, channel: str) -> tuple[str, ...]:
        """Everybody where nobody set hours; else whoever has the hour."""
        listed, hours = self._rosters.get(channel, ()), self._voice.core.room.on_call
        if not hours:
            return tuple(listed)
        zone = self._voice.core.budget.timezone
        hour = dt.datetime.fromtimestamp(self._voice.now_ms / 1000, zone).hour
        return tuple(one for one in listed if one in hours and gathered.on_duty(hours[one], hour))

    # ------------------------------------------------------------ events

    def read_on(self) -> int:
        """What happened since the last look, failures first; how much."""
        position = self._get("position")
        if position is None:
            newest = self._tx.execute(sa.select(sa.func.max(_e.c.id))).scalar_one() or 0
            self._put("position", str(newest))
            return 0
        query = sa.select(_e.c.id, _e.c.at_ms, _e.c.kind, _e.c.data).where(_e.c.id > int(position))
        rows = self._tx.execute(query.order_by(_e.c.id).limit(_BATCH)).all()
        if not rows:
            return 0
        self._put("position", str(rows[-1].id))
        for row in sorted(rows, key=lambda one: (one.kind not in _FAILURES, one.id)):
            self._event(row.kind, row.at_ms, json.loads(row.data))
        return len(rows)

    def _event(self, kind: str, at_ms: int, data: Mapping[str, Any]) -> None:
        if kind in _FAILURES:
            challenge = kind == "challenge"
            card = announced.halted(self._voice, str(data["channel"]), challenge=challenge)
            self._merge_once(f"{kind}:{data['channel']}", card)
        elif kind == "mode":
            self._mode(at_ms, data)
        elif kind == "priority":
            self._lane(data)
        elif kind == "proof":
            self._proof(data)
        elif kind in gathered.KINDS:
            self._merge(kind, int(data.get("n", 1)))

    def _merge_once(self, name: str, card: cards.Card) -> None:
        """The same failure again within an hour is no news."""
        last = self._get(f"failed:{name}")
        if last is None or self._voice.now_ms - int(last) >= _HOUR_MS:
            self._put(f"failed:{name}", str(self._voice.now_ms))
            self._say(card, wakes=True)

    def _merge(self, kind: str, n: int) -> None:
        told: dict[str, int] = json.loads(self._get(f"merge:{kind}") or "{}")
        told["n"] = told.get("n", 0) + n
        self._put(f"merge:{kind}", json.dumps(told))

    def flush(self) -> None:
        """Say what was gathered, each kind as seldom as it should be."""
        for kind, (every_ms, en, fr) in gathered.KINDS.items():
            kept = self._get(f"merge:{kind}")
            told: dict[str, int] = json.loads(kept or "{}")
            due = self._voice.now_ms - told.get("last_ms", -every_ms) >= every_ms
            if not told.get("n") or not due:
                continue
            self._put(f"merge:{kind}", json.dumps({"last_ms": self._voice.now_ms}))
            self._say(cards.Card(lines=(self._voice.t(en, fr).format(n=told["n"]),)))

    # ------------------------------------------------------------ floods

    def _mode(self, at_ms: int, data: Mapping[str, Any]) -> None:
        began = self._get("flood")
        if began is None and data.get("mode") == "normal":
            return
        if began is None:
            self._put("flood", began := str(at_ms))
        wakes = not data.get("by_hand")
        self._card("flood", announced.flood(self._tx, self._voice, int(began)), wakes=wakes)
        self._put("flood_edited", str(self._voice.now_ms))
        if modes.present(self._tx, self._voice.now_ms).mode == "normal":
            self._put("flood", None)
            self._close("flood")

    def flood_again(self) -> None:
        """The card of a flood that goes on, with new figures now and then."""
        began = self._get("flood")
        edited = int(self._get("flood_edited") or 0)
        if began is not None and self._voice.now_ms - edited >= _EDIT_MS:
            self._put("flood_edited", str(self._voice.now_ms))
            self._card("flood", announced.flood(self._tx, self._voice, int(began)))

    # ------------------------------------------------------------ people

    def _lane(self, data: Mapping[str, Any]) -> None:
        hour = periods.hour_ms(self._voice.now_ms)
        asked = json.loads(self._get("lane") or "[0, 0]")
        n = asked[1] if asked[0] == hour else 0
        if n >= _LANE_PROMPTS:
            self._merge("more_lane", 1)
            return
        self._put("lane", json.dumps([hour, n + 1]))
        which, person = Lane(str(data["lane"])), people.survivor(self._tx, int(data["person"]))
        code = codes.of(self._tx, self._voice.keys, person, self._voice.now_ms)
        ready = handwords.ready(which, str(data.get("language", "en")))
        question = prompts.Question(
            kind=prompts.Kind.LANE,
            data={"person": person, "lane": which.value},
            card=announced.lane(self._voice, code, which, ready),
            reactions=(prompts.NUMBERS[0], prompts.YES, prompts.NO),
        )
        self._ask(question, wakes=which is not Lane.WRONG_NUMBER)

    def _proof(self, data: Mapping[str, Any]) -> None:
        """Somebody sent a word: if it is one of ours and in time, the room is asked."""
        table = tables.proofs
        which = sa.and_(
            table.c.hash == bytes.fromhex(str(data["word"])),
            table.c.expires_ms > self._voice.now_ms,
            # Handed out at the command line, which looks for itself.
            table.c.channel != proofs.COMMAND_LINE,
        )
        row = self._tx.execute(sa.select(table).where(which)).mappings().one_or_none()
        if row is None:
            return
        self._tx.execute(sa.delete(table).where(table.c.hash == row["hash"]))
        person = people.survivor(self._tx, int(data["person"]))
        code = codes.of(self._tx, self._voice.keys, person, self._voice.now_ms)
        kind = prompts.Kind(row["kind"])
        question = prompts.Question(
            kind=kind,
            data={"person": person},
            card=announced.proof(self._voice, code, kind, row["asked_by"]),
            asked_by=row["asked_by"],
            # Typed, always: whether the room is encrypted is not known here.
            sealed=True,
            lasts_ms=3 * prompts.LASTS_MS,
        )
        self._ask(question, only=said.Where(channel=row["channel"], room_id=row["room_id"]))

    def _ask(
        self, question: prompts.Question, *, wakes: bool = False, only: said.Where | None = None
    ) -> None:
        for where in self._rooms if only is None else [only]:
            mentions = self._on_call(where.channel) if wakes else ()
            prompts.ask(
                self._tx,
                self._voice.keys,
                where,
                question,
                now_ms=self._voice.now_ms,
                language=self._voice.core.room.language,
                mentions=mentions,
            )
        self.count += 1

    # ------------------------------------------------------------ looking around

    def bridges(self, health: Mapping[str, Any]) -> None:
        """Down for long, waiting for somebody, or back: one card each, edited."""
        now_ms = self._voice.now_ms
        for name, one in sorted(health.get("bridges", {}).items()):
            condition, detail = str(one["condition"]), str(one["detail"])
            kept: dict[str, Any] = json.loads(self._get(f"bridge:{name}") or "{}")
            if condition == "up":
                if kept.get("told"):
                    self._card(
                        f"bridge:{name}", announced.bridge(self._voice, name, "up", "", now_ms)
                    )
                    self._close(f"bridge:{name}")
                if kept:
                    self._put(f"bridge:{name}", None)
                continue
            since_ms = int(kept.get("since_ms", now_ms))
            human = condition == "needs-human"
            told = bool(kept.get("told")) or human or now_ms - since_ms >= _DOWN_MS
            if told:
                card = announced.bridge(self._voice, name, condition, detail, since_ms)
                self._card(f"bridge:{name}", card, wakes=human)
            self._put(f"bridge:{name}", json.dumps({"since_ms": since_ms, "told": told}))

    def money(self) -> None:
        """Steps of the caps, once each a period; a short runway, once a day."""
        budget, now_ms = self._voice.core.budget, self._voice.now_ms
        day = periods.day(now_ms, budget.timezone)
        for period, name, limit in (
            ("day", day, budget.cap_day_micros),
            ("month", day[:7], budget.cap_month_micros),
        ):
            if not limit:
                continue
            used = ledger.used(self._tx, f"{period}:{name}")
            reached = max((s for s in _STEPS if 100 * used >= s * limit), default=0)
            kept = json.loads(self._get(f"cap:{period}") or "[null, 0]")
            before = kept[1] if kept[0] == name else 0
            if reached > before:
                self._put(f"cap:{period}", json.dumps([name, reached]))
                card = announced.cap(self._voice, period, reached, used, limit)
                self._say(card, wakes=reached == _STEPS[-1])
        days = funds.runway(self._tx, budget, now_ms).days
        if days is not None and days < _SHORT_DAYS and self._get("runway") != day:
            self._put("runway", day)
            self._say(announced.runway(self._tx, self._voice, days))

    def digest(self) -> None:
        """Once a day, at the hour that was set."""
        zone, now_ms = self._voice.core.budget.timezone, self._voice.now_ms
        day, last = periods.day(now_ms, zone), self._get("digest")
        hour = dt.datetime.fromtimestamp(now_ms / 1000, zone).hour
        if last is None:
            # The first digest comes after a first whole day.
            self._put("digest", day)
        elif last != day and hour >= self._voice.core.room.digest_hour:
            self._put("digest", day)
            self._say(announced.digest(self._tx, self._voice))

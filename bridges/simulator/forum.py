"""Plays a made-up evening through the real intake, and keeps the outside world's own account of it.

The messages go the way of any other; what is counted here is what the senders themselves could
tell: who wrote, who got a reply. Only in the demo, whose clock can run faster: a quarter of a day
goes by in half a minute. What is waiting to be said is kept in memory, as a crowd's own intentions
are; with the process it ends.
"""

from __future__ import annotations

import asyncio
import collections
import datetime as dt
import itertools
import secrets
from typing import Final

from bot.contract import address, bridge, clock, intake, messages, money, segments
from bridges.simulator import crowd, crowd_words

DAY_SPEED: Final = 2_880.0
"""The ordinary day before: fifteen seconds. Faster, and a lease of the dispatcher is over sooner
than a busy machine has sent what it claimed."""
SPEED: Final = 720.0
"""The evening: five seconds an hour."""
BATCH: Final = 64
COUNTRY: Final = "FR"
TICK_S: Final = 0.02
RETRY_S: Final = 0.25
"""Real seconds: as often as the crowd hands in, and tries again."""
PARTS_2017: Final = 2
"""Every message was answered then, in two parts."""
LATEST_S: Final = 6_300 + 900
"""After the last message: the longest delay of a reply, and a quarter of an hour to send it."""


class BusyError(Exception):
    """One evening at a time."""


class Forum:
    """One channel's crowd: at most one evening at once, the last one remembered."""

    def __init__(self, context: bridge.Context, own: address.Address, part: money.Money) -> None:
        """`own`: where all of them write; `part`: what one part to them costs."""
        self._context, self._own, self._part = context, own, part
        self._asked = asyncio.Event()
        self._evening: crowd.Evening | None = None
        self._started_at: dt.datetime | None = None
        self._said = 0
        self._wrote_at: dict[str, dt.datetime] = {}
        self._answered: set[str] = set()
        self._spent = 0
        self._is_on = False
        self._knows_a_day = False
        self._run = ""
        self._speed = 1.0

    def start(self, kind: crowd.Kind, language: str) -> None:
        """Let it loose and hurry the clock. Raises BusyError, ValueError for a language."""
        if self._is_on:
            raise BusyError
        if language not in crowd_words.LANGUAGES:
            raise ValueError(f"language: must be one of {', '.join(crowd_words.LANGUAGES)}")
        self._evening = crowd.evening(
            kind, language, secrets.randbits(32), after_a_day=not self._knows_a_day
        )
        self._started_at = self._context.clock.now()
        self._said, self._spent, self._is_on = 0, 0, True
        self._wrote_at, self._answered = {}, set()
        self._run = secrets.token_hex(4)
        if isinstance(self._context.clock, clock.LapseClock):
            self._speed = self._context.clock.speed
        self._hurry(SPEED if self._knows_a_day else DAY_SPEED)
        self._asked.set()

    def stop(self) -> None:
        """Nobody of them writes any more; replies on their way still arrive."""
        self._end()

    def answered(self, recipient: address.Address, cost: money.Money) -> bool:
        """Note that a reply reached somebody; whether it was one of the crowd."""
        if self._evening is None or recipient.value not in self._evening.roles:
            return False
        self._answered.add(recipient.value)
        self._spent += cost.micros
        return True

    def shown(self) -> dict[str, object]:
        """What the crowd itself could tell."""
        if self._evening is None or self._started_at is None:
            return {"kind": None, "running": False}
        now = self._context.clock.now()
        total_s = self._evening.ends_s + LATEST_S
        passed_s = (now - self._started_at).total_seconds()
        return {
            "kind": self._evening.kind,
            "run": self._run,
            "running": self._is_on,
            "started_ms": clock.to_ms(self._started_at),
            "now_ms": clock.to_ms(now),
            "begins_ms": clock.to_ms(self._started_at) + round(1000 * self._evening.begins_s),
            "lasts_ms": round(1000 * total_s),
            "progress": 1.0 if not self._is_on else min(1.0, passed_s / total_s),
            "writing": self._is_on and self._said < len(self._evening.lines),
            "messages": self._said,
            "roles": {role: self._count(role, now) for role in crowd.Role},
            "currency": self._context.currency,
            "spent": money.Money(self._spent, self._context.currency).decimal(),
            "naive_2017": self._part.times(PARTS_2017 * self._said).decimal(),
        }

    def _count(self, role: crowd.Role, now: dt.datetime) -> dict[str, int]:
        """Senders of a role; `due` are those whose reply could have come by now."""
        roles = self._evening.roles if self._evening else {}
        wrote = {s: at for s, at in self._wrote_at.items() if roles[s] is role}
        latest = now - dt.timedelta(seconds=LATEST_S)
        return {
            "wrote": len(wrote),
            "due": sum(at <= latest for at in wrote.values()),
            "answered": sum(sender in self._answered for sender in wrote),
        }

    async def run(self, door: intake.Intake) -> None:
        """Play whatever is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            run = self._run
            try:
                await self._play(door)
            finally:
                # Stopped and let loose again meanwhile: that one is not over.
                if run == self._run:
                    self._end()

    async def _play(self, door: intake.Intake) -> None:
        evening, started_at, run = self._evening, self._started_at, self._run
        if evening is None or started_at is None:
            return
        lines = collections.deque(enumerate(evening.lines))
        while lines and self._is_on and run == self._run:
            passed_s = (self._context.clock.now() - started_at).total_seconds()
            await self._context.clock.sleep(
                max(TICK_S * self._speed, lines[0][1].after_s - passed_s)
            )
            if run != self._run:
                return
            passed_s = (self._context.clock.now() - started_at).total_seconds()
            due = [one for one in itertools.islice(lines, BATCH) if one[1].after_s <= passed_s]
            if not self._knows_a_day and passed_s >= evening.begins_s:
                self._knows_a_day = True
                self._hurry(SPEED)
            if due and await self._accepted(door, due, started_at, run):
                for _ in due:
                    lines.popleft()
        end = started_at + dt.timedelta(seconds=evening.ends_s + LATEST_S)
        while self._is_on and run == self._run and (now := self._context.clock.now()) < end:
            await self._context.clock.sleep(min(60.0, (end - now).total_seconds()))

    async def _accepted(
        self,
        door: intake.Intake,
        due: list[tuple[int, crowd.Line]],
        started_at: dt.datetime,
        run: str,
    ) -> bool:
        """Hand them in; nothing stored means that they try again a little later."""
        batch = [self._message(place, line, started_at, run) for place, line in due]
        try:
            await door.accept(batch)
        except intake.NotStoredError as error:
            # In hurried time what it asks for would be no time at all.
            await self._context.clock.sleep(max(error.retry_after_s, RETRY_S * self._speed))
            return False
        if run != self._run:
            return False
        for one in batch:
            self._wrote_at.setdefault(one.sender.value, one.received_at)
        self._said += len(batch)
        return True

    def _message(
        self, place: int, line: crowd.Line, started_at: dt.datetime, run: str
    ) -> messages.InboundMessage:
        return messages.InboundMessage(
            channel=self._context.channel,
            provider_id=f"forum-{run}-{place}",
            sender=address.Address(self._own.network, line.sender),
            recipient=self._own,
            received_at=started_at + dt.timedelta(seconds=line.after_s),
            text=line.text,
            kind=messages.Kind.TEXT,
            parts=segments.count(line.text).parts,
        )

    def _end(self) -> None:
        if self._is_on:
            self._is_on = False
            self._hurry(1.0)

    def _hurry(self, speed: float) -> None:
        """Unless somebody chose another speed meanwhile: theirs stays."""
        lapse = self._context.clock
        if isinstance(lapse, clock.LapseClock) and lapse.speed == self._speed:
            lapse.set_speed(speed)
            self._speed = speed

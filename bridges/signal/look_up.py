"""Who of the numbers is on Signal: only real answers are kept, and few questions are asked.

Look-ups are rationed by Signal (PROVIDERS.md: about 10 a minute, then few an hour), one repeated
costs the same again, and a failed one looks like "not registered". So: answers are kept, a "yes"
for 30 days and a "no" for 7; every batch asks for our own number too, and a "no" counts only if
that one was found; questions are rationed by minute and day; the first challenge ends them all.

Kept are keyed hashes of numbers, never the numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, bridge, clock
from bridges.signal import settings, transport

KEY: Final = "look-ups"
PAUSED_KEY: Final = "look-ups-paused"
YES_MS: Final = 30 * 86_400_000
NO_MS: Final = 7 * 86_400_000
DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
PAUSE_MS: Final = 86_400_000
KEPT: Final = 5_000
MOST_A_DAY: Final = 1_000
"""The fence behind the core's own `look_ups_per_day`, whoever asks."""

Answer = tuple[int, bool]  # until when it is kept, whether he is there


class LookUps:
    """The answers of one account, and what may still be asked. Of one event loop."""

    def __init__(
        self, chosen: settings.Settings, context: bridge.Context, asked: transport.Transport
    ) -> None:
        """Everything that matters survives a restart in `context.storage`."""
        self._settings = chosen
        self._context = context
        self._transport = asked
        self._kept: dict[str, Answer] = {}
        # Only in memory: an ACI is an address, and the number reaches him as well.
        self._acis: dict[str, str] = {}
        self._spent_ms: list[int] = []
        self._loaded = False

    def known(self, number: str) -> str | None:
        """What to send to, the ACI or the number itself, if a kept answer says he is there.

        Pure and quick; called from another thread: one look into a dictionary.
        """
        found = self._fresh(number, clock.to_ms(self._context.clock.now()))
        return self._name(number) if found is not None and found[1] else None

    async def look_up(
        self, numbers: Sequence[address.Address]
    ) -> Mapping[address.Address, address.Address | None]:
        """Kept answers, and new ones within the ration; an address left out is not known.

        Raises bridge.ChallengedError where Signal wants a captcha; nothing is asked for a day then.
        """
        await self.load()
        now_ms = clock.to_ms(self._context.clock.now())
        wanted = [one for one in dict.fromkeys(numbers) if one.network == address.SMS]
        wanted = [one for one in wanted if one.is_e164]
        fresh = [one for one in wanted if self._fresh(one.value, now_ms) is None]
        paused = await self._context.storage.get(PAUSED_KEY)
        if paused is None or now_ms >= int(paused):
            await self._ask([one.value for one in fresh][: self._room(now_ms)], now_ms)
        found: dict[address.Address, address.Address | None] = {}
        for one in wanted:
            answer = self._fresh(one.value, now_ms)
            if answer is not None:
                there = address.Address(address.SIGNAL, self._name(one.value))
                found[one] = there if answer[1] else None
        return found

    async def load(self) -> None:
        """Read what an earlier run kept; once."""
        if self._loaded:
            return
        raw = await self._context.storage.get(KEY)
        self._loaded = True
        if raw is not None:
            held = json.loads(raw)
            self._kept = {k: (v[0], v[1]) for k, v in held["kept"].items()}
            self._spent_ms = held["spent"]

    async def resume(self) -> None:
        """A captcha was solved: questions may be asked again, also by the running program."""
        await self._context.storage.put(PAUSED_KEY, None)

    async def pause(self, now_ms: int) -> None:
        """Signal challenged us, here or at a send: ask nothing for a day."""
        await self._context.storage.put(PAUSED_KEY, str(now_ms + PAUSE_MS))

    async def forget_old(self) -> None:
        """What is kept no longer goes from the store too, though nobody asks any more."""
        await self.load()
        now_ms = clock.to_ms(self._context.clock.now())
        kept = {who: answer for who, answer in self._kept.items() if answer[0] > now_ms}
        spent = [at for at in self._spent_ms if now_ms - at < DAY_MS]
        if (len(kept), len(spent)) == (len(self._kept), len(self._spent_ms)):
            return
        for who in self._kept.keys() - kept.keys():
            self._acis.pop(who, None)
        self._kept, self._spent_ms = kept, spent
        await self._save()

    async def forget(self, number: str) -> None:
        """A send has shown that a kept "yes" is wrong by now."""
        await self.load()
        self._keep(number, (clock.to_ms(self._context.clock.now()) + NO_MS, False))
        await self._save()

    def _name(self, number: str) -> str:
        return self._acis.get(self._keyed(number), number)

    def _fresh(self, number: str, now_ms: int) -> Answer | None:
        found = self._kept.get(self._keyed(number))
        return found if found is not None and found[0] > now_ms else None

    def _room(self, now_ms: int) -> int:
        """How many numbers may be asked now: one request, within the day's ration."""
        chosen = self._settings
        self._spent_ms = [at for at in self._spent_ms if now_ms - at < DAY_MS]
        minute = sum(1 for at in self._spent_ms if now_ms - at < MINUTE_MS)
        room = min(chosen.look_ups_per_minute - minute, MOST_A_DAY - len(self._spent_ms))
        return max(0, min(room, chosen.look_up_batch))

    async def _ask(self, numbers: Sequence[str], now_ms: int) -> None:
        if not numbers:
            return
        own = self._settings.number
        # Written before the question: a crash loop must not ask more than the ration (C20).
        self._spent_ms += [now_ms] * len(numbers)
        await self._save()
        try:
            found = await self._transport.search([*numbers, own])
        except transport.AwayError:
            return
        if found.limited:
            await self.pause(now_ms)
            if found.challenge is not None:
                raise bridge.ChallengedError(found.challenge)
            return
        control = found.accounts.get(own)
        sure = control is not None and control.registered
        for number in numbers:
            told = found.accounts.get(number)
            if told is not None and told.registered:
                self._keep(number, (now_ms + YES_MS, True))
                if told.aci:
                    self._acis[self._keyed(number)] = told.aci
            elif told is not None and sure:
                self._keep(number, (now_ms + NO_MS, False))
        await self._save()

    def _keep(self, number: str, answer: Answer) -> None:
        # A new dictionary: `known` may be looking into the old one from another thread.
        kept = {**self._kept, self._keyed(number): answer}
        while len(kept) > KEPT:
            oldest = next(iter(kept))
            del kept[oldest]
            self._acis.pop(oldest, None)
        self._kept = kept

    async def _save(self) -> None:
        held = {"kept": self._kept, "spent": self._spent_ms}
        anything = self._kept or self._spent_ms
        await self._context.storage.put(KEY, json.dumps(held) if anything else None)

    def _keyed(self, number: str) -> str:
        secret = self._settings.secret.encode()
        # Another purpose than the doubts': the two lists must not be joined.
        return hmac.new(secret, f"look-up {number}".encode(), hashlib.sha256).hexdigest()[:32]

"""A transport without sockets: the recorded answers, read by the same code, on a virtual clock.

Behind it is Signal with a ledger of its own: what phones got, and which receipts they will send.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import random
from collections.abc import Callable, Sequence

from bot.contract import bridge, clock
from bridges.signal import answers, transport
from tests.bridges.signal import envelopes, neighbour

LIMIT_S = 30.0
UNSURE = ("hang", "hang delivered", "cut", "cut delivered", "500", "nonsense", "failed")


@dataclasses.dataclass(frozen=True)
class Due:
    """A delivery receipt that a phone will send."""

    at_ms: int
    who: str
    timestamp: int


class Line:
    """`draw` gives the fault of each send, None for none. Implements transport.Transport."""

    kind = "webhook"
    time_limit_s = LIMIT_S

    def __init__(self, moment: clock.Clock, draw: Callable[[], str | None], seed: int = 1) -> None:
        self._clock = moment
        self.draw = draw
        self._random = random.Random(seed)
        self.got: collections.Counter[str] = collections.Counter()
        self.asked: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.receipts: list[Due] = []
        self.captchas = 0
        self._stamp = 0

    async def send(self, recipient: str, text: str) -> transport.Answer:
        fault = self.draw()
        self.asked[recipient] += 1
        self.faults[fault or "none"] += 1
        await self._clock.sleep(self._random.uniform(0.05, 1.0))
        if fault in neighbour.DELIVERED:
            self._deliver(recipient)
        if fault is None:
            told = {"timestamp": str(self._stamp)}
            body: object = [told] if self._random.random() < 0.5 else told
            return answers.of_send(201, json.dumps(body).encode(), envelopes.OURS)
        if fault.startswith("hang"):
            await self._clock.sleep(LIMIT_S)
            return answers.unsure("no answer within the time limit")
        if fault == "unregistered":
            said: object = {"error": f"The user {recipient} is not registered."}
            return answers.of_send(400, json.dumps(said).encode(), envelopes.OURS)
        if fault == "half":
            failed = {"recipients": [{"uuid": recipient, "reason": "UNREGISTERED_FAILURE"}]}
            said = [{"timestamp": "1767614400123", "errors": failed}]
            return answers.of_send(201, json.dumps(said).encode(), envelopes.OURS)
        if fault in neighbour.SAID:
            status, words = neighbour.SAID[fault]
            return answers.of_send(status, json.dumps(words).encode(), envelopes.OURS)
        return answers.of_send(500 if fault == "500" else 201, b"oops", envelopes.OURS)

    def _deliver(self, recipient: str) -> None:
        """Onto the phone; its receipt comes soon, or hours later when it was off."""
        now_ms = clock.to_ms(self._clock.now())
        self._stamp = max(now_ms, self._stamp + 1)
        self.got[recipient] += 1
        late_ms = 10_000_000 if self._random.random() < 0.2 else 5_000
        at_ms = now_ms + self._random.randrange(100, late_ms)
        self.receipts.append(Due(at_ms, recipient, self._stamp))

    def due(self) -> list[object]:
        """The receipts whose time has come, as events."""
        now_ms = clock.to_ms(self._clock.now())
        ready = [one for one in self.receipts if one.at_ms <= now_ms]
        self.receipts = [one for one in self.receipts if one.at_ms > now_ms]
        return [envelopes.receipt(one.who, one.timestamp, at_ms=one.at_ms) for one in ready]

    async def note_to_self(self, text: str) -> transport.Answer:
        return transport.Answer(verdict=transport.Verdict.TAKEN, timestamp_ms=1)

    async def receive(self, hand: transport.Hand) -> None:
        await hand([])

    async def about(self) -> transport.About:
        return transport.About(version="0.100", mode="json-rpc", accounts=1, ours=True)

    async def search(self, numbers: Sequence[str]) -> transport.Found:
        return transport.Found(accounts={})

    async def solve(self, challenge: str, captcha: str) -> bool:
        self.captchas += 1
        return challenge == neighbour.TOKEN

    async def trust(self, recipient: str) -> bool:
        return True

    async def untrusted(self) -> int:
        return 0

    async def profile_name(self) -> str | None:
        return None

    async def set_profile_name(self, name: str) -> bool:
        return True

    async def go_covert(self) -> bool:
        return True

    async def findings(self) -> Sequence[bridge.Finding]:
        return ()

    def routes(self, hand: transport.Hand) -> Sequence[bridge.Route]:
        return ()

    async def close(self) -> None:
        """Nothing is open."""

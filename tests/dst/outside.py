"""The world outside: providers that keep their own ledger of what they were given, and faults."""

from __future__ import annotations

import abc
import asyncio
import collections
import contextvars
import dataclasses
import datetime as dt
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bot.contract import address, bridge
from tests.dst import people, points, timing, wire
from tests.fakes import world

Act = Callable[[], Awaitable[object]]

FATES: Final = {
    "accepted": 0.54,
    "answer_slow": 0.05,
    "hang_after": 0.04,
    "cut_after": 0.04,
    "5xx_after": 0.03,
    "nonsense_after": 0.02,
    "hang_before": 0.03,
    "cut_before": 0.03,
    "5xx_before": 0.03,
    "absent": 0.03,
    "429": 0.05,
    "429_bare": 0.03,
    "refused": 0.05,
    "account_refused": 0.03,
}
OUT: Final = frozenset(
    {"accepted", "answer_slow", "hang_after", "cut_after", "5xx_after", "nonsense_after"}
)
CERTAIN: Final = frozenset({"absent", "429", "429_bare", "refused", "account_refused"})
"""Whoever asked was told that nothing went out."""
FINE: Final = range(200, 300)
AWAY: Final = 503
SENDING: Final = contextvars.ContextVar[list["Call"] | None]("sending", default=None)
"""The requests of the send that runs, where somebody wants to know them."""
_PATIENCE_S: Final = 15.0


@dataclasses.dataclass(slots=True, kw_only=True)
class Call:
    """One request to send, as the provider saw it. `fate` is set before it answers.

    `quote`: the most that it may bill. `price`: what it did bill. `failed`: it took it, and later
    said that it did not arrive. `repeats`: whether the provider drops a repeat by its id. `met`:
    the troubles that its news met.
    """

    channel: str
    reply_id: str
    to: address.Address
    begun: dt.datetime
    steady_s: float
    quote: int = 0
    fate: str = "cut"
    provider_id: str | None = None
    price: int | None = None
    failed: bool = False
    repeats: bool = False
    text: str = dataclasses.field(default="", repr=False)
    met: set[str] = dataclasses.field(default_factory=set)

    @property
    def taken(self) -> bool:
        """The provider took it and will bill it."""
        return self.provider_id is not None

    @property
    def maybe_out(self) -> bool:
        """It reached him, or we were not told for certain that it did not."""
        return not self.failed and self.fate not in CERTAIN


class Outside:
    """What all providers share: the ledger, the faults, the post."""

    def __init__(
        self,
        draw: random.Random,
        clock: timing.Clock,
        at: points.Points,
        later: Callable[[float, Act], None],
        routes: Callable[[str, str], bridge.AsgiApp],
    ) -> None:
        """`later(delay_s, act)` does it then; `routes(channel, path)` is our own web side."""
        self.draw, self.clock, self.points, self.later = draw, clock, at, later
        self._routes = routes
        self.calls: list[Call] = []
        self.faults: collections.Counter[str] = collections.Counter()
        # What came of them, as far as it shows at once; `felt` adds the rest at the end.
        self.effects: collections.Counter[str] = collections.Counter()
        self.calm = self.crowd = self.deadly = False
        self._taken = 0
        self._unanswered: collections.Counter[tuple[str, str]] = collections.Counter()
        self._unheard: set[tuple[str, bytes]] = set()

    def chance(self, share: float) -> bool:
        """Whether a fault of that share happens now; none do once all is calm."""
        return not self.calm and self.draw.random() < share

    def fault(self, name: str, share: float) -> bool:
        """As `chance`, counted."""
        happens = self.chance(share)
        self.faults[name] += happens
        return happens

    def written(self, letter: people.Letter) -> dt.datetime:
        """When he wrote it, by everybody else's clock."""
        return world.START + dt.timedelta(seconds=letter.at_s)

    def call(self, network: Network, reply_id: str, to: address.Address, quote: int) -> Call:
        """A request to send has come in."""
        made = Call(
            channel=network.channel,
            reply_id=reply_id,
            to=to,
            begun=self.clock.now(),
            steady_s=self.clock.monotonic(),
            quote=quote,
            repeats=network.repeats,
        )
        self.calls.append(made)
        under_way = SENDING.get()
        if under_way is not None:
            under_way.append(made)
        return made

    async def treat(self, network: Network, call: Call) -> wire.Told:
        """One request as any provider may treat it."""
        await self.points.at("send begins")
        fate = "accepted" if self.calm else points.chance(self.draw, FATES)
        if fate != "accepted":
            self.faults[fate] += 1
        if fate in OUT:
            self._taken += 1
            call.fate = fate
            call.price = call.quote if self.draw.random() < 0.8 else call.quote // 2
            network.take(call, self._taken)
            if self.chance(0.15):
                told = await network.early(call)
                self.faults["news_before_answer"] += told is not None
                self.effects["news_before_answer"] += bool(told)
            await self.points.at("send taken")
        else:
            call.fate = fate
        return await self._answer(network, call)

    async def _answer(self, network: Network, call: Call) -> wire.Told:
        match call.fate:
            case "answer_slow":
                await self.clock.sleep(self.draw.uniform(1, 9))
                await self.points.at("send answered late")
            case "hang_after" | "hang_before":
                await wire.never()
            case "cut_after" | "cut_before":
                raise wire.CutError
            case "5xx_after" | "5xx_before":
                return wire.Told(status=self.draw.choice((500, 502, 503)), raw=b"<html>sorry")
            case "nonsense_after":
                return wire.Told(raw=b"<html>fine")
            case "absent":
                raise wire.AbsentError
            case "429":
                wait_s = self.draw.choice((5, 60, 900, 7_200))
                return wire.Told(status=429, headers={"Retry-After": str(wait_s)})
            case "429_bare":
                return wire.Told(status=429)
            case "refused" | "account_refused":
                return network.refusal(of_account=call.fate == "account_refused")
        return network.good(call)

    async def question(self, name: str) -> None:
        """Something that sends nothing is asked: it may hang, fail or be cut as well."""
        await self.points.at(name)
        for kind in ("question_hangs", "question_cut", "question_absent", "look_up_limited"):
            # Whoever got no answer has outlived it, and asks again.
            self.effects[kind] += self._unanswered.pop((name, kind), 0)
        if self.fault("question_hangs", 0.01):
            self.unanswered(name, "question_hangs")
            await wire.never()
        if self.fault("question_cut", 0.03):
            self.unanswered(name, "question_cut")
            raise wire.CutError
        if self.fault("question_absent", 0.02):
            self.unanswered(name, "question_absent")
            raise wire.AbsentError

    def unanswered(self, name: str, kind: str) -> None:
        """That question got no answer."""
        self._unanswered[name, kind] += 1

    async def knock(
        self, channel: str, path: str, body: bytes, headers: dict[str, str], query: str = ""
    ) -> bool:
        """Call one of our webhooks; whether we said that it is stored, as far as they heard it."""
        status = await self.ring(channel, path, body, headers, query)
        self.effects["disk_away"] += status == AWAY
        if status not in FINE:
            return False
        if (path, body) in self._unheard:
            self._unheard.discard((path, body))
            self.effects["ack_lost"] += 1
        if self.fault("ack_lost", 0.05):
            self._unheard.add((path, body))
            return False
        return True

    async def ring(
        self, channel: str, path: str, body: bytes, headers: dict[str, str], query: str = ""
    ) -> int:
        """Call one of our webhooks; its status, 0 if nobody waited for it."""
        await self.points.at("webhook begins")
        asking = asyncio.ensure_future(
            wire.post(self._routes(channel, path), path, body, headers, query)
        )
        # Whoever gives up does not end what goes on at our side.
        await asyncio.wait({asking}, timeout=_PATIENCE_S)
        if not asking.done():
            self.faults["webhook_too_slow"] += 1
            return 0
        status = asking.result()
        await self.points.at("webhook answered")
        return status


class Network(abc.ABC):
    """One provider and our account there.

    `repeats`: it drops what it has seen. `in_hand_s`: how long the bridge itself may keep a send
    that it was given before it hands it over; what comes in that time is not asked for again, so
    it must stay below the two seconds that a pause may take (case C21).
    """

    repeats = False
    in_hand_s = 0.0

    def __init__(self, world: Outside, channel: str) -> None:
        self.world, self.channel = world, channel

    @abc.abstractmethod
    async def make(self, context: bridge.Context) -> bridge.Bridge:
        """The real bridge of a process that starts, its requests answered by this provider."""

    @abc.abstractmethod
    def take(self, call: Call, number: int) -> None:
        """Write it down, name it, and plan what will be said of it."""

    @abc.abstractmethod
    def good(self, call: Call) -> wire.Told:
        """The answer of one that was taken."""

    @abc.abstractmethod
    def refusal(self, *, of_account: bool) -> wire.Told:
        """A no, to this send or to our account."""

    @abc.abstractmethod
    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        """Somebody wrote: keep it, and bring it to us in this network's own way."""

    async def early(self, call: Call) -> bool | None:
        """The first news of it, before the answer: whether we took it; None if it tells none."""
        del call
        return None

    def bound(self, letter: people.Letter) -> bool:
        """Whether it must be stored in the end."""
        return letter.acked_s is not None or letter.handed

    def rows(self, letters: Sequence[people.Letter]) -> tuple[int, int]:
        """How many messages must be stored at the least, and at the most."""
        return sum(map(self.bound, letters)), sum(letter.handed for letter in letters)

    def read_out(self, letter: people.Letter) -> None:
        """It is told to us now: by our clock, if that is behind his, it came only now.

        A sweep's listing tells it as much as a webhook does: the program dates what it reads by the
        earlier of both clocks, and its delay counts from there (deadlines go by our wall clock).
        What is stored already is dated for good, however often and whenever it is told again.
        """
        if letter.acked_s is not None:
            return
        letter.wrote = min(letter.wrote or self.world.clock.now(), self.world.clock.now())

    def lateness(self, letter: people.Letter, least_s: float, most_s: float) -> float:
        """How long a webhook with it is under way; most are called at once."""
        if not self.world.fault("webhook_late", 0.1):
            return 0
        letter.met.add("webhook_late")
        return self.world.draw.uniform(least_s, most_s)

    def close(self) -> None:
        """Give back what it keeps on this machine."""
        del self.world

    def until(
        self,
        act: Callable[[], Awaitable[bool]],
        tries: int,
        pause_s: float,
        *,
        repeated: bool = False,
    ) -> Act:
        """Do it until it is answered well, so many times."""

        async def again() -> None:
            well = await act()
            self.world.effects["webhook_again"] += well and repeated
            if not well and tries > 1:
                self.world.faults["webhook_again"] += 1
                pause = self.world.draw.uniform(pause_s, 3 * pause_s)
                once_more = self.until(act, tries - 1, pause_s, repeated=True)
                self.world.later(pause, once_more)

        return again

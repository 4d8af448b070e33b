"""The kill -9 loop: start and kill while people write, then hold both sides' books together."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from bot.policy import decision
from tests.e2e import books, crowd, program, truth

CLIENTS: Final = 6
DELAY_S: Final = (1, 2)
_QUIET_LIMIT_S: Final = 30.0
_LAST_LIMIT_S: Final = 90.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `idempotent`: the phones drop repeats, so that a torn send may be made again.

    `server` None: a SQLite file. `meanwhile`: what else goes wrong, asked before each start while
    the program is down. `seen` is told the rounds that are done.
    """

    seed: int
    rounds: int
    idempotent: bool
    cap_day: str
    server: books.Server | None = None
    meanwhile: Callable[[random.Random], Awaitable[None]] | None = None
    seen: Callable[[int], object] = lambda _round: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run of kills is checked by. `torn`: sends that a kill met in the middle."""

    plan: Plan
    crowd: crowd.Crowd
    truth: truth.Truth
    torn: int

    def figures(self) -> dict[str, Any]:
        """As they stand in docs/reliability.md."""
        told, people = self.truth, self.crowd
        return {
            "seed": self.plan.seed,
            "kills": self.plan.rounds,
            "messages": people.acknowledged,
            "sent again by the network": people.resent,
            "repeats of acknowledged messages": people.repeated,
            "replies on phones": len(told.deliveries),
            "repeats dropped by phones": told.repeats,
            "sends torn by a kill": self.torn,
            "unknown at the end": told.states["unknown"],
        }

    def __str__(self) -> str:
        """The figures, one line."""
        told = ", ".join(f"{n} {name}" for name, n in self.figures().items())
        return f"{told}, states {dict(self.truth.states)}"


async def killed(folder: Path, plan: Plan) -> Run:
    """Start and kill, again and again; then let it finish its work and end it."""
    draw = random.Random(plan.seed)
    torn = 0
    async with program.phones(plan.seed) as phones:
        # Phones that dawdle: most kills find replies that arrived and were not recorded yet.
        dawdle_s = 0.15 if plan.idempotent else 0.4
        await phones.manner(answer_after_s=[0.0, dawdle_s], drops_repeats=plan.idempotent)
        made = program.Program(
            folder,
            phones.url,
            idempotent=plan.idempotent,
            delay_s=DELAY_S,
            cap_day=plan.cap_day,
            store_url=plan.server.url if plan.server is not None else None,
        )
        kept: books.Books = plan.server or books.File(made.database)
        async with (
            program.ended(made) as house,
            crowd.writing(house, seed=plan.seed, clients=CLIENTS) as people,
        ):
            for done in range(plan.rounds):
                await house.start()
                # One kill in five comes at any time from the very start, in mid-start-up.
                if draw.random() < 0.8:
                    await house.ready()
                await house.runs_for(draw.uniform(0.005, 0.8))
                await house.kill()
                await program.until("the end of its transactions", _quiet(kept), _QUIET_LIMIT_S)
                torn += truth.let_leases_end(kept)
                if plan.meanwhile is not None:
                    await plan.meanwhile(draw)
                plan.seen(done + 1)
            await house.start()
            await house.ready()
            people.finish()
            # First their last word, or it could come after the last reply, to nobody.
            async with asyncio.timeout(_LAST_LIMIT_S):
                await people.ended.wait()
            await program.until("the last reply", lambda: truth.settled(kept), 90)
            code, _ = await house.terminate(20)
        assert code == 0, house.said()
        assert not people.odd, people.odd[:3]
        told = await truth.read(kept, made.key_file, phones)
        return Run(plan=plan, crowd=people, truth=told, torn=torn)


def _quiet(kept: books.Books) -> Callable[[], Awaitable[bool]]:
    async def quiet() -> bool:
        return kept.quiet()

    return quiet


def check(run: Run) -> None:
    """Every promise; AssertionError names the first that was broken."""
    truth.check_stored(run.truth, run.crowd.messages)
    truth.check_phones(run.truth, run.crowd.messages, DELAY_S[0])
    truth.check_replies(run.truth)
    truth.check_money(run.truth)
    if run.plan.idempotent:
        check_repeats(run)
    else:
        check_unknowns(run)


def broken(run: Run) -> dict[str, int]:
    """How often each promise was broken, by the same two books; `check` says it in words."""
    told, people = run.truth, run.crowd.messages
    wanted = {told.keys.hash("seen", f"{m.channel}\x00{m.id}") for m in people}
    reached = collections.Counter(one["to"] for one in told.deliveries)
    first_ms: dict[str, int] = {}
    for message in people:
        first_ms.setdefault(message.sender, message.first_try_ms)
    cap_micros = int(run.plan.cap_day) * 1_000_000
    over = [n - cap_micros for scope, n in told.caps.items() if scope.startswith("day:")]
    return {
        "lost": len(wanted - told.seen) + sum(m.acknowledged_ms is None for m in people),
        "stored twice": told.inbound - len(told.seen),
        "answered twice": sum(n - 1 for n in reached.values()),
        "early": sum(
            one["at_ms"] < first_ms[one["to"]] + DELAY_S[0] * 1000 for one in told.deliveries
        ),
        "cents over": max([0, *over]) // 10_000,
    }


def check_repeats(run: Run) -> None:
    """Phones that drop repeats let a torn send be tried again, unless it was torn every time.

    Or he wrote STOP meanwhile: it may be out, so it is not cancelled and not made again.
    """
    assert set(run.truth.states) <= {"sent", "cancelled", "unknown"}
    unsure = [row for row in run.truth.replies.values() if row["state"] == "unknown"]
    worn = [row for row in unsure if row["attempts"] >= decision.ATTEMPTS]
    left = [row for row in unsure if row["opted_out_ms"] is not None]
    assert len({row["id"] for row in worn + left}) == len(unsure)
    assert run.torn, "no kill met a send: the run has shown nothing"
    assert run.truth.repeats, "no send was made again: the run has shown nothing"


def check_unknowns(run: Run) -> None:
    """Where a repeat is not certain to be dropped, what was torn is unknown and stays so."""
    assert run.torn, "no kill met a send: the run has shown nothing"
    assert run.truth.states["unknown"] == run.torn
    assert run.truth.repeats == 0
    assert set(run.truth.states) <= {"sent", "cancelled", "unknown", "held"}
    cap_micros = int(run.plan.cap_day) * 1_000_000
    days = {s: n for s, n in run.truth.caps.items() if s.startswith("day:")}
    assert all(n <= cap_micros for n in days.values()), days
    # The cap did bind; at midnight it may have been filled a second time.
    assert run.truth.states["held"] or len(days) > 1

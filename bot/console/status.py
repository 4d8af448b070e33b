"""The state of an installation at a glance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot import outbox
from bot.console import forecast, funds, holding, modes
from bot.contract import money
from bot.dispatcher import claim
from bot.policy import decision, settings
from bot.policy.lifecycle import State
from bot.store import events, tables

QUEUE: Final = (State.SCHEDULED, State.HELD, State.SENDING, State.UNKNOWN)
_BY_NETWORK: Final = ("stopped", events.CHALLENGE)
# Other counters have a colon too: receipts, quotas, savings.
_VERDICTS: Final = frozenset({*decision.Verdict, "held"})
_p = tables.persons


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """`what`: all, or a channel; `until_ms` None: until somebody resumes."""

    what: str
    by_network: bool
    until_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`mode`: its name; `present`: with its reason and figures. `replies`: sent ones.

    `decisions`: messages by what was decided and why.
    """

    now_ms: int
    mode: str
    present: modes.Present
    paused: bool
    halts: tuple[Halt, ...]
    queue: Mapping[str, int]
    next_due_ms: int | None
    bill: funds.Bill
    balance: money.Money
    runway: funds.Runway
    forecast: forecast.Forecast
    messages: int
    people: int
    replies: int
    duplicates: int
    decisions: Mapping[str, int]


def status(tx: sa.Connection, core: settings.Core, now_ms: int) -> Status:
    """Everything at once, from one snapshot."""
    counted = events.totals(tx)
    controls = events.controls(tx)
    present = modes.present(tx, now_ms)
    return Status(
        now_ms=now_ms,
        mode=present.mode,
        present=present,
        paused=claim.paused(controls, None, now_ms),
        halts=_halts(controls, now_ms),
        queue=queue(tx),
        next_due_ms=outbox.next_due(tx),
        bill=funds.bill(tx, core.budget, now_ms, counted),
        balance=funds.balance(tx, core.budget),
        runway=funds.runway(tx, core.budget, now_ms),
        forecast=forecast.forecast(tx, core.budget, now_ms),
        messages=counted.get("messages", 0),
        people=people(tx),
        replies=counted.get("sent", 0),
        duplicates=counted.get("duplicates", 0),
        decisions={
            k: n for k, n in sorted(counted.items()) if n and k.partition(":")[0] in _VERDICTS
        },
    )


def queue(tx: sa.Connection) -> dict[str, int]:
    """How many replies wait, by the indexes of the waiting states."""
    return {state.value: holding.count(tx, state) for state in QUEUE}


def people(tx: sa.Connection) -> int:
    """Persons known, each once."""
    query = sa.select(sa.func.count()).select_from(_p).where(_p.c.merged_into.is_(None))
    found: int = tx.execute(query).scalar_one()
    return found


def _halts(controls: Mapping[str, str], now_ms: int) -> tuple[Halt, ...]:
    """What is paused or stopped right now."""
    found = []
    for key, value in sorted(controls.items()):
        word, _, channel = key.partition(":")
        timed = word != events.CHALLENGE and value.isdecimal()
        over = timed and int(value) <= now_ms
        if word not in ("paused", *_BY_NETWORK) or over:
            continue
        until_ms = int(value) if timed else None
        halt = Halt(what=channel or "all", by_network=word in _BY_NETWORK, until_ms=until_ms)
        found.append(halt)
    return tuple(found)

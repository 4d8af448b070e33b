"""Commands that act at once: nothing here spends more, reveals anything, or changes a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from bot.console import clusters, funds, holding, modes, people
from bot.console.room import codes, looking
from bot.console.room.here import Answer, Here, done, line
from bot.console.room.parser import Asked
from bot.contract import money
from bot.policy.decision import Reason
from bot.policy.flood.snapshot import Mode
from bot.policy.lifecycle import State
from bot.store import tables

_r = tables.replies
_WAITS: Final = (State.HELD, State.SCHEDULED)


def pause(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Send nothing, from the very next send on."""
    if (unknown := _unknown_channel(here, asked)) is not None:
        return unknown
    until_ms = None if asked.span_s is None else here.now_ms + asked.span_s * 1000
    told = holding.pause(
        tx, now_ms=here.now_ms, who=here.who, channel=asked.channel, until_ms=until_ms
    )
    answer = done(here, told)
    if until_ms is None or answer.card is None:
        return answer
    until = here.t(f"Until {here.at(until_ms)}.", f"Jusqu'à {here.at(until_ms)}.")
    return line(" ".join((*answer.card.lines, until)))


def resume(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Send again."""
    if (unknown := _unknown_channel(here, asked)) is not None:
        return unknown
    told = holding.resume(tx, now_ms=here.now_ms, who=here.who, channel=asked.channel)
    return done(here, told)


def _unknown_channel(here: Here, asked: Asked) -> Answer | None:
    if asked.channel is None or asked.channel in here.bridges:
        return None
    names = ", ".join(sorted(here.bridges))
    return line(here.t(f"Channels are: {names}.", f"Les canaux sont : {names}."), ok=False)


def mode(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Show it, or set it for a while."""
    if not asked.word:
        return looking.mode(tx, here)
    until_ms = None if asked.span_s is None else here.now_ms + asked.span_s * 1000
    told = modes.set_mode(tx, Mode(asked.word), now_ms=here.now_ms, who=here.who, until_ms=until_ms)
    return done(here, told)


def donate(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Book it; whoever gave is not named."""
    budget = here.core.budget
    amount = money.parse(asked.amount, budget.currency)
    return done(here, funds.donate(tx, amount, budget, now_ms=here.now_ms, who=here.who))


def approve(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Let clusters and people's replies go."""
    return decide(tx, here, asked.codes, "approve")


def drop(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Cancel them."""
    return decide(tx, here, asked.codes, "drop")


def decide(tx: sa.Connection, here: Here, named: tuple[str, ...], act: str) -> Answer:
    """Both, for codes of clusters, reasons and people."""
    persons = [code for code in named if code.startswith("#")]
    found = clusters.named(tx, here.keys, codes=[code for code in named if code not in persons])
    # What waits for a person's own words is never decided by the heap.
    found = [key for key in found if key.reason != Reason.PRIORITY]
    ids = waiting(tx, here, persons)
    keys, rules, now_ms, who = here.keys, here.core.reply, here.now_ms, here.who
    told = []
    if found and act == "drop":
        told.append(clusters.drop(tx, found, keys=keys, now_ms=now_ms, who=who))
    elif found:
        told.append(clusters.approve(tx, found, keys=keys, rules=rules, now_ms=now_ms, who=who))
    if ids and act == "drop":
        told.append(holding.drop(tx, ids, keys=keys, now_ms=now_ms, who=who))
    elif ids:
        told.append(holding.approve(tx, ids, keys=keys, rules=rules, now_ms=now_ms, who=who))
    if not told:
        return line(
            here.t("Nothing is held under that name.", "Rien n'est retenu sous ce nom."), ok=False
        )
    shown = " ".join(here.w(one.said) for one in told)
    return line(shown, ok=any(one.ok for one in told))


def waiting(tx: sa.Connection, here: Here, named: list[str]) -> list[int]:
    """Automatic replies of these people that are held or scheduled."""
    owners = {codes.person(tx, code, here.now_ms) for code in named} - {None}
    query = sa.select(_r.c.id).where(
        _r.c.person_id.in_(owners), _r.c.automatic, _r.c.state.in_(_WAITS)
    )
    return list(tx.execute(query).scalars())


def block(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Never answer them again."""
    person = codes.person(tx, asked.codes[0], here.now_ms)
    if person is None:
        return looking.nobody(here)
    people.block(tx, [person], keys=here.keys, now_ms=here.now_ms, who=here.who)
    return line(here.t(f"{asked.codes[0]} is blocked.", f"{asked.codes[0]} ne recevra rien."))


def unblock(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """They may be answered again."""
    person = codes.person(tx, asked.codes[0], here.now_ms)
    if person is None:
        return looking.nobody(here)
    people.unblock(tx, [person], keys=here.keys, now_ms=here.now_ms, who=here.who)
    return line(
        here.t(f"{asked.codes[0]} is no longer blocked.", f"{asked.codes[0]} est débloqué.")
    )


Act = Callable[[sa.Connection, Here, Asked], Answer]

TABLE: Final[Mapping[str, Act]] = {
    "pause": pause,
    "resume": resume,
    "mode": mode,
    "donate": donate,
    "approve": approve,
    "drop": drop,
    "block": block,
    "unblock": unblock,
}

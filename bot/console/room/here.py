"""What an act in the room is told: who asks, where, with what right, and what is known outside."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from bot.console.results import Done, Words
from bot.console.room import cards, codes, prompts, roles, said
from bot.contract import bridge, room
from bot.policy import settings
from bot.store import vault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What was asked before the transaction. `health`: as the supervisor tells it."""

    health: Mapping[str, object] = dataclasses.field(default_factory=dict)
    image: room.Image | None = None
    solved: bool | None = None


NOTHING: Final = Outside()
HIDES_MS: Final = 300_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """`core`: as in force in this transaction, `told`: as configured.

    `sealed`: the wish came encrypted. `take`: a fresh id of a reply. `answers`: the event that is
    answered.
    """

    core: settings.Core
    told: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    present: roles.Present
    who: str
    where: said.Where
    answers: str | None
    language: str
    sealed: bool
    now_ms: int
    take: Callable[[str], int]
    outside: Outside = NOTHING

    def t(self, en: str, fr: str) -> str:
        """One language of a sentence."""
        return fr if self.language == "fr" else en

    def w(self, words: Words) -> str:
        """The same of ready words."""
        return cards.pick(words, self.language)

    def at(self, moment_ms: int | None) -> str:
        """`22.11. 14:05` in the budget's time zone, a dash for none."""
        if moment_ms is None:
            return "-"
        local = dt.datetime.fromtimestamp(moment_ms / 1000, self.core.budget.timezone)
        return local.strftime("%d.%m. %H:%M")

    def person(self, tx: sa.Connection, person_id: int) -> str:
        """Somebody's code."""
        return codes.of(tx, self.keys, person_id, self.now_ms)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said to a command, and what is asked. `ok`: whether anything was done or shown.

    `hides`: it shows somebody, so it is taken back after HIDES_MS.
    """

    card: cards.Card | None = None
    questions: tuple[prompts.Question, ...] = ()
    image: room.Image | None = None
    ok: bool = True
    hides: bool = False


def done(here: Here, result: Done) -> Answer:
    """An act's own words, and at most three of what was not done."""
    lines = [here.w(result.said)]
    if result.ok:
        lines += [here.w(one.why) for one in result.refused[:3]]
    return Answer(card=cards.Card(lines=tuple(lines)), ok=result.ok)


def line(text: str, *, ok: bool = True) -> Answer:
    """One sentence."""
    return Answer(card=cards.Card(lines=(text,)), ok=ok)

"""What the fold is told of a message, and what it need not ask: before anything is written."""

from __future__ import annotations

import dataclasses

import pytest

from bot.contract import messages
from bot.inbox import fold, load, state
from bot.policy import decision, delay, distress, lifecycle, machine
from bot.policy.distress import Lane
from bot.store import vault
from tests.bot.store import rows

pytestmark = pytest.mark.sqlite_only("no database is opened here")

CODE = "Votre code de confirmation est 482913. je vais me tuer"
DISTRESS = "je vais me tuer"


class Counted(vault.Vault):
    """A throw-away vault that counts what is drawn."""

    def __init__(self) -> None:
        super().__init__((vault._Key(1, b"1" * 32),), (vault._Key(1, b"2" * 32),))
        self.draws = 0

    def draw(self, purpose: str, value: str) -> float:
        self.draws += 1
        return super().draw(purpose, value)


def person(**changes: object) -> state.Person:
    """Somebody who wrote before and may be answered."""
    one = state.Person(
        id=1,
        created_ms=1,
        new=False,
        last_ms=1,
        blocked_until_ms=0,
        opted_out_ms=None,
        blocked_ms=None,
    )
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


def waiting(**changes: object) -> state.Waiting:
    """A reply that is in the database already."""
    one = state.Waiting(
        reply_id=3,
        state=lifecycle.State.SCHEDULED,
        first_ms=rows.NOW_MS,
        due_ms=delay.first(rows.NOW_MS, rows.CORE.reply, 0.5),
        window_ms=rows.WINDOW_MS,
    )
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


def told(
    message: messages.InboundMessage, by: state.Person, keys: vault.Vault = rows.KEYS
) -> decision.Facts:
    context = dataclasses.replace(rows.context(), keys=keys)
    (item,) = load.items(context, [message], rows.NOW_MS)
    return fold.facts(context, item, by)[0]


@pytest.mark.parametrize(
    ("by", "draws"),
    [
        (person(), 1),
        # To the very millisecond in which his window ends.
        (person(blocked_until_ms=rows.NOW_MS), 1),
        (person(blocked_until_ms=rows.NOW_MS + 1), 0),
        (person(waiting=waiting()), 0),
        (person(opted_out_ms=1), 0),
        (person(blocked_ms=1), 0),
    ],
)
def test_only_for_a_reply_a_delay_is_drawn(by: state.Person, draws: int) -> None:
    """A keyed hash each: a repeat is to cost a counter (C08)."""
    keys = Counted()
    facts = told(rows.message(), by, keys)
    assert keys.draws == draws
    assert 0 <= facts.draw < 1
    assert (facts.draw > 0) is (draws > 0)


@pytest.mark.parametrize(
    ("message", "lane"),
    [
        (rows.message("a", DISTRESS), Lane.DISTRESS),
        (rows.message("a", "salut"), None),
        (rows.message("a", CODE), None),
        (rows.message("a", DISTRESS, wish=messages.Wish.STOP), None),
        (rows.message("a", DISTRESS, wish=messages.Wish.START), None),
        (rows.message("a", CODE, wish=messages.Wish.STOP), None),
    ],
)
def test_nobody_is_asked_to_read_what_a_program_wrote_or_a_wish(
    message: messages.InboundMessage, lane: Lane | None
) -> None:
    assert distress.lane(CODE) is Lane.DISTRESS
    assert machine.kind(CODE) is not None
    assert told(message, person()).lane is lane


@pytest.mark.parametrize(
    ("at_s", "moved"),
    # Within the first minutes his reply is late enough as it is.
    [(1, False), (60, False), (3_600 + 1_600, True)],
)
@pytest.mark.case("C08")
def test_only_a_reply_that_moves_is_written_again(at_s: int, moved: bool) -> None:
    context = rows.context()
    items = load.items(context, [rows.message("a", at_s=at_s)], rows.NOW_MS)
    waits = waiting()
    owner = person(waiting=waits, blocked_until_ms=rows.WINDOW_MS)
    known = state.Known(by_hash={items[0].hashes[0][0]: 1}, persons={1: owner})
    before_ms = waits.due_ms
    _, done = fold.fold(context, items, known, context.ids.take)
    assert done == 1
    assert (waits.pushed, waits.due_ms > before_ms) == (moved, moved)

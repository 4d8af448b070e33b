"""Messages that somebody should read first, and the words that are kept for it.

Part of the fold: each message sees what those before it did. A reply that waits is held for a
moderator; for somebody whose reply went out, or is being sent, a reply is made that says nothing
until a moderator gives it words, because his address is kept nowhere else.
"""

from __future__ import annotations

from typing import Any, Final

from bot.contract import messages
from bot.inbox import state
from bot.policy import decision, language, lifecycle, numbers, texts
from bot.policy.decision import Reason, Verdict
from bot.policy.flood import topics, words
from bot.store import people

_S: Final = lifecycle.State


def row(
    context: state.Context,
    item: state.Item,
    person: state.Person,
    number: numbers.NumberFacts,
    waiting: state.Waiting,
) -> dict[str, Any]:
    """The row of a reply to this message; its reason is the caller's."""
    rules, message = context.core.reply, item.message
    return {
        "id": waiting.reply_id,
        "person_id": person.id,
        "automatic": True,
        "state": waiting.state,
        "network": message.sender.network,
        "channel": message.channel,
        "own_address": message.recipient.value,
        "country": number.region,
        "language": texts.choose_language(
            collective=rules.language,
            detected=language.detect(message.text),
            allowed=rules.languages,
        ),
        "address_enc": context.keys.seal(message.sender.value, f"replies/{waiting.reply_id}"),
        "first_ms": waiting.first_ms,
        "due_ms": waiting.due_ms,
        "window_ms": waiting.window_ms,
        "attempts": 0,
    }


def note(  # noqa: PLR0917 (the fold's own state, passed on)
    context: state.Context,
    item: state.Item,
    person: state.Person,
    lane: str,
    decided: decision.Decision,
    number: numbers.NumberFacts,
    written: state.Written,
    take: state.TakeIds,
) -> None:
    """Hold what waits for this person, or make what a moderator can answer with."""
    waiting = person.waiting
    if waiting is None or waiting.state == _S.SENDING:
        # Nothing waits that could be held.
        if decided.reason in {Reason.ANSWERED, Reason.PENDING}:
            _by_hand(context, item, person, lane, number, written, take)
    elif decided.verdict is Verdict.HOLD:
        waiting.priority = True
        _add(written, person, waiting, lane)
    elif decided.reason == Reason.PENDING and not waiting.priority:
        # Held for this reason from now on, once.
        waiting.priority = True
        waiting.state = _S.HELD
        if waiting.row is not None:
            waiting.row |= {"state": _S.HELD, "reason": Reason.PRIORITY}
        _add(written, person, waiting, lane)


def _by_hand(  # noqa: PLR0917 (the fold's own state, passed on)
    context: state.Context,
    item: state.Item,
    person: state.Person,
    lane: str,
    number: numbers.NumberFacts,
    written: state.Written,
    take: state.TakeIds,
) -> None:
    """One a person is kept; which, is decided where the others are seen."""
    made = state.Waiting(
        reply_id=take("replies"),
        state=_S.HELD,
        first_ms=item.at_ms,
        due_ms=item.at_ms,
        window_ms=0,
    )
    fresh = row(context, item, person, number, made)
    fresh |= {"automatic": False, "reason": Reason.PRIORITY}
    _add(written, person, made, lane, fresh)


def _add(
    written: state.Written,
    person: state.Person,
    waiting: state.Waiting,
    lane: str,
    made: dict[str, Any] | None = None,
) -> None:
    known = made or waiting.row
    written.lanes.append(
        state.Lane(
            person_id=person.id,
            reply_id=waiting.reply_id,
            lane=lane,
            language=known["language"] if known else None,
            row=made,
        )
    )


def kept(
    context: state.Context,
    item: state.Item,
    person: state.Person,
    decided: decision.Decision,
    lane: str | None,
) -> bytes | None:
    """The sealed words, if they may be kept: of what is held, or is about to be, or of a lane.

    Never a machine's, an opt-out's or a blocked person's: those are decided before.
    """
    message, waiting = item.message, person.waiting
    if message.kind is not messages.Kind.TEXT or not message.text:
        return None
    of_lane = lane is not None and (_open(decided) or decided.reason == Reason.ANSWERED)
    held = waiting is not None and waiting.state == _S.HELD and _open(decided)
    if not (of_lane or held or _flagged(context, decided, waiting)):
        return None
    return context.keys.seal(message.text, people.text_place(person.id, item.at_ms))


def _open(decided: decision.Decision) -> bool:
    """Whether what waits for him is about this message too."""
    return decided.verdict in {Verdict.REPLY, Verdict.HOLD} or decided.reason == Reason.PENDING


def _flagged(
    context: state.Context, decided: decision.Decision, waiting: state.Waiting | None
) -> bool:
    """Whether its topic is a new one that the flood's leader saw: it will be held when due.

    Asked of the message that the reply is to; of those after it in the same batch no more is kept
    than of those that come later.
    """
    seen = context.flood()
    made = waiting.row if waiting is not None and decided.verdict is Verdict.REPLY else None
    if made is None or not seen.flagged:
        return False
    packed = words.unpack(made["words"])
    return topics.of(packed, seen.flagged, seen.plain, seen.strong) is not None

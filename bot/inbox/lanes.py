"""Messages that somebody should read first, and the words that are kept for it.

Part of the fold: each message sees what those before it did. A reply that waits is held for a
moderator; for somebody who was answered before, a reply is made that says nothing until a
moderator gives it words, because his address is kept nowhere else.
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
    spoken = language.detect(message.text) if message.text else None
    return {
        "id": waiting.reply_id,
        "person_id": person.id,
        "automatic": True,
        "state": waiting.state,
        "reason": "",
        "network": message.sender.network,
        "channel": message.channel,
        "own_address": message.recipient.value,
        "country": number.region,
        "language": texts.choose_language(
            collective=rules.language, detected=spoken, allowed=rules.languages
        ),
        "address_enc": context.keys.seal(message.sender.value, f"replies/{waiting.reply_id}"),
        "first_ms": waiting.first_ms,
        "due_ms": waiting.due_ms,
        "window_ms": waiting.window_ms,
        "attempts": 0,
        "words": None,
        "approved": False,
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
    if decided.verdict is Verdict.HOLD and waiting is not None and waiting.row is not None:
        waiting.priority = decided.reason == Reason.PRIORITY
        _add(written, person, waiting, lane, waiting.row["language"])
    elif decided.reason == Reason.PENDING and waiting is not None:
        _aside(context, item, person, lane, waiting, written)
    elif decided.reason == Reason.ANSWERED:
        # One a person is kept; which, is decided where the others are seen.
        made = state.Waiting(
            reply_id=take("replies"),
            state=_S.HELD,
            first_ms=item.at_ms,
            due_ms=item.at_ms,
            window_ms=0,
        )
        fresh = row(context, item, person, number, made)
        fresh |= {"automatic": False, "reason": Reason.PRIORITY}
        _add(written, person, made, lane, fresh["language"], fresh)


def _aside(  # noqa: PLR0917 (the fold's own state, passed on)
    context: state.Context,
    item: state.Item,
    person: state.Person,
    lane: str,
    waiting: state.Waiting,
    written: state.Written,
) -> None:
    """A reply that waits already is held for this reason from now on, once."""
    if waiting.state == _S.SENDING or waiting.priority:
        return
    waiting.priority = True
    waiting.state = _S.HELD
    spoken = language.detect(item.message.text) or context.core.reply.language
    if waiting.row is not None:
        waiting.row |= {"state": _S.HELD, "reason": Reason.PRIORITY}
        spoken = waiting.row["language"]
    _add(written, person, waiting, lane, spoken, aside=waiting.row is None)


def _add(  # noqa: PLR0917 (one value's fields)
    written: state.Written,
    person: state.Person,
    waiting: state.Waiting,
    lane: str,
    spoken: str,
    made: dict[str, Any] | None = None,
    *,
    aside: bool = False,
) -> None:
    written.lanes.append(
        state.Lane(
            person_id=person.id,
            reply_id=waiting.reply_id,
            lane=lane,
            language=spoken,
            row=made,
            aside=aside,
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
    open_ = decided.verdict in {Verdict.REPLY, Verdict.HOLD} or decided.reason == Reason.PENDING
    held = open_ and waiting is not None and waiting.state == _S.HELD
    of_lane = lane is not None and (open_ or decided.reason == Reason.ANSWERED)
    if not (held or of_lane or (open_ and _flagged(context, waiting))):
        return None
    return context.keys.seal(message.text, people.text_place(person.id, item.at_ms))


def _flagged(context: state.Context, waiting: state.Waiting | None) -> bool:
    """Whether its topic is a new one that the flood's leader saw: it will be held when due."""
    if waiting is None or waiting.row is None or waiting.row["words"] is None:
        return False
    seen = context.flood()
    if not seen.flagged:
        return False
    packed = words.unpack(waiting.row["words"])
    return topics.of(packed, seen.flagged, seen.plain, seen.strong) is not None

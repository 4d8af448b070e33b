"""One batch, message by message, in memory: facts -> decision -> rows to write.

One batch of n gives what n batches of one give (property test): each message sees what those
before it did. Pure but for taking ids; nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bot.contract import address
from bot.inbox import lanes, signals, state
from bot.policy import decision, delay, distress, lifecycle, machine, numbers
from bot.policy.decision import Verdict
from bot.store import ratios

_DAY_MS: Final = 86_400_000
_NO_NUMBER: Final = numbers.NumberFacts(
    e164=None, region=None, number_type=numbers.NumberType.OTHER, valid=False
)

TakeIds = state.TakeIds


def fold(
    context: state.Context, batch: Sequence[state.Item], known: state.Known, take: TakeIds
) -> tuple[state.Written, int]:
    """Decide messages in order until the batch ends, or until one joins two known persons.

    Returns what to write and how many messages were folded; if fewer than all, the next one
    needs a merge first.
    """
    written = state.Written()
    for done, item in enumerate(batch):
        owners = known.owners(item)
        if len(owners) > 1:
            return written, done
        person = owners[0] if owners else _person(item, known, take)
        _identify(item, person, known, written)
        _one(context, item, person, written, take)
    return written, len(batch)


def _person(item: state.Item, known: state.Known, take: TakeIds) -> state.Person:
    person = state.Person(
        id=take("persons"),
        created_ms=item.at_ms,
        new=True,
        last_ms=item.at_ms,
        blocked_until_ms=0,
        opted_out_ms=None,
        blocked_ms=None,
    )
    known.persons[person.id] = person
    return person


def _identify(
    item: state.Item, person: state.Person, known: state.Known, written: state.Written
) -> None:
    """Each address of the message leads to this person, under the newest key."""
    for ring in item.hashes:
        if ring[0] not in known.by_hash:
            known.by_hash[ring[0]] = person.id
            written.identities.append({"hash": ring[0], "person_id": person.id})


def facts(
    context: state.Context, item: state.Item, person: state.Person
) -> tuple[decision.Facts, numbers.NumberFacts]:
    """All that decides about this message."""
    message = item.message
    number, ineligible = _number(context, message.sender)
    wish, text = item.wish, message.text
    # Known silences are the cheapest: of whom nothing is sent to nothing else is read.
    unwanted = person.opted_out_ms is not None or person.blocked_ms is not None
    settled = unwanted and wish is None
    by_machine = not settled and bool(text) and machine.kind(text) is not None
    lane = None if settled or by_machine or wish is not None else distress.lane(text)
    silent = settled or person.waiting is not None or person.blocked_until_ms > item.at_ms
    return (
        decision.Facts(
            at_ms=item.at_ms,
            kind=message.kind,
            wish=wish,
            machine=by_machine,
            lane=lane,
            proof=item.proof is not None,
            ineligible=ineligible,
            opted_out=person.opted_out_ms is not None,
            blocked=person.blocked_ms is not None,
            blocked_until_ms=person.blocked_until_ms,
            pending=person.waiting is not None,
            # Who gets no reply needs no delay.
            draw=0.0 if silent else context.keys.draw("delay", item.fresh[0].hex()),
            release=message.channel in context.core.reply.release_channels,
        ),
        number,
    )


def _number(
    context: state.Context, sender: address.Address
) -> tuple[numbers.NumberFacts, str | None]:
    if (sender.network, sender.value) in context.own:
        return _NO_NUMBER, numbers.Ineligible.OWN_NUMBER
    if sender.network != address.SMS:
        return _NO_NUMBER, None
    number = numbers.read(sender.value)
    who = context.core.who
    return number, numbers.eligible(
        number, countries=context.countries, own=who.own, answer_fiction=who.answer_fiction
    )


def _one(
    context: state.Context,
    item: state.Item,
    person: state.Person,
    written: state.Written,
    take: TakeIds,
) -> None:
    known_facts, number = facts(context, item, person)
    decided = decision.decide(known_facts, context.core.reply)
    person.added += 1
    person.last_ms = max(person.last_ms, item.at_ms)
    if decided.verdict in (Verdict.REPLY, Verdict.HOLD):
        _reply(context, item, person, decided, number, written, take)
    elif decided.verdict is Verdict.OPT_OUT:
        _opt_out(item, person, written)
    elif decided.reason == decision.Reason.START:
        # One that was said before the STOP and came after it (a sweep) undoes nothing.
        if person.opted_out_ms is not None and item.at_ms > person.opted_out_ms:
            person.opted_out_ms = None
    elif decided.reason == decision.Reason.PENDING and person.waiting is not None:
        _again(context, item, person.waiting)
    elif decided.reason == decision.Reason.PROOF:
        written.proofs.append((person.id, item.proof or ""))
    if known_facts.lane is not None:
        lanes.note(context, item, person, known_facts.lane, decided, number, written, take)
    sealed = lanes.kept(context, item, person, decided, known_facts.lane)
    _record(context, item, person, decided, number, written, sealed)


def _reply(  # noqa: PLR0917 (the fold's own state, passed on)
    context: state.Context,
    item: state.Item,
    person: state.Person,
    decided: decision.Decision,
    number: numbers.NumberFacts,
    written: state.Written,
    take: TakeIds,
) -> None:
    rules = context.core.reply
    reply_id = take("replies")
    due_ms = decided.due_ms or item.at_ms
    held = decided.verdict is Verdict.HOLD
    waiting = state.Waiting(
        reply_id=reply_id,
        state=lifecycle.State.HELD if held else lifecycle.State.SCHEDULED,
        first_ms=item.at_ms,
        due_ms=due_ms,
        window_ms=due_ms + rules.window_days * _DAY_MS,
    )
    waiting.row = lanes.row(context, item, person, number, waiting) | {
        "reason": decided.reason,
        "words": signals.note(context, item, written),
    }
    written.replies.append(waiting.row)
    person.waiting = waiting
    person.blocked_until_ms = waiting.window_ms


def _again(context: state.Context, item: state.Item, waiting: state.Waiting) -> None:
    """He goes on writing: the reply waits a little longer, within its range."""
    if waiting.state == lifecycle.State.SENDING:
        return
    later_ms = delay.again(waiting.first_ms, waiting.due_ms, item.at_ms, context.core.reply)
    if later_ms > waiting.due_ms:
        waiting.due_ms = later_ms
        waiting.pushed = waiting.row is None
        if waiting.row is not None:
            waiting.row["due_ms"] = later_ms


def _opt_out(item: state.Item, person: state.Person, written: state.Written) -> None:
    if person.opted_out_ms is None:
        person.opted_out_ms = item.at_ms
        written.optouts += 1
    waiting = person.waiting
    if waiting is None or waiting.state == lifecycle.State.SENDING:
        return
    if person.blocked_until_ms == waiting.window_ms and not waiting.again:
        person.blocked_until_ms = 0
    if waiting.row is not None:
        waiting.row["state"] = lifecycle.State.CANCELLED
        waiting.row["reason"] = decision.Reason.OPTED_OUT
        waiting.row["address_enc"] = None
    else:
        person.cancelled.append(waiting)
    person.waiting = None


def _record(  # noqa: PLR0917 (the fold's own state, passed on)
    context: state.Context,
    item: state.Item,
    person: state.Person,
    decided: decision.Decision,
    number: numbers.NumberFacts,
    written: state.Written,
    sealed: bytes | None,
) -> None:
    message = item.message
    waiting = person.waiting
    row: dict[str, Any] = {
        "person_id": person.id,
        "channel": message.channel,
        "network": message.sender.network,
        "kind": message.kind,
        "received_ms": item.at_ms,
        "decision": decided.verdict,
        "reason": decided.reason,
        "reply_id": waiting.reply_id if waiting else None,
        "first": person.new and person.added == 1,
        "length": len(message.text),
        "parts": message.parts,
        "country": number.region,
        "number_type": number.number_type if number is not _NO_NUMBER else None,
        "prefix": (
            context.keys.hash("prefix", numbers.prefix(number.e164)) if number.e164 else None
        ),
        "text_enc": sealed,
    }
    written.inbound.append(row)
    name = f"{decided.verdict}:{decided.reason}"
    written.counts[name] = written.counts.get(name, 0) + 1
    written.counts["messages"] = written.counts.get("messages", 0) + 1
    quota = context.core.budget.quotas.get(message.channel)
    if quota is not None and quota.sent_per_received is not None:
        name = ratios.received(message.channel)
        written.counts[name] = written.counts.get(name, 0) + 1
    if message.cost is not None:
        key = (message.channel, message.cost.currency)
        written.costs[key] = written.costs.get(key, 0) + message.cost.micros

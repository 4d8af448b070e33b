"""The claim: what is due is decided again, routed, and its money reserved, in one transaction."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import address, bridge, clock, messages
from bot.dispatcher.moves import Moves, Pace
from bot.policy import decision, delay, routing, settings, texts
from bot.policy.decision import Reason, Step
from bot.policy.flood import byhand, pacing, snapshot, topics, words
from bot.policy.lifecycle import State
from bot.store import events, vault

LEASE_MS: Final = 180_000
_LATER_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
FOREVER: Final = "forever"
CHALLENGE: Final = "challenge"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What claiming is told once. `ask`: a bridge's quote, None if it does not reach him."""

    core: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    fed: Callable[[str], bool]
    pace: Pace
    ask: Callable[[bridge.Bridge, address.Address, str], messages.Quote | None]
    flood: Callable[[], snapshot.Snapshot] = lambda: snapshot.CALM


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One reply that is `sending` now, with all that recording its end needs.

    `torn`: it was handed over before and may be out, so it never goes back to `scheduled`.
    """

    id: int
    person_id: int
    window_ms: int
    due_ms: int
    automatic: bool
    channel: str
    outbound: messages.OutboundReply
    reservation: ledger.Reservation
    attempts: int
    torn: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """`moved`: how many due replies changed in any way."""

    moved: int
    sends: Sequence[Claim] = ()


@dataclasses.dataclass(slots=True, kw_only=True)
class _Ready:
    """A reply that is to be sent, with its route."""

    reply: outbox.DueReply
    recipient: address.Address
    text: str
    offer: routing.Offer
    request: ledger.Request


def paused(controls: Mapping[str, str], channel: str | None, now_ms: int) -> bool:
    """Whether a moderator paused everything, or this channel, or it was stopped or waits for one.

    The value of a challenge is its token, whatever it looks like; only a moderator ends it.
    """
    if channel is not None and f"{CHALLENGE}:{channel}" in controls:
        return True
    names = ["paused"]
    if channel is not None:
        names += [f"paused:{channel}", f"stopped:{channel}"]
    return any(
        name in controls and (controls[name] == FOREVER or now_ms < _until(controls[name]))
        for name in names
    )


def _until(value: str) -> int:
    """A time in milliseconds; anything else counts as for ever (fail closed)."""
    return int(value) if value.isdecimal() else 1 << 62


def claim(tx: sa.Connection, *, plan: Plan, now_ms: int, limit: int) -> Claimed:
    """Take up to `limit` due replies; those to be sent are `sending` when this commits."""
    controls = events.controls(tx)
    if paused(controls, None, now_ms):
        return Claimed(moved=0)
    due = outbox.load_due(tx, now_ms, limit)
    moves = Moves(now_ms)
    plan.pace.begin(now_ms)
    usable = {n for n in plan.bridges if plan.fed(n) and not paused(controls, n, now_ms)}
    ready: list[_Ready] = []
    seen = byhand.seen(plan.flood(), controls, now_ms)
    for reply in due:
        facts = _facts(reply, plan.core, seen, now_ms)
        step = decision.decide_due(facts, plan.core.reply)
        if step.step is Step.HOLD:
            moves.hold(reply, step.reason, topic=facts.topic)
        elif step.step is not Step.SEND:
            moves.add(reply, step)
        elif reply.channel not in usable:
            moves.later(reply, now_ms + _LATER_MS)
        else:
            _route(reply, plan, usable, now_ms, moves, ready)
    ready = _free(ready, seen, moves)
    ready = _in_turn(tx, ready, plan, moves, seen=seen, now_ms=now_ms)
    sends = _reserve(tx, ready, plan, now_ms, moves)
    moves.write(tx)
    return Claimed(moved=len(due), sends=sends)


def _facts(
    reply: outbox.DueReply, core: settings.Core, seen: snapshot.Snapshot, now_ms: int
) -> decision.DueFacts:
    # Spread by the reply's own number: any even spread will do in the morning.
    draw = (reply.id * 2_654_435_761 % (1 << 32)) / (1 << 32)
    return decision.DueFacts(
        now_ms=now_ms,
        first_ms=reply.first_ms,
        automatic=reply.automatic,
        opted_out=reply.opted_out_ms is not None,
        blocked=reply.blocked_ms is not None,
        night_ends_ms=delay.after_night(now_ms, core.reply, core.budget.timezone, draw),
        topic=_topic(reply, seen),
        approved=reply.approved,
        mode_holds=seen.mode in byhand.HOLDING,
        superseded=reply.superseded,
    )


def _free(ready: list[_Ready], seen: snapshot.Snapshot, moves: Moves) -> list[_Ready]:
    """In the mode that spends nothing: what costs something waits for the mode's end."""
    if seen.mode is not snapshot.Mode.FREE_ONLY:
        return ready
    go: list[_Ready] = []
    for one in ready:
        if one.offer.micros and one.reply.automatic and not one.reply.approved:
            moves.hold(one.reply, Reason.MODE, quoted_micros=one.offer.micros)
        else:
            go.append(one)
    return go


def _topic(reply: outbox.DueReply, seen: snapshot.Snapshot) -> int | None:
    if not seen.flagged:
        return None
    return topics.of(words.unpack(reply.words), seen.flagged, seen.plain, seen.strong)


def _in_turn(
    tx: sa.Connection,
    ready: list[_Ready],
    plan: Plan,
    moves: Moves,
    *,
    seen: snapshot.Snapshot,
    now_ms: int,
) -> list[_Ready]:
    """Those whose turn it is by the day's pacing, the most credible first; the others are held.

    Without a day's cap, and for what costs nothing, it is everybody's turn.
    """
    budget = plan.core.budget
    cap = budget.cap_day_micros
    if cap is None or not plan.core.flood.pacing or not any(one.offer.micros for one in ready):
        return ready
    used = ledger.used(tx, f"day:{ledger.period(budget, now_ms)[:10]}")
    local = dt.datetime.fromtimestamp(now_ms / 1000, budget.timezone)
    go: list[_Ready] = []
    doubt = {one.reply.id: seen.in_surge(one.reply.first_ms) for one in ready}
    for one in sorted(ready, key=lambda o: (doubt[o.reply.id], o.reply.first_ms, o.reply.id)):
        allowed = pacing.allowance(
            cap_micros=cap,
            used_micros=used,
            usual=seen.usual,
            hour=local.hour,
            share_left=1 - local.minute / 60,
            price_micros=one.offer.micros,
            keep=pacing.DOUBTFUL if doubt[one.reply.id] else pacing.CREDIBLE,
        )
        if one.offer.micros and one.offer.micros > allowed and not one.reply.approved:
            moves.hold(one.reply, Reason.PACE, quoted_micros=one.offer.micros)
        else:
            used += one.offer.micros
            go.append(one)
    return go


def _route(  # noqa: PLR0917 (the claim's own state, passed on)
    reply: outbox.DueReply,
    plan: Plan,
    usable: AbstractSet[str],
    now_ms: int,
    moves: Moves,
    ready: list[_Ready],
) -> None:
    try:
        value = plan.keys.open(reply.address_enc, outbox.place(reply.id))
        text = wording(reply.id, reply.text_enc, reply.language, reply.own_address, plan)
    except vault.SealedError:
        # One row that does not open must not stop all others; a moderator sees it.
        moves.hold(reply, Reason.SEALED)
        return
    recipient = address.Address(reply.network, value)
    offers, told = _offers(reply, recipient, text, plan, usable)
    budget, rules = plan.core.budget, plan.core.reply
    offer = routing.choose(
        offers, written_to=reply.channel, rules=rules, ceiling_micros=budget.price_ceiling_micros
    )
    if offer is None:
        reason = Reason.TOO_DEAR if offers else Reason.NO_ROUTE
        moves.add(reply, decision.Due(step=Step.CANCEL, reason=reason))
        return
    wait_ms = plan.pace.wait_ms(offer.channel, offer.parts)
    if wait_ms:
        moves.later(reply, now_ms + wait_ms)
        return
    request = ledger.Request(
        reply_id=reply.id,
        channel=offer.channel,
        country=reply.country,
        amount=told[offer.channel],
        parts=offer.parts,
    )
    ready.append(_Ready(reply=reply, recipient=recipient, text=text, offer=offer, request=request))


def wording(
    reply_id: int, text_enc: bytes | None, language: str, own_address: str, plan: Plan
) -> str:
    """A hand-written text, else the operator's, else the default of its language."""
    if text_enc is not None:
        return plan.keys.open(text_enc, outbox.place(reply_id))
    rules = plan.core.reply
    if rules.route != settings.ROUTE_SAME:
        return texts.with_address(language, own_address, rules.tone)
    own = rules.texts.get(language)
    return own if own is not None else texts.text(language, rules.tone)


def _offers(
    reply: outbox.DueReply,
    recipient: address.Address,
    text: str,
    plan: Plan,
    usable: AbstractSet[str],
) -> tuple[list[routing.Offer], dict[str, ledger.Amount]]:
    offers: list[routing.Offer] = []
    told: dict[str, ledger.Amount] = {}
    same = plan.core.reply.route == settings.ROUTE_SAME
    for name in (reply.channel,) if same else plan.bridges:
        way = plan.bridges.get(name)
        if way is None or name not in usable:
            continue
        quote = plan.ask(way, recipient, text)
        # An unknown currency fails closed: no rate, no offer.
        amount = ledger.convert(plan.core.budget, quote.price) if quote is not None else None
        if quote is None or amount is None:
            continue
        own = reply.own_address if name == reply.channel else _own(way)
        if own is not None:
            told[name] = amount
            offers.append(
                routing.Offer(
                    channel=name, own_address=own, micros=amount.micros, parts=quote.parts
                )
            )
    return offers, told


def _own(way: bridge.Bridge) -> str | None:
    return next((a.address.value for a in way.addresses if a.state is bridge.State.OFFERED), None)


def _reserve(
    tx: sa.Connection, ready: list[_Ready], plan: Plan, now_ms: int, moves: Moves
) -> list[Claim]:
    if not ready:
        return []
    core = plan.core
    answers = ledger.reserve(tx, [one.request for one in ready], core.budget, now_ms)
    period = ledger.period(core.budget, now_ms)
    until_ms = now_ms + core.reply.window_days * _DAY_MS
    claims, rows, windows = [], [], []
    for one, refusal in zip(ready, answers, strict=True):
        if refusal is not None:
            moves.hold(one.reply, refusal, quoted_micros=one.offer.micros)
            continue
        reply = one.reply
        window_ms = until_ms if reply.automatic else reply.window_ms
        rows.append(_sending(one, period, window_ms, now_ms))
        if reply.automatic:
            windows.append((reply.person_id, reply.window_ms, until_ms))
        claims.append(_claim(one, plan, period, window_ms))
    outbox.move(tx, State.SCHEDULED, State.SENDING, rows)
    outbox.take_windows(tx, windows)
    return claims


def _sending(one: _Ready, period: str, window_ms: int, now_ms: int) -> dict[str, Any]:
    return {
        "id": one.reply.id,
        "channel": one.offer.channel,
        "own_address": one.offer.own_address,
        "attempts": one.reply.attempts + 1,
        "lease_until_ms": now_ms + LEASE_MS,
        "started_ms": now_ms,
        "window_ms": window_ms,
        "parts": one.offer.parts,
        "reserved_micros": one.offer.micros,
        "period": period,
    }


def _claim(one: _Ready, plan: Plan, period: str, window_ms: int) -> Claim:
    reply = one.reply
    network = plan.bridges[one.offer.channel].network
    return Claim(
        id=reply.id,
        person_id=reply.person_id,
        window_ms=window_ms,
        due_ms=reply.due_ms,
        automatic=reply.automatic,
        channel=one.offer.channel,
        outbound=messages.OutboundReply(
            reply_id=outbox.key(plan.keys, reply.id),
            channel=one.offer.channel,
            sender=address.Address(network, one.offer.own_address),
            recipient=one.recipient,
            text=one.text,
            valid_until=clock.from_ms(decision.expires_ms(reply.first_ms, plan.core.reply)),
        ),
        reservation=ledger.Reservation(
            reply_id=reply.id,
            channel=one.offer.channel,
            country=reply.country,
            micros=one.offer.micros,
            parts=one.offer.parts,
            period=period,
        ),
        attempts=reply.attempts + 1,
    )

"""The claim: what is due is decided again, routed, and its money reserved, in one transaction."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import ledger, outbox
from bot.contract import address, bridge, clock, messages
from bot.dispatcher.moves import Moves, Pace
from bot.dispatcher.routes import Ask, Ready, Routes, scarce_use
from bot.dispatcher.savings import Savings
from bot.policy import decision, delay, overrides, settings
from bot.policy.decision import Reason, Step
from bot.policy.flood import byhand, opinions, pacing, snapshot, topics, words
from bot.policy.lifecycle import State
from bot.store import events, vault

LEASE_MS: Final = 180_000
_LATER_MS: Final = 60_000
# Longer than this nobody waits for a slow channel while another one has room.
_PATIENCE_MS: Final = 600_000
_DAY_MS: Final = 86_400_000
FOREVER: Final = "forever"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What claiming is told once. `ask`: a bridge's quote, None if it does not reach him."""

    core: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    fed: Callable[[str], bool]
    pace: Pace
    savings: Savings
    ask: Ask
    flood: Callable[[], snapshot.Snapshot] = lambda: snapshot.CALM


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One reply that is `sending` now, with all that recording its end needs.

    `torn`: it was handed over before and may be out, so it never goes back to `scheduled`.
    `moved_from`: the channel and address he wrote to, if it goes out from another; `refused`:
    channels that refused it for good; `lease_until_ms`: from then on it is others' to settle.
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
    lease_until_ms: int
    moved_from: tuple[str, str] | None = None
    refused: frozenset[str] = frozenset()
    torn: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """`moved`: how many due replies changed in any way."""

    moved: int
    sends: Sequence[Claim] = ()


def paused(controls: Mapping[str, str], channel: str | None, now_ms: int) -> bool:
    """Whether a moderator paused everything, or this channel, or it was stopped or waits for one.

    The value of a challenge is its token, whatever it looks like; only a moderator ends it.
    """
    if channel is not None and f"{events.CHALLENGE}:{channel}" in controls:
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


def under(plan: Plan, controls: Mapping[str, str]) -> Plan:
    """The plan with what moderators changed of texts and caps."""
    core = overrides.core(plan.core, controls)
    return plan if core is plan.core else dataclasses.replace(plan, core=core)


def claim(tx: sa.Connection, *, plan: Plan, now_ms: int, limit: int) -> Claimed:
    """Take up to `limit` due replies; those to be sent are `sending` when this commits."""
    controls = events.controls(tx)
    if paused(controls, None, now_ms):
        return Claimed(moved=0)
    plan = under(plan, controls)
    due = outbox.load_due(tx, now_ms, limit)
    moves = Moves(now_ms)
    plan.pace.begin(now_ms)
    usable = {n for n in plan.bridges if plan.fed(n) and not paused(controls, n, now_ms)}
    routes = Routes.of(
        tx, plan.core, plan.keys, plan.bridges, plan.ask, usable, plan.savings, now_ms
    )
    same = plan.core.reply.route == settings.ROUTE_SAME
    ready: list[Ready] = []
    doubted: list[int] = []
    seen = byhand.seen(plan.flood(), controls, now_ms)
    restored_ms = events.restored_ms(controls)
    for reply in due:
        facts = _facts(reply, plan.core, seen, now_ms, restored_ms)
        step = decision.decide_due(facts, plan.core.reply)
        if step.step is Step.HOLD:
            moves.hold(reply, step.reason, topic=facts.topic)
            if step.reason == Reason.RESTORED:
                doubted.append(reply.id)
        elif step.step is not Step.SEND:
            moves.add(reply, step)
        elif not usable or (same and reply.written_to[0] not in usable):
            moves.later(reply, now_ms + _LATER_MS)
        else:
            _route(reply, routes, moves, ready, now_ms)
    sends = _by_their_ways(tx, ready, plan, seen, now_ms, moves)
    outbox.keep_windows(tx, doubted)
    moves.write(tx)
    return Claimed(moved=len(due), sends=sends)


def _by_their_ways(  # noqa: PLR0917 (the claim's own state, passed on)
    tx: sa.Connection,
    ready: list[Ready],
    plan: Plan,
    seen: snapshot.Snapshot,
    now_ms: int,
    moves: Moves,
) -> list[Claim]:
    """Reserve each by its first way; those without room there try their next, till none is left."""
    claims: list[Claim] = []
    counts = moves.counts
    # What a scarce quota saves most goes first; without a choice the order stays.
    ready = sorted(ready, key=lambda one: -one.saving)
    ways = {one.reply.id: one.ways for one in ready}
    while ready:
        go = _free(ready, seen, moves)
        # A way that has to wait may have given place to one that costs something.
        go = _free(_paced(go, plan, moves, now_ms), seen, moves)
        go = _in_turn(tx, go, plan, moves, seen=seen, now_ms=now_ms)
        sent, ready = _reserve(tx, go, plan, now_ms, moves)
        claims += sent
        reserved = {claim.id for claim in sent}
        for one in go:
            if one.reply.id in reserved:
                for name, n in scarce_use(one, ways[one.reply.id], plan.savings).items():
                    counts[name] = counts.get(name, 0) + n
    return claims


def _paced(ready: list[Ready], plan: Plan, moves: Moves, now_ms: int) -> list[Ready]:
    """Those that their channels' rates let go now; the others wait, or go another way."""
    go: list[Ready] = []
    for one in ready:
        while wait_ms := plan.pace.wait_ms(one.offer.channel, one.offer.parts):
            if wait_ms < _PATIENCE_MS or not one.otherwise():
                moves.later(one.reply, now_ms + wait_ms)
                break
        else:
            go.append(one)
    return go


def _facts(
    reply: outbox.DueReply,
    core: settings.Core,
    seen: snapshot.Snapshot,
    now_ms: int,
    restored_ms: int,
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
        restored=reply.first_ms < restored_ms,
        erased=reply.address_enc is None,
    )


def _free(ready: list[Ready], seen: snapshot.Snapshot, moves: Moves) -> list[Ready]:
    """In the mode that spends nothing: what costs something waits for the mode's end."""
    if seen.mode is not snapshot.Mode.FREE_ONLY:
        return ready
    go: list[Ready] = []
    for one in ready:
        quoted = one.offer.micros
        if not one.reply.automatic or one.reply.approved or one.for_nothing():
            go.append(one)
        else:
            moves.hold(one.reply, Reason.MODE, quoted_micros=quoted)
    return go


def _topic(reply: outbox.DueReply, seen: snapshot.Snapshot) -> int | None:
    if not seen.flagged:
        return None
    return topics.of(words.unpack(reply.words), seen.flagged, seen.plain, seen.strong)


def _in_turn(
    tx: sa.Connection,
    ready: list[Ready],
    plan: Plan,
    moves: Moves,
    *,
    seen: snapshot.Snapshot,
    now_ms: int,
) -> list[Ready]:
    """Those whose turn it is by the day's pacing, the most credible first; the others are held.

    Without a day's cap, and for what costs nothing, it is everybody's turn.
    """
    budget = plan.core.budget
    cap = budget.cap_day_micros
    if cap is None or not plan.core.flood.pacing or not any(one.offer.micros for one in ready):
        return ready
    scope = f"day:{ledger.period(budget, now_ms)[:10]}"
    used = ledger.used(tx, scope) + moves.till.get(scope, (0, 0))[0]
    local = dt.datetime.fromtimestamp(now_ms / 1000, budget.timezone)
    go: list[Ready] = []
    doubt = {
        one.reply.id: seen.in_surge(one.reply.first_ms) and one.reply.opinion != opinions.REAL
        for one in ready
    }
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
        quoted = one.offer.micros
        if not quoted or quoted <= allowed or one.reply.approved:
            used += quoted
            go.append(one)
        elif not one.for_nothing():
            moves.hold(one.reply, Reason.PACE, quoted_micros=quoted)
        elif wait_ms := plan.pace.wait_ms(one.offer.channel, one.offer.parts):
            moves.later(one.reply, now_ms + wait_ms)
        else:
            go.append(one)
    return go


def _route(
    reply: outbox.DueReply, routes: Routes, moves: Moves, ready: list[Ready], now_ms: int
) -> None:
    try:
        value = routes.keys.open(reply.address_enc, outbox.place(reply.id))
        recipient = address.Address(reply.network, value)
        ways, dear = routes.find(reply, recipient)
    except vault.SealedError:
        # One row that does not open must not stop all others; a moderator sees it.
        moves.hold(reply, Reason.SEALED)
        return
    if not ways and routes.waits(reply):
        moves.later(reply, now_ms + _LATER_MS)
        return
    if not ways:
        reason = Reason.TOO_DEAR if dear else Reason.NO_ROUTE
        moves.add(reply, decision.Due(step=Step.CANCEL, reason=reason))
        return
    ready.append(Ready(reply=reply, recipient=recipient, ways=ways))


def _reserve(
    tx: sa.Connection, ready: list[Ready], plan: Plan, now_ms: int, moves: Moves
) -> tuple[list[Claim], list[Ready]]:
    """What is `sending` when this commits, and what turns to its next way."""
    if not ready:
        return [], []
    core = plan.core
    requests = [one.request for one in ready]
    later = [request for one in ready for request in one.others]
    answers = ledger.reserve(tx, requests, core.budget, now_ms, moves.till, later=later)
    period = ledger.period(core.budget, now_ms)
    until_ms = now_ms + core.reply.window_days * _DAY_MS
    claims, rows, windows, others = [], [], [], []
    for one, refusal in zip(ready, answers, strict=True):
        if refusal is not None:
            quoted = one.offer.micros
            if one.otherwise():
                others.append(one)
            else:
                moves.hold(one.reply, refusal, quoted_micros=quoted)
            continue
        reply = one.reply
        window_ms = until_ms if reply.automatic else reply.window_ms
        rows.append(_sending(one, period, window_ms, now_ms))
        if reply.automatic:
            windows.append((reply.person_id, reply.window_ms, until_ms))
        claims.append(_claim(one, plan, period, window_ms, now_ms + LEASE_MS))
    outbox.move(tx, State.SCHEDULED, State.SENDING, rows)
    outbox.take_windows(tx, windows)
    return claims, others


def _sending(one: Ready, period: str, window_ms: int, now_ms: int) -> dict[str, Any]:
    moved, offer = one.moved_from, one.offer
    return {
        "id": one.reply.id,
        "channel": offer.channel,
        "own_address": offer.own_address,
        "attempts": one.reply.attempts + 1,
        "lease_until_ms": now_ms + LEASE_MS,
        "started_ms": now_ms,
        "window_ms": window_ms,
        "parts": offer.parts,
        "reserved_micros": offer.micros,
        "period": period,
        # A later attempt is billed by itself.
        "price_micros": None,
        "provider_id": None,
        "written_channel": moved[0] if moved else None,
        "written_address": moved[1] if moved else None,
    }


def _claim(one: Ready, plan: Plan, period: str, window_ms: int, lease_until_ms: int) -> Claim:
    reply, offer = one.reply, one.offer
    network = plan.bridges[offer.channel].network
    return Claim(
        id=reply.id,
        person_id=reply.person_id,
        window_ms=window_ms,
        due_ms=reply.due_ms,
        automatic=reply.automatic,
        channel=offer.channel,
        outbound=messages.OutboundReply(
            reply_id=outbox.key(plan.keys, reply.id),
            channel=offer.channel,
            sender=address.Address(network, offer.own_address),
            recipient=one.recipient,
            text=one.text,
            valid_until=clock.from_ms(decision.expires_ms(reply.first_ms, plan.core.reply)),
        ),
        reservation=ledger.Reservation(
            reply_id=reply.id,
            channel=offer.channel,
            country=reply.country,
            micros=offer.micros,
            parts=offer.parts,
            period=period,
            crossed=one.crossed,
        ),
        moved_from=one.moved_from,
        refused=reply.refused,
        attempts=reply.attempts + 1,
        lease_until_ms=lease_until_ms,
    )

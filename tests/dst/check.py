"""What no run may show, judged by the providers' own ledgers; `books` looks into ours."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bot.contract import address
from bot.policy import periods, settings
from tests.dst import books, people, told
from tests.dst.outside import Call

_ZONE: Final = zoneinfo.ZoneInfo("Europe/Paris")
_DAY_QUOTA: Final = {people.SIM: 4}
# What was claimed under a cap is handed over within its lease.
_CLAIMED_S: Final = 60.0


def faults(run: told.Run) -> list[str]:
    """Every broken promise, in plain sentences; empty when all are kept."""
    _forget_links(run)
    return [
        *run.odd,
        *books.stored(run),
        *_once(run),
        *_resent(run),
        *_early(run),
        *_caps(run),
        *_paused(run),
        *_silent_after(run, "STOP", _stops(run)),
        *_silent_after(run, "block", run.blocks),
        *_forgotten(run),
        *books.erasures(run),
        *books.endings(run),
        *books.money(run),
    ]


def _forget_links(run: told.Run) -> None:
    """An erasure forgets who is who too, where nothing has gone out yet and nothing is forbidden.

    Of anybody else the keyed hashes stay, all with one person.
    """
    forbidden = {**_said_stop(run), **run.blocks}
    for one in books.erased(run):
        whose = run.linked.of(one.who)
        claimed_s = one.at_s + _CLAIMED_S
        out = any(
            call.maybe_out and call.steady_s <= claimed_s and run.linked.of(call.to) == whose
            for call in run.outside.calls
        )
        held = any(
            at_s < one.at_s and run.linked.of(who) == whose for who, at_s in forbidden.items()
        )
        if not out and not held:
            run.linked.forget(whose, one.at_s)


def _components(run: told.Run) -> dict[address.Address, list[Call]]:
    out: dict[address.Address, list[Call]] = {}
    for call in run.outside.calls:
        if call.maybe_out or call.failed:
            out.setdefault(run.linked.of(call.to), []).append(call)
    return out


def _once(run: told.Run) -> Iterator[str]:
    """Nobody gets two replies, or one that may be a second one; one later attempt is all."""
    for calls in _components(run).values():
        for before, call in itertools.combinations([one for one in calls if one.maybe_out], 2):
            same = before.to == call.to
            first_s = min(before.steady_s, call.steady_s)
            known = run.linked.joined_s(before.to, call.to, first_s) < first_s
            repeat = before.reply_id == call.reply_id and before.channel == call.channel
            # One account drops repeats; a crash before it heard of the first is no second.
            if repeat and before.repeats and not before.taken:
                continue
            if same or known:
                yield f"two replies to one person: {_told(before)}, {_told(call)}"
        for _, tried in itertools.groupby(sorted(calls, key=_to), key=_to):
            failed = [call for call in tried if call.taken]
            if len(failed) > 2:
                yield f"{len(failed)} attempts at one person: {', '.join(map(_told, failed))}"


def _to(call: Call) -> str:
    return call.to.value


def _told(call: Call) -> str:
    return f"{call.channel} {call.fate} at {call.steady_s:.0f} s"


def _resent(run: told.Run) -> Iterator[str]:
    """What may be out is never handed over again, but to an account that drops repeats."""
    seen: dict[tuple[str, str], Call] = {}
    for call in run.outside.calls:
        key = (call.channel, call.reply_id)
        before = seen.get(key)
        if before is not None and before.maybe_out and not before.repeats:
            yield f"sent again: {_told(before)}, {_told(call)}"
        if before is not None and before.taken and not before.failed:
            yield f"accepted twice: {_told(before)}, {_told(call)}"
        seen[key] = call


def _early(run: told.Run) -> Iterator[str]:
    delay_s = settings.Reply().delay_min_s
    first: dict[address.Address, dt.datetime] = {}
    for letter in run.letters:
        if letter.wrote is None or not letter.handed:
            continue
        for one in (letter.sender, letter.alias or letter.sender):
            key = run.linked.of(one)
            first[key] = min(first.get(key, letter.wrote), letter.wrote)
    for call in run.outside.calls:
        wrote = first.get(run.linked.of(call.to))
        if wrote is None:
            yield f"a reply to nobody who wrote: {_told(call)}"
        # Providers date by whole seconds.
        elif (call.begun - wrote.replace(microsecond=0)).total_seconds() < delay_s:
            yield f"a reply before its time: {_told(call)}"


def _caps(run: told.Run) -> Iterator[str]:
    spent: collections.Counter[str] = collections.Counter()
    parts: dict[tuple[str, str], set[str]] = {}
    for call in run.outside.calls:
        day = periods.day(int(call.begun.timestamp() * 1000), _ZONE)
        # The account's own money: what it billed, whether it told us or not; and what may have
        # been billed for all that we can know. Beforehand, what it may cost at the most.
        if call.quote and spent[day] + call.quote > cap_at(run.caps, call.steady_s):
            yield f"{spent[day]} spent and {call.quote} asked for: over the cap, {_told(call)}"
        unsure = call.quote if call.maybe_out else 0
        spent[day] += (call.price or 0) if call.taken else unsure
        if call.maybe_out:
            parts.setdefault((call.channel, day), set()).add(call.reply_id)
    for (channel, day), out in parts.items():
        if len(out) > _DAY_QUOTA.get(channel, len(out)):
            yield f"{len(out)} parts on the quota of {channel} on {day}"


def cap_at(caps: Sequence[told.Cap], at_s: float) -> int:
    """The highest cap that was in force at some moment of the last claim before then.

    What moderators set goes before what is configured. A change that a crash hid may hold or not.
    """
    room = [one for one in caps if one.by_room]
    configured = [one for one in caps if not one.by_room]
    sure_s = min((one.sure_s for one in room if one.sure_s is not None), default=None)
    found = _reigning(room, at_s)
    if sure_s is None or sure_s >= at_s - _CLAIMED_S:
        found = [*found, *_reigning(configured, at_s)]
    return max(found)


def _reigning(caps: Sequence[told.Cap], at_s: float) -> list[int]:
    """Those that began by then and had not yet ended for certain when it was claimed."""
    found = []
    for n, one in enumerate(caps):
        ends = [later.sure_s for later in caps[n + 1 :] if later.sure_s is not None]
        if one.from_s <= at_s and min(ends, default=at_s) >= at_s - _CLAIMED_S:
            found.append(one.micros)
    return found


def _paused(run: told.Run) -> Iterator[str]:
    for call in run.outside.calls:
        in_hand_s = run.networks[call.channel].in_hand_s
        for pause in run.pauses:
            ended = pause.to_s is not None and call.steady_s >= pause.to_s
            if pause.from_s + in_hand_s < call.steady_s and not ended:
                yield f"a send while paused since {pause.from_s:.0f} s: {_told(call)}"


def _stops(run: told.Run) -> Mapping[address.Address, float]:
    """Who said STOP and had it stored; where a START was said too, nothing is judged."""
    unsure = {run.linked.of(one.sender) for one in run.letters if one.wish == "start"}
    stops = _said_stop(run)
    return {who: at_s for who, at_s in stops.items() if run.linked.of(who) not in unsure}


def _said_stop(run: told.Run) -> dict[address.Address, float]:
    stops: dict[address.Address, float] = {}
    for letter in run.letters:
        if letter.wish.startswith("stop") and letter.acked_s is not None:
            who = letter.sender
            stops[who] = min(stops.get(who, letter.acked_s), letter.acked_s)
    return stops


def _silent_after(
    run: told.Run, what: str, since: Mapping[address.Address, float]
) -> Iterator[str]:
    """Nothing starts to go to them any more, nor to whom they were known to be then."""
    for call in run.outside.calls:
        in_hand_s = run.networks[call.channel].in_hand_s
        for who, at_s in since.items():
            joined_s = run.linked.joined_s(who, call.to, call.steady_s)
            begins_s = at_s if who == call.to else max(joined_s, at_s)
            if begins_s + in_hand_s < call.steady_s:
                yield f"a send after the {what} of {at_s:.0f} s: {_told(call)}"


def _forgotten(run: told.Run) -> Iterator[str]:
    """Nothing starts to go to somebody erased who has not written since."""
    for one in books.erased(run):
        for call in run.outside.calls:
            joined_s = run.linked.joined_s(one.who, call.to, one.at_s)
            hers = call.to == one.who or joined_s < one.at_s
            # What was claimed by then may be on its way.
            claimed_s = _CLAIMED_S + run.networks[call.channel].in_hand_s
            if hers and one.at_s + claimed_s < call.steady_s and not _wrote_since(run, one, call):
                yield f"a send after the erasure of {one.at_s:.0f} s: {_told(call)}"


def _wrote_since(run: told.Run, one: told.Erasure, call: Call) -> bool:
    """Whether a message that may be hers may have been stored between the two."""
    whose = run.linked.of(one.who)
    return any(
        letter.handed
        and letter.at_s < call.steady_s
        and (letter.acked_s is None or letter.acked_s >= one.at_s)
        and whose in {run.linked.of(n) for n in (letter.sender, letter.alias or letter.sender)}
        for letter in run.letters
    )


def answered(run: told.Run) -> int:
    """How many people got a reply."""
    return len({run.linked.of(call.to) for call in run.outside.calls if call.taken})


def shown(run: told.Run, found: Sequence[str]) -> str:
    """The history of a run that broke a promise, to be read and played again."""
    lines = [f"seed {run.seed}: {len(found)} broken promises", *found, "", *sorted(_lines(run))]
    return "\n".join([*lines, f"play it again: python -m tests.dst --seed {run.seed}"])


def _lines(run: told.Run) -> Iterable[str]:
    yield from run.history
    for one in run.erasures:
        sure = "" if one.sure else ", which a crash hid"
        yield f"{one.at_s:9.0f} s  {people.short(one.who)} is erased{sure}: {dict(one.gone)}"
    for call in run.outside.calls:
        ending = " not delivered" if call.failed else ""
        yield (
            f"{call.steady_s:9.0f} s  send by {call.channel} to {people.short(call.to)}: "
            f"{call.fate}{ending}, at most {call.quote}, {call.reply_id[:8]}"
        )
    for letter in run.letters:
        if letter.handed:
            stored = "never" if letter.acked_s is None else f"at {letter.acked_s:.0f} s"
            number = " with their number" if letter.alias else ""
            yield (
                f"{letter.at_s:9.0f} s  {people.short(letter.sender)} writes by {letter.channel}"
                f"{number} {letter.wish}, acknowledged {stored}"
            )

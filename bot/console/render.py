"""Results as text for a terminal: rich tables and lines. Knows no command and no room."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Sequence
from typing import Final

from rich import console, markup, table

from bot.console.clusters import Cluster
from bot.console.forecast import DAY, DONATIONS, MONTH, Forecast, Limit
from bot.console.funds import Ledger
from bot.console.holding import Review
from bot.console.modes import View
from bot.console.pool import Own
from bot.console.results import Done
from bot.console.status import Status
from bot.console.story import Story
from bot.contract import bridge, money
from bot.policy import reasons

Lines = Iterable[console.RenderableType]


class Times:
    """Moments in the time zone of the budget, seconds left out."""

    def __init__(self, zone: zoneinfo.ZoneInfo) -> None:
        """`zone`: `budget.timezone`."""
        self._zone = zone

    def at(self, moment_ms: int | None) -> str:
        """`2026-11-22 14:05`, a dash for none."""
        if moment_ms is None:
            return "-"
        return dt.datetime.fromtimestamp(moment_ms / 1000, self._zone).strftime("%Y-%m-%d %H:%M")

    def day(self, moment_ms: int) -> str:
        """`2026-11-22`."""
        return dt.datetime.fromtimestamp(moment_ms / 1000, self._zone).date().isoformat()


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> table.Table:
    """A table of plain values; nothing in it is taken for markup."""
    made = table.Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(markup.escape(str(cell)) for cell in row))
    return made


def done(result: Done) -> Lines:
    """The sentence, then each thing that was not done."""
    yield markup.escape(result.said.en)
    if result.ok:
        for one in result.refused:
            yield markup.escape(f"not {one.reply}: {one.why.en}")


def status(now: Status, times: Times) -> Lines:
    """The state of an installation."""
    bill = now.bill
    halted = ", ".join(
        f"{h.what} {'stopped by its network' if h.by_network else 'paused'}"
        + (f" until {times.at(h.until_ms)}" if h.until_ms is not None else "")
        for h in now.halts
    )
    runway = now.runway
    rows = [
        ("mode", f"{now.mode}. {now.present.why.en}" + _until(now.present.until_ms, times)),
        ("sending", halted or "yes"),
        ("queue", ", ".join(f"{n} {state}" for state, n in now.queue.items())),
        ("next reply due", times.at(now.next_due_ms)),
        ("today", f"{bill.used_today} of {bill.cap_day or 'no cap'}"),
        ("this month", f"{bill.used_month} of {bill.cap_month or 'no cap'}"),
        ("replies so far", f"{now.replies}, {bill.replies}"),
        ("inbound so far", str(bill.inbound)),
        ("the 2017 way", str(bill.naive_2017)),
        ("donations left", str(now.balance)),
        ("last 24 hours", str(runway.spent_24h)),
        ("runway", "-" if runway.days is None else f"{runway.days} days"),
        ("forecast", now.forecast.said.en),
        ("messages", _messages(now)),
    ]
    yield grid("", ("", ""), rows)
    decided = [
        (verdict, n, reasons.of(reason).en)
        for name, n in now.decisions.items()
        for verdict, _, reason in [name.partition(":")]
    ]
    if decided:
        yield ""
        yield grid("Decided so far", ("decision", "n", "why"), decided)


def _messages(now: Status) -> str:
    by = "1 person" if now.people == 1 else f"{now.people} people"
    again = "1 duplicate" if now.duplicates == 1 else f"{now.duplicates} duplicates"
    return f"{now.messages} by {by}, {again}"


def _until(moment_ms: int | None, times: Times) -> str:
    return "" if moment_ms is None else f" Until {times.at(moment_ms)}."


def clusters(found: Sequence[Cluster], times: Times) -> Lines:
    """One line a cluster: what holds it together, never what was written."""
    if not found:
        yield "Nothing is held."
        return
    width = max(len(one.code) for one in found)
    for one in found:
        cost = "cost not known yet"
        if one.cost is not None:
            cost = f"{'about ' if one.estimated else ''}{one.cost}"
        yield markup.escape(f"{one.code:{width}}  {one.why.en}")
        yield (
            f"{'':{width}}  {cost}; since {times.at(one.since_ms)}, "
            f"the first expires {times.at(one.expires_ms)}"
        )
    yield ""
    yield "Release one: antirelou approve CLUSTER; drop one: antirelou drop CLUSTER"


def review(found: Review, times: Times) -> Lines:
    """The held replies one by one, one table a reason."""
    for group in found.groups:
        yield ""
        yield grid(
            f"{len(group.replies)} held: {group.why.en}",
            ("reply", "who", "channel", "country", "first wrote", "expires"),
            [
                (
                    held.reply,
                    held.who,
                    held.channel,
                    held.country or "-",
                    times.at(held.first_ms),
                    times.at(held.expires_ms),
                )
                for held in group.replies
            ],
        )
    shown = sum(len(group.replies) for group in found.groups)
    if shown < found.total:
        yield f"{found.total - shown} more are not shown."


def mode(found: View, times: Times) -> Lines:
    """The present mode, then how it came to that."""
    now = found.now
    yield f"{now.mode}: {now.does.en}"
    yield markup.escape(
        f"since {times.at(now.since_ms)}: {now.why.en}" + _until(now.until_ms, times)
    )
    if found.history:
        yield ""
        yield "Last changes:"
    for one in found.history:
        figures = f"{one.senders} new senders in the hour, {one.topical} on a new topic"
        if one.spent is not None:
            figures += f", {one.spent:.0%} of the day's money used"
        yield markup.escape(
            f"{times.at(one.at_ms)}  {one.mode}: {one.why.en}" + _until(one.until_ms, times)
        )
        yield f"{'':16}  {figures}"


_LIMITS: Final = {DAY: "today", MONTH: "this month", DONATIONS: "donations"}


def forecast(found: Forecast, times: Times) -> Lines:
    """What is left and how long it lasts."""
    yield found.said.en
    yield ""
    if found.limits:
        yield grid(
            "",
            ("money", "left", "at the last hour's rate", "at the last 24 hours' rate"),
            [
                (
                    _LIMITS[one.name],
                    one.left,
                    _ends(one, one.ends_hour_ms, times),
                    _ends(one, one.ends_day_ms, times),
                )
                for one in found.limits
            ],
        )
        yield ""
    if found.expected_people is None:
        usual = "no usual day is known yet"
    else:
        cost = found.expected_cost or "nobody knows what, no reply was sent yet"
        usual = f"{found.expected_people} new people, {cost}"
        if found.usual_ends_ms is not None:
            usual += f"; the day's money lasts until {times.at(found.usual_ends_ms)}"
    inbound = found.inbound
    alarm = "" if inbound.alarm_ms is None else f"; alarm at {times.at(inbound.alarm_ms)}"
    yield grid(
        "",
        ("", ""),
        [
            ("replies, last hour", found.last_hour),
            ("replies, last 24 hours", found.last_24h),
            ("a reply costs on average", found.reply_cost or "not known yet"),
            ("until midnight, as usual", usual),
            ("inbound, last hour", inbound.last_hour),
            ("inbound, last 24 hours", inbound.last_24h),
            ("inbound today", f"{inbound.today}, alarm from {inbound.alarm_day}{alarm}"),
        ],
    )


def _ends(limit: Limit, ends_ms: int | None, times: Times) -> str:
    if not limit.left.micros:
        return "used up"
    if ends_ms is None:
        return "nothing was spent"
    if limit.renews_ms is not None and ends_ms >= limit.renews_ms:
        return f"enough until {times.at(limit.renews_ms)}"
    return f"until {times.at(ends_ms)}"


def story(found: Story, times: Times) -> Lines:
    """What one person wrote, what was decided, what became of it."""
    yield f"{found.who}: wrote {found.written} messages, first on {times.at(found.created_ms)}"
    for moment, words in (
        (found.opted_out_ms, "asked for no messages on"),
        (found.blocked_ms, "was blocked by a moderator on"),
        (found.answered_until_ms, "gets no further reply before"),
    ):
        if moment is not None:
            yield f"  {words} {times.at(moment)}"
    for message in found.messages:
        decided = reasons.of_verdict(message.decision).en
        yield markup.escape(
            f"{times.at(message.at_ms)}  {message.kind} on {message.channel}: "
            f"{decided}. {message.why.en}"
        )
    if found.written > len(found.messages):
        yield f"({found.written - len(found.messages)} older messages are not shown)"
    for reply in found.replies:
        sent = f", sent {times.at(reply.sent_ms)}" if reply.sent_ms is not None else ""
        cost = f", {reply.cost}" if reply.cost is not None else ""
        yield markup.escape(
            f"reply {reply.reply}: {reply.means.en}, due {times.at(reply.due_ms)}{sent}{cost}. "
            f"{reply.why.en}"
        )
        if reply.flood is not None:
            yield f"  {reply.flood.en}"


def _four(*amounts: money.Money) -> tuple[str, ...]:
    return tuple(amount.decimal() for amount in amounts)


def ledger(found: Ledger) -> Lines:
    """The days and the sums."""
    rows = [
        (day.day, *_four(day.replies, day.inbound, day.opinions, day.donations))
        for day in found.days
    ]
    rows.append(("all days", *_four(found.replies, found.inbound, found.opinions, found.donated)))
    heads = ("day", "replies", "inbound", "look-ups", "donations")
    yield grid(f"In {found.currency}", heads, rows)
    yield f"Left of the donations: {found.balance}"


def addresses(found: Sequence[Own], times: Times) -> Lines:
    """The pool."""
    if not found:
        yield "No address is configured."
        return
    steps = {bridge.State.OFFERED: "rest it from", bridge.State.RETIRED: "keep it until"}
    rows = [
        (
            o.channel,
            o.network,
            o.value,
            o.state,
            times.at(o.since_ms),
            "" if o.due_ms is None else f"{steps[bridge.State(o.state)]} {times.day(o.due_ms)}",
        )
        for o in found
    ]
    yield grid("", ("channel", "network", "address", "state", "since", "then"), rows)

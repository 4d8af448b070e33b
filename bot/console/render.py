"""Results as text for a terminal: rich tables and lines. Knows no command and no room."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Sequence

from rich import console, markup, table

from bot.console.funds import Ledger
from bot.console.holding import Review
from bot.console.pool import Own
from bot.console.results import Done
from bot.console.status import Status
from bot.console.story import Story
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
        ("mode", now.mode),
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
        ("messages", f"{now.messages} by {now.people} people, {now.duplicates} duplicates"),
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


def review(found: Review, times: Times) -> Lines:
    """The held replies, one table a reason."""
    if not found.total:
        yield "Nothing is held."
        return
    for group in found.groups:
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
        yield ""
    shown = sum(len(group.replies) for group in found.groups)
    if shown < found.total:
        yield f"{found.total - shown} more are not shown."
    yield "Release them: antirelou approve REPLY... or --all; drop them: antirelou drop REPLY..."


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


def ledger(found: Ledger) -> Lines:
    """The days and the sums."""
    rows: list[tuple[str, ...]] = [
        (day.day, day.replies.decimal(), day.inbound.decimal(), day.donations.decimal())
        for day in found.days
    ]
    rows.append(
        ("all days", found.replies.decimal(), found.inbound.decimal(), found.donated.decimal())
    )
    yield grid(f"In {found.currency}", ("day", "replies", "inbound", "donations"), rows)
    yield f"Left of the donations: {found.balance}"


def addresses(found: Sequence[Own], times: Times) -> Lines:
    """The pool."""
    if not found:
        yield "No address is configured."
        return
    rows = [(o.channel, o.network, o.value, o.state, times.at(o.since_ms)) for o in found]
    yield grid("", ("channel", "network", "address", "state", "since"), rows)

"""A report as tables for the terminal: people first, then the bill, then what was not answered."""

from __future__ import annotations

from rich import box, console, markup
from rich import table as tables

from bot.contract import money
from bot.simulate import figures, truth

_HEADS = {
    "answered": "answered",
    "pending": "waiting to be answered",
    "held": "held",
    "silenced": "not answered",
    "cancelled": "reply cancelled",
    "expired": "reply expired",
    "failed": "reply failed",
    "unknown": "reply unknown",
    "sending": "being sent",
    "opted_out": "asked to hear no more",
    "duplicate": "seen before",
}
# Reasons that read oddly beside the heads; the others speak for themselves.
_REASONS = {"pending": "a reply is on its way", "answered": "had a reply already"}


def render(of: figures.Figures) -> console.RenderableType:
    """Everything, as one thing to print."""
    judged = [] if of.judged is None else [_judged(of, of.judged)]
    return console.Group(_summary(of), *judged, _fates(of), _days(of), *_verdict(of))


def beside(one: figures.Figures, other: figures.Figures) -> console.RenderableType:
    """Two runs of one recording, figure by figure."""
    sheet = _sheet(markup.escape(one.trace), "", "these settings", "the others")
    left, right = _compared(one), _compared(other)
    for name in dict.fromkeys([*left, *right]):
        sheet.add_row(name, left.get(name, "-"), right.get(name, "-"))
    return console.Group(sheet, *_verdict(one), *_verdict(other))


def _compared(of: figures.Figures) -> dict[str, str]:
    rows = {
        "replies sent": f"{of.replies:,}",
        "  between 45 min and 2 h": _share(of.on_time),
        "bill of the replies": _amount(of.bill_micros, of),
        "inbound": _amount(of.inbound_micros, of),
        "look-ups of numbers": _amount(of.opinions_micros, of),
        "  saved by other channels": _amount(of.saved_micros, of),
        "the 2017 way": _amount(of.naive_2017_micros, of),
        "cap of a day": "-" if of.cap_day_micros is None else _amount(of.cap_day_micros, of),
        "  most reserved in a day": _amount(of.reserved_day_max_micros, of),
    }
    if of.judged is not None:
        rows |= dict(_truths(of, of.judged))
    for fate, n in of.fates.items():
        rows[_fate(fate)] = f"{n:,}"
    return rows


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _truths(of: figures.Figures, judged: truth.Judged) -> list[tuple[str, str]]:
    """What only somebody who knows the truth can say."""
    rows = [
        (f"people on time, of {judged.people:,}", _share(judged.on_time)),
        ("  who wrote outside the flood", _share(judged.on_time_outside)),
        ("  who wrote inside it", _share(judged.on_time_inside)),
        ("one who knows everybody would pay", _amount(judged.all_knowing_micros, of)),
    ]
    if judged.bill is not None:
        rows.append(("  our bill is so many times that", f"{judged.bill:.3f}"))
    if judged.bait_accused is not None:
        rows.append(("misled people accused", _share(judged.bait_accused)))
    for kind, senders in sorted(judged.senders.items()):
        answered = judged.answered.get(kind, 0)
        spent = _amount(judged.spent_micros.get(kind, 0), of)
        rows.append((f"answered: {kind}", f"{answered:,} of {senders:,}, {spent}"))
    return rows


def _judged(of: figures.Figures, judged: truth.Judged) -> tables.Table:
    sheet = _sheet("By the truth of this flood", "", "")
    sheet.show_header = False
    for row in _truths(of, judged):
        sheet.add_row(*row)
    return sheet


def _sheet(title: str, *columns: str) -> tables.Table:
    sheet = tables.Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        sheet.add_column(name, justify="right" if number else "left", no_wrap=True)
    return sheet


def _amount(micros: int, of: figures.Figures) -> str:
    return f"{micros / money.MICROS:,.2f} {of.currency}"


def _summary(of: figures.Figures) -> tables.Table:
    sheet = _sheet(markup.escape(of.trace), "", "")
    sheet.show_header = False
    late = "-" if of.on_time is None else f"{of.on_time:.1%}"
    rows = [
        ("messages", f"{of.messages:,}"),
        ("people and others who wrote", f"{of.senders:,}"),
        ("replies sent", f"{of.replies:,}"),
        *((f"  by {route}", f"{n:,}") for route, n in sorted(of.replies_by_route.items())),
        ("  between 45 min and 2 h", late),
        ("bill of the replies", _amount(of.bill_micros, of)),
        ("inbound", _amount(of.inbound_micros, of)),
        ("look-ups of numbers", _amount(of.opinions_micros, of)),
        ("the 2017 way: two parts for each message", _amount(of.naive_2017_micros, of)),
    ]
    if of.naive_2017_micros:
        rows.append(("  saved against it", f"{1 - of.bill_micros / of.naive_2017_micros:.1%}"))
    if of.saved_micros:
        rows.append(("  saved by other channels", _amount(of.saved_micros, of)))
    rows += [
        (f"  {one.channel}: {one.what} in {one.period}", f"{one.used:,} of {one.limit:,}")
        for one in of.quotas
    ]
    if of.cap_day_micros is not None:
        rows.append(("cap of a day", _amount(of.cap_day_micros, of)))
        rows.append(("  most reserved in a day", _amount(of.reserved_day_max_micros, of)))
    for state, n in of.pending_at_end.items():
        rows.append((f"at the last message: {state}", f"{n:,}"))
    rows.append(("took", f"{of.wall_s:.1f} s, {of.messages_per_s:,.0f} messages/s"))
    for row in rows:
        sheet.add_row(*row)
    return sheet


def _fates(of: figures.Figures) -> tables.Table:
    sheet = _sheet("What became of each message", "", "messages")
    for fate, n in sorted(of.fates.items(), key=lambda item: (item[0].split(":")[0], -item[1])):
        sheet.add_row(_fate(fate), f"{n:,}")
    sheet.add_section()
    sheet.add_row("together", f"{sum(of.fates.values()):,}")
    return sheet


def _fate(fate: str) -> str:
    head, _, reason = fate.partition(":")
    words = _HEADS.get(head, head)
    why = _REASONS.get(reason, reason.replace("_", " "))
    return f"{words}: {why}" if why and reason != head else words


def _days(of: figures.Figures) -> tables.Table:
    sheet = _sheet(f"Day by day ({of.timezone})", "day", "replies", "reserved", "billed")
    for day in of.days:
        sheet.add_row(
            day.day,
            f"{day.replies:,}",
            _amount(day.reserved_micros, of),
            _amount(day.spent_micros, of),
        )
    return sheet


def _verdict(of: figures.Figures) -> list[str]:
    """What must be nothing; the sums are checked, so silence would look like not looking."""
    bad = [f"[bold red]{markup.escape(fault)}[/]" for fault in of.faults]
    if of.twice:
        bad.append(f"[bold red]{of.twice:,} replies went to somebody who had one already[/]")
    if of.early:
        bad.append(f"[bold red]{of.early:,} replies left before the delay was over[/]")
    return bad or [
        "[green]Nobody twice, nobody early, every message and every cent accounted for.[/]"
    ]

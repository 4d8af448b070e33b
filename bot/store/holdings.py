"""What each table holds of people, for how long, and what erasing one of them does to it.

The table of docs/privacy.md is made from this, and tests hold it against the tables, against the
janitor and against erasure: a new table fails them until somebody has thought about it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from bot.policy import settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One table. `holds`: what of people; `kept`: how long; `erased`: what erasing one does.

    `names`: columns that lead to a person; `stays`: those that an erasure leaves as they are.
    """

    table: str
    holds: str
    kept: str
    erased: str
    names: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


_k = settings.Retention()
_ROOM: Final = f"{_k.events_days} days (`events_days`)"
_NOBODY: Final = "nothing to erase"
_NO: Final = "nothing"

ALL: Final = (
    Holding(
        table="persons",
        holds="a number we gave them, when they wrote first and last, how often; the window, "
        "opt-out, block",
        kept=f"{_k.persons_days} days after their last message (`persons_days`); an opt-out or a "
        "block until it is taken back",
        erased="deleted; while a window, an opt-out or a block needs it, that alone stays",
        names=("id", "merged_into"),
        stays=("id",),
    ),
    Holding(
        table="identities",
        holds="keyed hashes of their addresses",
        kept="as long as `persons`",
        erased="deleted; stays with `persons`",
        names=("person_id",),
        stays=("person_id",),
    ),
    Holding(
        table="seen",
        holds="keyed hashes of messages' ids, joined to nobody",
        kept=f"{_k.seen_days} days (`seen_days`)",
        erased=_NOBODY,
    ),
    Holding(
        table="inbound",
        holds="facts of each message: when, channel, kind, length, country, kind of number, what "
        "was decided; its words, encrypted, only while something of theirs is held",
        kept=f"{_k.inbound_days} days (`inbound_days`); the words 72 hours at the most, and "
        "gone as soon as nothing is held",
        erased="deleted",
        names=("person_id", "reply_id"),
    ),
    Holding(
        table="replies",
        holds="state, channel, country, price and times of each reply; while it waits, the "
        "address, encrypted, and what a moderator wrote by hand",
        kept=f"{_k.persons_days} days (`persons_days`); the address until it was sent, expired or "
        "cancelled, 7 days at the most where nobody knows whether it was sent",
        erased="deleted; one that may be on its way stays without address and words, as long as "
        "any other; of one that went out its channel, country, state, times, price and the "
        "provider's name of it stay, joined to nobody, until its price is known and it is removed "
        "at the provider (`at_provider`), 30 days at the most",
        names=("id", "person_id", "retry_of"),
        stays=("id",),
    ),
    Holding(
        table="receipts",
        holds="delivery receipts that came too early, by the provider's id",
        kept="until the send is recorded, 7 days at the most",
        erased="deleted",
        names=("reply_id",),
    ),
    Holding(
        table="postings",
        holds="money by day, channel and country, with the number of the reply it paid",
        kept="for good: the books",
        erased="stays: an amount that leads to nobody once the reply is gone",
        names=("reply_id",),
        stays=("reply_id",),
    ),
    Holding(table="caps", holds=_NO, kept="for good: sums", erased=_NOBODY),
    Holding(table="counters", holds=_NO, kept="for good: sums by hour", erased=_NOBODY),
    Holding(
        table="flood",
        holds="how many strangers used a keyed word, by quarter of an hour; no person",
        kept="some hours; sums of the last 8 days in `storage`",
        erased=_NOBODY,
    ),
    Holding(
        table="events",
        holds="what happened; for words of distress and proofs the number of the person",
        kept=_ROOM,
        erased="those that name the person are emptied; acts of moderators lose the number",
        names=("data",),
    ),
    Holding(table="cursors", holds=_NO, kept="the newest only", erased=_NOBODY),
    Holding(
        table="storage",
        holds="what bridges keep: Signal's look-ups, doubts and whose each of our messages was "
        "stand in it under hashes keyed with the channel's own secret, 5,000 of each at the most; "
        "accounts that spoke up in the moderators' room uninvited",
        kept='look-ups 30 days (a "no" 7), messages 30 days, doubts 2 days, accounts 1 day; looked '
        "through once a day while the channel runs; all of a channel 30 days after it was taken "
        "out of the settings",
        erased="stays: only the holder of `channels.NAME.secret` could tell whose a hash is",
    ),
    Holding(
        table="pool", holds="our own addresses", kept="12 months after retiring", erased=_NOBODY
    ),
    Holding(table="control", holds=_NO, kept="until it is changed", erased=_NOBODY),
    Holding(
        table="room_events",
        holds="what moderators typed, encrypted, until it is carried out; their account",
        kept=_ROOM,
        erased=_NOBODY,
    ),
    Holding(
        table="room_outgoing",
        holds="what the room is told, encrypted, until it was said",
        kept=_ROOM,
        erased=_NOBODY,
    ),
    Holding(
        table="room_prompts",
        holds="questions to moderators, encrypted, with the number of the person, until decided",
        kept=_ROOM,
        erased="open questions about the person are closed and emptied",
        names=("data_enc",),
    ),
    Holding(
        table="room_codes",
        holds="short names of people for the room (#k7f2)",
        kept=f"7 days from their last use, then {_k.events_days} days, so that they mean nobody "
        "else",
        erased="deleted",
        names=("person_id",),
    ),
    Holding(
        table="proofs",
        holds="keyed hashes of words that somebody was asked to send",
        kept="7 days",
        erased="the word that was used is deleted",
    ),
    Holding(
        table="audit",
        holds="who of the moderators did what and when; people by number",
        kept="for good: a chain that shows each change",
        erased="stays: the number leads to nobody once the person is gone",
        names=("data",),
        stays=("data",),
    ),
    Holding(table="meta", holds=_NO, kept="for good", erased=_NOBODY),
    Holding(table="sequences", holds=_NO, kept="for good", erased=_NOBODY),
)


def markdown() -> Iterator[str]:
    """The lines of the table in docs/privacy.md."""
    yield "| table | what it holds of people | how long | what `erase` does |"
    yield "|---|---|---|---|"
    for one in ALL:
        yield f"| `{one.table}` | {one.holds} | {one.kept} | {one.erased} |"

"""What really happened: the database and the phones' own ledger held against what people sent."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot import outbox
from bot.dispatcher import claim
from bot.store import vault
from tests.e2e import books, crowd, program

OPEN = ("scheduled", "sending")
opened = books.opened


def let_leases_end(of: books.Books) -> int:
    """While the program is down three minutes pass, as far as leases know; how many still ran."""
    if not of.there():
        return 0
    now_ms = time.time_ns() // 1_000_000
    return of.change(
        f"UPDATE replies SET lease_until_ms = lease_until_ms - {claim.LEASE_MS}"  # noqa: S608 (two numbers)
        f" WHERE state = 'sending' AND lease_until_ms > {now_ms}"
    )


def states(of: books.Books) -> dict[str, int]:
    """How many replies are in each state."""
    rows = of.rows("SELECT state, count(*) AS n FROM replies GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def settled(of: books.Books) -> bool:
    """Whether no reply waits to be sent or is being sent."""
    found = states(of)
    return not any(found.get(state) for state in OPEN)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Read once, when the program has ended."""

    seen: frozenset[bytes]
    inbound: int
    replies: Mapping[str, Mapping[str, Any]]
    caps: Mapping[str, int]
    postings: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    repeats: int
    keys: vault.Vault

    @property
    def states(self) -> collections.Counter[str]:
        """Replies by state."""
        return collections.Counter(row["state"] for row in self.replies.values())


async def read(of: books.Books, key_file: Path, phones: program.Phones) -> Truth:
    """Both sides."""
    keys = vault.load(key_file)
    told = await phones.ledger()
    joined = "SELECT r.*, p.opted_out_ms FROM replies r JOIN persons p ON p.id = r.person_id"
    return Truth(
        seen=frozenset(row["hash"] for row in of.rows("SELECT hash FROM seen")),
        inbound=of.rows("SELECT count(*) AS n FROM inbound")[0]["n"],
        replies={outbox.key(keys, row["id"]): row for row in of.rows(joined)},
        caps={row["scope"]: row["used"] for row in of.rows("SELECT scope, used FROM caps")},
        postings=of.rows("SELECT * FROM postings"),
        deliveries=told["deliveries"],
        repeats=told["repeats"],
        keys=keys,
    )


def check_stored(truth: Truth, messages: Sequence[crowd.Message]) -> None:
    """Everything that was acknowledged is stored, and nothing twice."""
    expected = {truth.keys.hash("seen", f"{m.channel}\x00{m.id}") for m in messages}
    lost = [m.id for m in messages if m.acknowledged_ms is None]
    assert not lost, f"never acknowledged: {lost}"
    assert truth.seen == expected, f"{len(truth.seen)} stored of {len(expected)}"
    assert truth.inbound == len(expected), "a message was stored twice or by half"


def check_phones(truth: Truth, messages: Sequence[crowd.Message], delay_min_s: int) -> None:
    """Nobody was answered twice, early, or after a STOP that came in time."""
    counts = collections.Counter(one["to"] for one in truth.deliveries)
    twice = {to: n for to, n in counts.items() if n > 1}
    assert not twice, f"answered more than once: {twice}"
    first_ms: dict[str, int] = {}
    for message in messages:
        first_ms.setdefault(message.sender, message.first_try_ms)
    early = [d for d in truth.deliveries if d["at_ms"] < first_ms[d["to"]] + delay_min_s * 1000]
    assert not early, f"answered before the delay was over: {early}"
    stopped = {
        m.sender
        for m in messages
        if m.text == "STOP"
        and m.acknowledged_ms is not None
        and m.acknowledged_ms < first_ms[m.sender] + delay_min_s * 1000
    }
    answered = stopped & counts.keys()
    assert not answered, f"answered after a STOP: {answered}"


def check_replies(truth: Truth) -> None:
    """The database knows of each delivery, and calls nothing sent that never arrived."""
    arrived = {one["reply_id"] for one in truth.deliveries}
    said_sent = {key for key, row in truth.replies.items() if row["state"] == "sent"}
    assert said_sent <= arrived, "called sent, but no phone has it"
    odd = {k: truth.replies[k]["state"] for k in arrived - said_sent if k in truth.replies}
    assert arrived <= truth.replies.keys(), "a phone has a reply that the database does not know"
    assert set(odd.values()) <= {"unknown"}, f"arrived, but the database says {odd}"
    waiting = collections.Counter(
        row["person_id"]
        for row in truth.replies.values()
        if row["automatic"] and row["state"] not in {"cancelled", "expired", "failed"}
    )
    assert all(n == 1 for n in waiting.values()), "a person has two replies"


def check_money(truth: Truth) -> None:
    """For each day and month the caps, the postings and the replies say the same."""
    by_day: collections.Counter[str] = collections.Counter()
    for posting in truth.postings:
        if posting["account"] == "replies":
            by_day[posting["day"]] += posting["amount_micros"]
    caps = {s.removeprefix("day:"): n for s, n in truth.caps.items() if s.startswith("day:")}
    assert caps == dict(by_day), f"caps {caps} and postings {dict(by_day)}"
    months = sum(n for scope, n in truth.caps.items() if scope.startswith("month:"))
    assert months == sum(by_day.values())
    spent = sum(
        (row["price_micros"] if row["state"] == "sent" else row["reserved_micros"]) or 0
        for row in truth.replies.values()
        if row["state"] in {"sent", "unknown"}
    )
    assert spent == sum(by_day.values()), "the replies' prices are not what the ledger holds"

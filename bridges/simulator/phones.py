"""What the phones sent and received: the outside world, as far as a simulator has one.

In memory only. When the process ends the phones are gone with all they had received, which is why
their memory of reply ids may end with it too. Everything is bounded, since the page may stand
open to the public: the phone unused for the longest time makes place for a new one.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import uuid
from typing import Final

from bot.contract import money

MAX_PHONES: Final = 1_000
MAX_ENTRIES: Final = 500
MAX_REPLIES: Final = 50_000

SENT: Final = "sent"
RECEIVED: Final = "received"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Entry:
    """One line of a thread, seen from the phone: it was `sent` or `received` there."""

    seq: int
    direction: str
    id: str
    phone: str
    ours: str
    text: str
    kind: str
    at_ms: int
    parts: int
    cost: money.Money

    def shown(self) -> dict[str, object]:
        """As the phone's page is told."""
        return {
            "seq": self.seq,
            "direction": self.direction,
            "id": self.id,
            "with": self.ours,
            "text": self.text,
            "kind": self.kind,
            "at_ms": self.at_ms,
            "parts": self.parts,
            "cost": self.cost.decimal(),
            "free": self.cost.micros == 0,
        }


class Phones:
    """Threads by phone, and every reply that reached any of them, once each."""

    def __init__(
        self,
        *,
        max_phones: int = MAX_PHONES,
        max_entries: int = MAX_ENTRIES,
        max_replies: int = MAX_REPLIES,
    ) -> None:
        """Empty; the limits are arguments for the tests."""
        self._max_phones, self._max_entries = max_phones, max_entries
        self._max_replies = max_replies
        self._threads: collections.OrderedDict[str, collections.deque[Entry]]
        self._threads = collections.OrderedDict()
        self._replies: dict[str, Entry] = {}
        self._seq = itertools.count(1)
        self._dropped = 0
        # Numbers begin anew with the process; whoever remembers one must know of which run it is.
        self.run = uuid.uuid4().hex

    def sent(
        self,
        *,
        phone: str,
        ours: str,
        text: str,
        kind: str,
        message_id: str,
        at_ms: int,
        free: money.Money,
    ) -> None:
        """Note what a phone sent; the same id twice is one message, as it is for the core."""
        thread = self._thread(phone)
        if any(entry.id == message_id and entry.direction == SENT for entry in thread):
            return
        thread.append(
            Entry(
                seq=next(self._seq),
                direction=SENT,
                id=message_id,
                phone=phone,
                ours=ours,
                text=text,
                kind=kind,
                at_ms=at_ms,
                parts=1,
                cost=free,
            )
        )

    def received(
        self,
        *,
        phone: str,
        ours: str,
        text: str,
        reply_id: str,
        at_ms: int,
        parts: int,
        cost: money.Money,
    ) -> Entry:
        """Deliver a reply; one seen before is not delivered again, its first entry is returned."""
        known = self._replies.get(reply_id)
        if known is not None:
            return known
        entry = Entry(
            seq=next(self._seq),
            direction=RECEIVED,
            id=reply_id,
            phone=phone,
            ours=ours,
            text=text,
            kind="text",
            at_ms=at_ms,
            parts=parts,
            cost=cost,
        )
        self._thread(phone).append(entry)
        self._replies[reply_id] = entry
        while len(self._replies) > self._max_replies:
            del self._replies[next(iter(self._replies))]
            self._dropped += 1
        return entry

    def thread(self, phone: str) -> list[Entry]:
        """What that phone sent and received, oldest first; asking makes no phone.

        One that somebody looks at is in use: a crowd's phones do not push it out.
        """
        if phone in self._threads:
            self._threads.move_to_end(phone)
        return list(self._threads.get(phone, ()))

    def find(self, reply_id: str) -> Entry | None:
        """The reply as it was delivered, None if it never was."""
        return self._replies.get(reply_id)

    def replies(self, *, after: int, limit: int) -> list[Entry]:
        """Replies to all phones with a number above `after`, oldest first."""
        newer = (entry for entry in self._replies.values() if entry.seq > after)
        return list(itertools.islice(newer, limit))

    @property
    def counts(self) -> dict[str, int]:
        """How many phones, how many replies still remembered, how many of them forgotten."""
        return {
            "phones": len(self._threads),
            "replies": len(self._replies),
            "dropped": self._dropped,
        }

    def _thread(self, phone: str) -> collections.deque[Entry]:
        thread = self._threads.get(phone)
        if thread is None:
            thread = self._threads[phone] = collections.deque(maxlen=self._max_entries)
            while len(self._threads) > self._max_phones:
                self._threads.popitem(last=False)
        self._threads.move_to_end(phone)
        return thread

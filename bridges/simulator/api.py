"""The HTTP side of the phones: `/phone/<channel>/api/...`, JSON in and out.

What stands below `api/`:

POST messages   a phone sends something; 200 only when it is durably stored
GET  thread     ?phone=...: what that phone sent and received
GET  replies    ?after=N: every reply that reached any phone, for tests and kill loops
GET  speed      how fast the clock runs; POST {"speed": 360} changes it, in the demo only
GET  forum      the made-up evening as its senders saw it; POST {"kind": "raid", "lang": "fr"} lets
                one loose ("viral", "bait"; null ends it), in the demo only
GET  prices     what a part costs by country, as configured
"""

from __future__ import annotations

import dataclasses
import math
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.contract import address, bridge, clock, intake, money
from bridges.simulator import asgi, crowd, forum, phones, wire

MAX_SPEED: Final = 3_600.0
MAX_REPLIES: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Api:
    """A bare ASGI application for one channel."""

    context: bridge.Context
    own: tuple[address.Address, ...]
    door: intake.Intake
    phones: phones.Phones
    forum: forum.Forum
    prices: Mapping[str, money.Money]

    @property
    def path(self) -> str:
        """Where it stands; everything below is its own."""
        return f"/phone/{self.context.channel}/"

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one request."""
        try:
            body = await self._answer(scope, receive)
        except asgi.Refusal as refusal:
            await asgi.refuse(send, refusal)
        except wire.WireError as error:
            await asgi.refuse(send, asgi.Refusal(400, str(error)))
        except intake.NotStoredError as error:
            wait = {"retry-after": str(error.retry_after_s)}
            text = "not stored; send it again after Retry-After seconds, with the same id"
            await asgi.refuse(send, asgi.Refusal(503, text, headers=wait))
        else:
            await asgi.answer(send, 200, asgi.dump(body))

    async def _answer(self, scope: asgi.Scope, receive: asgi.Receive) -> dict[str, object]:
        name = scope["path"].removeprefix(self.path + "api/")
        doors: dict[str, dict[str, Callable[[], Awaitable[dict[str, object]]]]] = {
            "messages": {"POST": lambda: self._message(scope, receive)},
            "thread": {"GET": lambda: self._thread(_query(scope))},
            "replies": {"GET": lambda: self._replies(_query(scope))},
            "speed": {"GET": self._speed, "POST": lambda: self._set_speed(scope, receive)},
            "forum": {"GET": self._forum, "POST": lambda: self._let_loose(scope, receive)},
            "prices": {"GET": self._prices},
        }
        methods = doors.get(name)
        if methods is None:
            raise asgi.Refusal(404, f"no such endpoint; there are {', '.join(sorted(doors))}")
        chosen = methods.get(scope["method"])
        if chosen is None:
            allow = ", ".join(sorted(methods))
            raise asgi.Refusal(405, f"only {allow} here", headers={"allow": allow})
        return await chosen()

    async def _message(self, scope: asgi.Scope, receive: asgi.Receive) -> dict[str, object]:
        body = await asgi.read_body(scope, receive, limit=wire.MAX_BYTES)
        now = self.context.clock.now()
        message = wire.message(
            body,
            channel=self.context.channel,
            own=self.own,
            received_at=now,
            made_id=uuid.uuid4().hex,
        )
        await self.door.accept([message])
        self.phones.sent(
            phone=message.sender.value,
            ours=message.recipient.value,
            text=message.text,
            kind=message.kind,
            message_id=message.provider_id,
            at_ms=clock.to_ms(now),
            free=money.Money(0, self.context.currency),
        )
        return {"ok": True, "id": message.provider_id}

    async def _thread(self, query: dict[str, str]) -> dict[str, object]:
        if "phone" not in query:
            raise asgi.Refusal(400, "phone: is missing; ask for ?phone=...")
        return {
            "now_ms": clock.to_ms(self.context.clock.now()),
            "currency": self.context.currency,
            "run": self.phones.run,
            "messages": [entry.shown() for entry in self.phones.thread(query["phone"])],
        }

    async def _replies(self, query: dict[str, str]) -> dict[str, object]:
        after = query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= 18):  # noqa: PLR2004
            raise asgi.Refusal(400, "after: must be a whole number, the `next` of the last answer")
        found = self.phones.replies(after=int(after), limit=MAX_REPLIES)
        return {
            "run": self.phones.run,
            "next": found[-1].seq if found else int(after),
            "more": len(found) == MAX_REPLIES,
            **self.phones.counts,
            "currency": self.context.currency,
            "replies": [
                {
                    "seq": entry.seq,
                    "reply_id": entry.id,
                    "from": entry.ours,
                    "to": entry.phone,
                    "text": entry.text,
                    "parts": entry.parts,
                    "cost": entry.cost.decimal(),
                    "at_ms": entry.at_ms,
                }
                for entry in found
            ],
        }

    async def _speed(self) -> dict[str, object]:
        lapse = self.context.clock
        running = lapse if isinstance(lapse, clock.LapseClock) else None
        return {
            "speed": running.speed if running else 1.0,
            "can_change": running is not None,
            "now_ms": clock.to_ms(lapse.now()),
        }

    async def _set_speed(self, scope: asgi.Scope, receive: asgi.Receive) -> dict[str, object]:
        found = wire.table(await asgi.read_body(scope, receive, limit=1_024))
        lapse = self.context.clock
        if not isinstance(lapse, clock.LapseClock):
            raise asgi.Refusal(409, "this clock is the real one; only the demo can run faster")
        speed = found.get("speed")
        if isinstance(speed, bool) or not isinstance(speed, int | float):
            raise asgi.Refusal(400, 'speed: must be a number; send {"speed": 360} or {"speed": 1}')
        if not (math.isfinite(speed) and 1 <= speed <= MAX_SPEED):
            raise asgi.Refusal(400, f"speed: must be between 1 and {MAX_SPEED:.0f}")
        lapse.set_speed(speed)
        return await self._speed()

    async def _forum(self) -> dict[str, object]:
        return self.forum.shown()

    async def _let_loose(self, scope: asgi.Scope, receive: asgi.Receive) -> dict[str, object]:
        """In the demo only: a number that stands open to others is nobody's to flood."""
        found = wire.table(await asgi.read_body(scope, receive, limit=1_024))
        if not isinstance(self.context.clock, clock.LapseClock):
            raise asgi.Refusal(409, "this clock is the real one; only the demo has a forum")
        if self.own[0].network != address.SMS:
            raise asgi.Refusal(409, "the forum writes by SMS; ask the channel that has it")
        kind, lang = found.get("kind"), found.get("lang", "fr")
        if kind is None:
            self.forum.stop()
            return self.forum.shown()
        if kind not in list(crowd.Kind) or not isinstance(lang, str):
            known = ", ".join(f'"{one}"' for one in crowd.Kind)
            raise asgi.Refusal(400, f"kind: must be one of {known}, or null to end it")
        try:
            self.forum.start(crowd.Kind(str(kind)), lang)
        except forum.BusyError:
            raise asgi.Refusal(409, "one evening is going on; end it first") from None
        except ValueError as error:
            raise asgi.Refusal(400, str(error)) from None
        return self.forum.shown()

    async def _prices(self) -> dict[str, object]:
        return {
            "currency": self.context.currency,
            "prices": {country: price.decimal() for country, price in self.prices.items()},
        }


def _query(scope: asgi.Scope) -> dict[str, str]:
    """The query as text, the last of equal names; raises Refusal for what nobody types."""
    try:
        pairs = urllib.parse.parse_qsl(
            scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=8,
        )
    except ValueError:
        raise asgi.Refusal(400, "the query cannot be read; escape it as UTF-8") from None
    return dict(pairs)

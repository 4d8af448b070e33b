"""People who write over HTTP, several at once, and send again what was not acknowledged.

Each message keeps its id until somebody acknowledges it, as a provider does. Some messages come
twice at the same time, and some come again long after they were acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
import uuid
from collections.abc import AsyncIterator

import aiohttp

from tests.e2e import program

_AGAIN_S = 0.05
_LAST_NUMBER = 9_999


@dataclasses.dataclass(slots=True, kw_only=True)
class Message:
    """What was sent and when, by the wall clock in milliseconds."""

    id: str
    channel: str
    sender: str
    text: str
    first_try_ms: int = 0
    acknowledged_ms: int | None = None


class Crowd:
    """Writes until told to stop; `messages` is what it knows of the truth."""

    def __init__(self, url: str, seed: int) -> None:
        """Nobody writes yet."""
        self.messages: list[Message] = []
        self.acknowledged = 0
        self.resent = 0
        self.repeated = 0
        self.odd: list[str] = []
        # Set when each client has ended what it had in hand.
        self.ended = asyncio.Event()
        self._url = url
        self._random = random.Random(seed)
        self._people: list[tuple[str, str]] = []
        self._numbers = 0
        self._is_over = asyncio.Event()

    async def write(self, clients: int) -> None:
        """Until `finish`; then each client ends what it has in hand."""
        limit = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(clients):
                group.create_task(self._client(session))
        self.ended.set()

    def finish(self) -> None:
        """Nobody begins a new message."""
        self._is_over.set()

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self._is_over.is_set():
            for message in self._next():
                await self._send(session, message)
            if self.acknowledged and self._random.random() < 0.1:
                await self._repeat(session)

    def _next(self) -> list[Message]:
        """A new person, an old one, or one who writes and takes it back at once."""
        draw = self._random.random()
        if self._people and draw < 0.4:
            return [self._message(self._random.choice(self._people), "Tu réponds pas ?")]
        self._numbers += 1
        if self._numbers % 2 and self._numbers // 2 < _LAST_NUMBER:
            person = ("sms", f"+3363998{self._numbers // 2 + 1:04}")
        else:
            person = ("signal", str(uuid.UUID(int=self._random.getrandbits(128), version=4)))
        words = ["Salut, c'est Max"]
        if draw > 0.9:
            # Nobody else writes as this person, so that the STOP is the last word.
            words.append("STOP")
        else:
            self._people.append(person)
        return [self._message(person, text) for text in words]

    def _message(self, person: tuple[str, str], text: str) -> Message:
        return Message(
            id=f"{self._random.getrandbits(64):016x}",
            channel=person[0],
            sender=person[1],
            text=text,
        )

    async def _send(self, session: aiohttp.ClientSession, message: Message) -> None:
        """Until it is acknowledged, with the same id each time."""
        message.first_try_ms = _now_ms()
        self.messages.append(message)
        at_once = 2 if self._random.random() < 0.05 else 1
        while message.acknowledged_ms is None:
            taken = await asyncio.gather(*(self._post(session, message) for _ in range(at_once)))
            if any(taken):
                message.acknowledged_ms = _now_ms()
                self.acknowledged += 1
            else:
                self.resent += 1
                await asyncio.sleep(_AGAIN_S)

    async def _repeat(self, session: aiohttp.ClientSession) -> None:
        """A message that was acknowledged some time ago, perhaps before a kill."""
        message = self._random.choice(self.messages)
        if message.acknowledged_ms is not None and await self._post(session, message):
            self.repeated += 1

    async def _post(self, session: aiohttp.ClientSession, message: Message) -> bool:
        """Whether it was acknowledged. 503 means "again"; any other answer is noted as odd."""
        body = {"id": message.id, "from": message.sender, "text": message.text}
        try:
            async with session.post(
                f"{self._url}/phone/{message.channel}/api/messages", json=body
            ) as answer:
                if answer.status not in {200, 503}:
                    self.odd.append(f"{answer.status} {await answer.text()}")
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def writing(to: program.Program, *, seed: int, clients: int) -> AsyncIterator[Crowd]:
    """A crowd that writes meanwhile, and has its last message acknowledged at the end."""
    crowd = Crowd(to.url, seed)
    task = asyncio.create_task(crowd.write(clients))
    try:
        yield crowd
        crowd.finish()
        async with asyncio.timeout(program.START_LIMIT_S):
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

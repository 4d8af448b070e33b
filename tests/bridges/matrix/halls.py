"""One installation with two moderators' rooms, one plain and one encrypted, and who sits in them.

The program is the real one, in a process that is killed and started again; the phones and the
homeserver are processes of their own, and remember.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import functools
import random
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from bot import build, config
from bot.contract.conformance import fakes
from bot.store import choosing, schema
from bridges.matrix import calls
from tests.bridges.matrix import people, test_program, world
from tests.e2e import program
from tests.fakes import world as phones_world
from tests.peers import synapse

WITHIN_S = 400.0
BAITS = ("bonjour le vélo est dispo ?", "je viens pour la colocation rue haute")
DISTRESS = "je veux mourir"
HELLOS = ("salut c'est hugo", "coucou ça va ?", "bjr le mec du bar", "hey", "slt tu fais quoi")
_STEP_S = 300
# So many lives end before they are ready for anything.
_EARLY = 0.5
_CODE = re.compile(r"!yes ([a-z0-9]{5})")

_CONFIG = """
[store]
url = "sqlite:{folder}/antirelou.db"
key_file = "{folder}/antirelou.key"

[web]
port = {port}

[reply]
delay_min_s = 1
delay_max_s = 2

[budget]
cap_day = "{cap_day}"
cap_month = "{cap_month}"

[room]
language = "{language}"

[log]
level = "warning"
format = "json"

[channels.sms]
kind = "simulator"
addresses = ["{ours}"]
price = "0.08"
deliver_to = "{phones}"
parts_per_second = 5
"""
_ROOM = """
[channels.{name}]
kind = "matrix"
role = "room"
homeserver = "{server}"
user = "{user}"
folder = "{folder}/{name}"
password_file = "{folder}/password"
room = "{room}"
roster = {{ "{first}" = "moderator", "{second}" = "admin" }}
"""


@dataclasses.dataclass(kw_only=True, eq=False)
class Hall:
    """One room: `first` decides, `second` agrees and books donations.

    `asked`: the event ids of all that they wrote as commands, by account.
    """

    name: str
    encrypted: bool
    user: str
    first: people.Person
    second: people.Person
    room_id: str = ""
    asked: list[tuple[people.Person, str]] = dataclasses.field(default_factory=list)

    async def gather(self) -> None:
        """Both come in; the bot is asked."""
        for who in (self.first, self.second):
            await who.open()
        invited = [self.user, self.second.user]
        self.room_id = await self.first.create(encrypted=self.encrypted, invite=invited)
        await self.second.join(self.room_id)
        levels = calls.path("rooms", self.room_id, "state", "m.room.power_levels", "")
        await self.first.raw("PUT", levels, {"users": {self.second.user: 50}})

    async def command(self, who: people.Person, text: str) -> str:
        """Write a command; its event id."""
        event_id = await who.say(self.room_id, text)
        self.asked.append((who, event_id))
        return event_id

    async def ask(self, text: str) -> people.Seen:
        """The first moderator writes; what the bot answered."""
        event_id = await self.command(self.first, text)
        return await self.found(lambda one: answers(one) == event_id)

    async def found(self, fits: Callable[[people.Seen], bool]) -> people.Seen:
        """The first message of the bot that fits, now or later, as the first moderator sees it."""
        who = self.first
        try:
            await who.until(lambda: any(map(fits, who.messages(self.user))), WITHIN_S)
        except TimeoutError:
            heard = "\n".join(map(body, who.messages(self.user)))
            raise AssertionError(f"in vain; {self.name} heard:\n{heard}") from None
        return next(one for one in who.messages(self.user) if fits(one))

    async def close(self) -> None:
        for who in (self.first, self.second):
            await who.close()


def answers(one: people.Seen) -> str | None:
    """Which event this replies to."""
    told = one.content.get("m.relates_to", {}).get("m.in_reply_to", {})
    return told.get("event_id") if isinstance(told, dict) else None


def body(one: people.Seen) -> str:
    """What it says now: an edit's own words."""
    return str(one.content.get("m.new_content", one.content)["body"])


def code_in(one: people.Seen) -> str:
    """The code of a question."""
    found = _CODE.search(body(one))
    assert found is not None, body(one)
    return found[1]


class House:
    """The installation and its process."""

    def __init__(
        self, folder: Path, server: synapse.Synapse, phones: program.Phones, **told: str
    ) -> None:
        """`told`: over the configuration's language and caps."""
        self._told = {"language": "en", "cap_day": "10000", "cap_month": "100000", **told}
        self.folder, self.server, self.phones = folder, server, phones
        self.database = folder / "antirelou.db"
        self.config = folder / "config.toml"
        self.port = program.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.kills = 0
        self.process: asyncio.subprocess.Process | None = None
        (folder / "password").write_text(people.PASSWORD)
        self.halls = [
            self._hall("moderators", encrypted=False),
            self._hall("encrypted", encrypted=True),
        ]

    def _hall(self, name: str, *, encrypted: bool) -> Hall:
        return Hall(
            name=name,
            encrypted=encrypted,
            user=self.server.register(f"bot-{name}-{secrets.token_hex(3)}", people.PASSWORD),
            first=people.Person(self.server, self.folder, "ada"),
            second=people.Person(self.server, self.folder, "bea"),
        )

    def configure(self) -> None:
        """Write the configuration; the rooms exist."""
        told = _CONFIG.format(
            folder=self.folder,
            port=self.port,
            ours=phones_world.OURS,
            phones=self.phones.url,
            **self._told,
        )
        for hall in self.halls:
            told += _ROOM.format(
                name=hall.name,
                server=self.server.url,
                user=hall.user,
                folder=self.folder,
                room=hall.room_id,
                first=hall.first.user,
                second=hall.second.user,
            )
        self.config.write_text(told)

    async def begin(self) -> None:
        """Rooms, set-up by the command, and a first life in which the bot comes in."""
        for hall in self.halls:
            await hall.gather()
        self.configure()
        for hall in self.halls:
            await test_program.ended(self.config, "setup", hall.name, "--apply")
        await self.seed(dt.timedelta(hours=10), dt.timedelta(hours=2), flood=False)
        await self.start()
        for hall in self.halls:
            # Whoever has not seen the bot come in encrypts for everybody but it.
            for who in (hall.first, hall.second):
                here = functools.partial(world.is_joined, who, hall.room_id, hall.user)
                await who.until(here)
            await hall.ask("!help status")
        await self.kill()

    # ------------------------------------------------------------ lives

    async def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*program.command(), "run", "--config", str(self.config)),
                cwd=program.ROOT,
                env=program.environment(),
                stdout=log,
                stderr=log,
            )

    async def lives_for(self, seconds: float) -> None:
        """AssertionError if it ends by itself."""
        assert self.process is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                code = await self.process.wait()
                raise AssertionError(f"it ended with {code}: {self.said()}")

    async def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def killed(self, times: int, draw: random.Random) -> None:
        """Start and kill, again and again: in mid-start-up, or soon after it was ready."""
        for _ in range(times):
            await self.start()
            if draw.random() < _EARLY:
                await self.lives_for(draw.uniform(0.1, 1.2))
            else:
                await program.until("the program's first answer", self._answers, 90)
                await self.lives_for(draw.uniform(0.0, 1.5))
            await self.kill()
            self.kills += 1

    async def _answers(self) -> bool:
        """Whether the web listener does; the rooms are asked a moment later."""
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.said()}")
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}/api/channels") as answer,
            ):
                return answer.status < 500
        except (aiohttp.ClientError, OSError):
            return False

    def said(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace")[-3_000:] if log.exists() else ""

    # ------------------------------------------------------------ what happened before

    async def seed(self, since: dt.timedelta, until: dt.timedelta, *, flood: bool) -> None:
        """People wrote, so long ago, to the very database; nobody runs now.

        In calm times everybody looked and sent. In the flood somebody looked once, half way, so
        that later ones are known as its when they come; its alert is the program's own to give.
        """
        told = config.load(self.config, environ={})
        store = choosing.store(told.store.url)
        await store.open()
        keys = await schema.prepare(store, told.store.key_file, told.core.budget.currency)
        now = dt.datetime.now(dt.UTC)
        moment = fakes.FakeClock(now - since)
        core = dataclasses.replace(
            told.core, who=dataclasses.replace(told.core.who, answer_fiction=True)
        )
        network = {"sms": phones_world.World()}
        rooms = build.rooms(store=store, core=core, keys=keys, bridges=network, moment=moment)
        crowd = _Crowd(5000 if flood else 0)
        if flood:
            await rooms.intake.accept([crowd.message(DISTRESS, moment.now()) for _ in range(2)])
        half, looked = now - (since + until) / 2, False
        while moment.now() < now - until:
            kinds = [HELLOS] * 2 + [(bait,) for bait in BAITS for _ in range(5) if flood]
            words = [crowd.draw.choice(kind) for kind in kinds]
            await rooms.intake.accept([crowd.message(one, moment.now()) for one in words])
            await moment.advance(_STEP_S)
            if not flood or (moment.now() >= half and not looked):
                looked = True
                await rooms.flood.look()
            while not flood and await rooms.dispatcher.step():
                pass
        await store.close()

    # ------------------------------------------------------------ what is in the database

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def rows(self, query: str, *told: object) -> list[dict[str, Any]]:
        with self.opened() as connection:
            return [dict(row) for row in connection.execute(query, told)]

    def acts(self) -> collections.Counter[tuple[str, str]]:
        """(account, act) -> how often it stands in the trail."""
        found = self.rows("SELECT who, act FROM audit")
        return collections.Counter((row["who"], row["act"]) for row in found)


class _Crowd:
    def __init__(self, first: int) -> None:
        self.draw = random.Random(5)
        self._next = first

    def message(self, text: str, at: dt.datetime) -> Any:  # noqa: ANN401 (as the fake's)
        self._next += 1
        return phones_world.message(self._next, text=text, at=at)


@contextlib.asynccontextmanager
async def opened(
    folder: Path, server: synapse.Synapse, seed: int, **told: str
) -> AsyncIterator[House]:
    """A house with both rooms, in calm times; nothing runs in it."""
    async with program.phones(seed) as phones:
        house = House(folder, server, phones, **told)
        try:
            await house.begin()
            yield house
        finally:
            await house.kill()
            for hall in house.halls:
                await hall.close()

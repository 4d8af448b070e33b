"""Our own sync loop: one request at a time, news handed on, and the token only after that.

`take` returns when the news and the token are durably stored; only then the next request
acknowledges them to the homeserver. So a kill anywhere brings the same news again. Every pause
grows and has jitter; a token that is no longer known ends the loop for a human.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from bot.contract import bridge, clock, intake
from bridges.matrix import calls, crypto, gaps, trust, verifying, wire

POLL_S: Final = 30
TIMELINE: Final = 100
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 120.0
LOGIN_AGAIN: Final = "the homeserver no longer knows our login: run `antirelou setup {} --apply`"
_NONE: Final[dict[str, Any]] = {"types": []}
_FILTER: Final = json.dumps({
    "room": {
        "timeline": {"limit": TIMELINE},
        "ephemeral": _NONE,
        "account_data": _NONE,
    },
    "presence": _NONE,
    "account_data": _NONE,
})  # fmt: skip

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RoomNews:
    """What happened in one room. `fresh`: we joined it just now. `whole`: no gap is left."""

    room_id: str
    state: tuple[Mapping[str, Any], ...]
    heard: tuple[wire.Heard, ...]
    fresh: bool = False
    whole: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Invitation:
    """Somebody asked us in. `public`: anybody may join that room, so it is no direct one."""

    room_id: str
    by: str
    public: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class News:
    """One answer of the homeserver. `since` None: the first ever, so its timelines are history.

    `full`: the state of every room is in it, not only what changed.
    """

    cursor: str
    since: str | None
    full: bool
    rooms: tuple[RoomNews, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    left: tuple[str, ...] = ()
    wishes: tuple[verifying.Wish, ...] = ()
    doubts: tuple[trust.Doubt, ...] = ()


class Patience:
    """Waits between tries: what the homeserver asks for, else doubling, always with jitter."""

    def __init__(self, moment: clock.Clock, draw: Callable[[], float]) -> None:
        """`draw` gives a number in [0, 1)."""
        self._clock = moment
        self._draw = draw
        self.failures = 0
        self.reason = ""

    def well(self) -> None:
        """It answered."""
        self.failures = 0
        self.reason = ""

    async def wait(self, error: calls.CallError) -> None:
        """Pause after this failure."""
        self.failures += 1
        self.reason = str(error)
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 16))
        pause_s *= 0.5 + self._draw() / 2
        if isinstance(error, calls.LimitedError):
            pause_s = error.retry_after_s * (1 + self._draw() / 4)
        await self._clock.sleep(pause_s)


class Listening:
    """Runs until cancelled. Raises BridgeDownError when a human must log in."""

    def __init__(
        self,
        *,
        channel: str,
        own: str,
        server: calls.Homeserver,
        keys: crypto.Crypto,
        trusted: trust.Trust,
        patience: Patience,
        take: Callable[[News], Awaitable[None]],
        reads_back: bool,
    ) -> None:
        """`reads_back`: in a room joined just now, what stood there before counts too."""
        self._channel = channel
        self._own = own
        self._server = server
        self._keys = keys
        self._trusted = trusted
        self.patience = patience
        self._take = take
        self._reads_back = reads_back

    async def run(self, since: str | None) -> None:
        """Sync from this token on; the first time with the state of all rooms."""
        full = True
        while True:
            body = await self._patiently(functools.partial(self._ask, since, full=full))
            news = await self._digest(body, since, full=full)
            await self._take(news)
            since, full = news.cursor, False
            await self._chores()

    async def _ask(self, since: str | None, *, full: bool) -> calls.Body:
        query = {"filter": _FILTER, "set_presence": "offline"}
        if since is not None:
            query["since"] = since
        if full:
            query["full_state"] = "true"
        query["timeout"] = "0" if full else str(POLL_S * 1000)
        body = await self._server.call(
            "GET", calls.path("sync"), query=query, limit_s=POLL_S + calls.LIMIT_S
        )
        if not isinstance(body.get("next_batch"), str):
            raise calls.AwayError("a sync answer without a token")
        self._keys.take(body)
        return body

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until it is answered. Raises BridgeDownError for a login that is gone."""
        while True:
            try:
                told = await ask()
            except calls.TokenError:
                raise bridge.BridgeDownError(
                    "the homeserver refuses our login",
                    needs_human=LOGIN_AGAIN.format(self._channel),
                ) from None
            except calls.CallError as error:
                await self.patience.wait(error)
            else:
                self.patience.well()
                return told

    async def _chores(self) -> None:
        """Keys up, sessions mended; what fails is done in the next round."""
        try:
            await self._keys.chores()
        except calls.TokenError:
            return
        except calls.CallError as error:
            await self.patience.wait(error)

    async def _digest(self, body: calls.Body, since: str | None, *, full: bool) -> News:
        doubts = await self._patiently(self._trusted.refresh)
        rooms = _dict(body.get("rooms"))
        joined = [
            await self._room(room_id, _dict(told), since)
            for room_id, told in _dict(rooms.get("join")).items()
        ]
        invitations = invitations_of(rooms, self._own)
        left = tuple(_dict(rooms.get("leave")))
        for room_id in left:
            self._keys.forget(room_id)
        return News(
            cursor=str(body["next_batch"]),
            since=since,
            full=full,
            rooms=tuple(joined),
            invitations=invitations,
            left=left,
            wishes=verifying.between_devices(_dict(body.get("to_device")).get("events")),
            doubts=tuple(doubts),
        )

    async def _room(self, room_id: str, told: Mapping[str, Any], since: str | None) -> RoomNews:
        timeline = _dict(told.get("timeline"))
        events = _events(timeline)
        fresh = any(_joined_now(event, self._own) for event in events)
        earlier: list[dict[str, Any]] = []
        whole, start = True, timeline.get("prev_batch")
        back = fresh and self._reads_back
        if timeline.get("limited") is True and since is not None and isinstance(start, str):
            if back or not fresh:
                earlier, whole = await self._gap(room_id, start, None if back else since)
            fresh = fresh or any(_joined_now(event, self._own) for event in earlier)
        return RoomNews(
            room_id=room_id,
            state=tuple(_events(_dict(told.get("state")))),
            heard=tuple(self._keys.hear(event, room_id) for event in (*earlier, *events)),
            fresh=fresh,
            whole=whole or back,
        )

    async def _gap(
        self, room_id: str, start: str, until: str | None
    ) -> tuple[list[dict[str, Any]], bool]:
        pages = gaps.BACK_PAGES if until is None else gaps.MAX_PAGES
        fill = functools.partial(
            gaps.fill, self._server, room_id, start=start, until=until, max_pages=pages
        )

        async def ask() -> tuple[list[dict[str, Any]], bool]:
            try:
                return await fill()
            except calls.TokenError:
                raise
            except calls.RefusedError:
                # We may no longer read there: say that there is a gap, do not ask for ever.
                return [], False

        return await self._patiently(ask)


def invitations_of(rooms: Mapping[str, Any], own: str) -> tuple[Invitation, ...]:
    """Who asked us into which room, from the `rooms` of a sync answer."""
    found: list[Invitation] = []
    for room_id, told in _dict(rooms.get("invite")).items():
        state = _events(_dict(_dict(told).get("invite_state")))
        public = any(
            event.get("type") == "m.room.join_rules"
            and _dict(event.get("content")).get("join_rule") == "public"
            for event in state
        )
        by = [
            event.get("sender")
            for event in state
            if event.get("type") == "m.room.member"
            and event.get("state_key") == own
            and _dict(event.get("content")).get("membership") == "invite"
        ]
        if by and isinstance(by[0], str):
            found.append(Invitation(room_id=room_id, by=by[0], public=public))
    return tuple(found)


def _joined_now(event: Mapping[str, Any], own: str) -> bool:
    """Whether this is our own joining (a changed name is a join event too)."""
    before = _dict(_dict(event.get("unsigned")).get("prev_content"))
    return (
        event.get("type") == "m.room.member"
        and event.get("state_key") == own
        and _dict(event.get("content")).get("membership") == "join"
        and before.get("membership") != "join"
    )


def _events(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = told.get("events")
    return (
        [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    )


def _dict(told: object) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


class Keeper(Protocol):
    """A door of the core that keeps our place in the stream."""

    async def cursor(self, channel: str) -> str | None:
        """As contract.intake.Intake.cursor."""


async def cursor(door: Keeper, context: bridge.Context) -> str | None:
    """Where we stopped; waits for a store that is away."""
    while True:
        try:
            return await door.cursor(context.channel)
        except intake.NotStoredError as away:
            await context.clock.sleep(away.retry_after_s)

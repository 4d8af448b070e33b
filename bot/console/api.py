"""The console of the demo's page: JSON at /console/api/, loopback only, behind a token.

`routes` gives two endpoints in one: GET state, which the page asks for twice a second, and POST
act. Who may reach it at all is decided by whoever mounts it.
"""

from __future__ import annotations

import functools
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import clusters, funds, holding, modes, names, status
from bot.console.results import Done, Words, as_json, said
from bot.console.story import cost_micros
from bot.contract import bridge, clock, money
from bot.dispatcher import claim
from bot.policy import reasons, settings
from bot.policy.flood.snapshot import Mode
from bot.store import database, events, tables, vault

PATH: Final = "/console/api/"
WHO: Final = "console"
DECISIONS_SHOWN: Final = 50
MAX_BODY: Final = 4_096
_HEADER: Final = b"x-console-token"
_in, _r = tables.inbound, tables.replies

_NEWEST = (
    sa.select(
        _in.c.id,
        _in.c.received_ms,
        _in.c.network,
        _in.c.person_id,
        _in.c.decision,
        _in.c.reason,
        _in.c.reply_id,
        _r.c.state,
        _r.c.due_ms,
        _r.c.price_micros,
        _r.c.reserved_micros,
    )
    .select_from(_in.outerjoin(_r, _r.c.id == _in.c.reply_id))
    .order_by(_in.c.id.desc())
    .limit(DECISIONS_SHOWN)
)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Act = Callable[[sa.Connection], Done]


def routes(
    store: database.Store,
    core: settings.Core,
    keys: vault.Vault,
    moment: clock.Clock,
    token: str,
) -> Sequence[bridge.Route]:
    """The one route to mount. `token`: what every request must carry, not empty."""
    if not token:
        raise ValueError("the console needs a token")
    return (bridge.Route(path=PATH, app=_Api(store, core, keys, moment, token.encode())),)


def state(
    tx: sa.Connection, core: settings.Core, keys: vault.Vault, now_ms: int
) -> dict[str, object]:
    """All that the page shows, from one snapshot."""
    counted = events.totals(tx)
    bill = funds.bill(tx, core.budget, now_ms, counted)
    present = modes.present(tx, now_ms)
    return {
        "now_ms": now_ms,
        "mode": present.mode,
        "mode_why": as_json(present.why),
        "mode_until_ms": present.until_ms,
        "mode_by_hand": present.by_hand,
        "paused": claim.paused(events.controls(tx), None, now_ms),
        "queue": status.queue(tx),
        "next_due_ms": outbox.next_due(tx),
        "bill": as_json(bill),
        "messages": counted.get("messages", 0),
        "people": status.people(tx),
        "replies": counted.get("sent", 0),
        "clusters": [as_json(one) for one in clusters.listed(tx, keys, core)],
        "decisions": [_decision(row, keys) for row in tx.execute(_NEWEST).mappings()],
    }


def _decision(row: sa.RowMapping, keys: vault.Vault) -> dict[str, object]:
    reply: dict[str, object] | None = None
    if row["state"] is not None:
        micros = cost_micros(row["price_micros"], row["reserved_micros"])
        reply = {
            "id": outbox.key(keys, row["reply_id"]),
            "state": row["state"],
            "due_ms": row["due_ms"],
            "cost": None if micros is None else money.plain(micros),
        }
    return {
        "id": str(row["id"]),
        "at_ms": row["received_ms"],
        "network": row["network"],
        "who": names.person(keys, row["person_id"]),
        "decision": row["decision"],
        "reason": row["reason"],
        "words": as_json(reasons.of(row["reason"])),
        "reply": reply,
    }


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, words: Words) -> None:
        super().__init__(words.en)
        self.code = code
        self.words = words


_FORBIDDEN: Final = said(
    "Open the page by the address that antirelou printed.",
    "Ouvrez la page par l'adresse qu'antirelou a affichée.",
)
_NOT_THERE: Final = said("There is no such page.", "Cette page n'existe pas.")
_UNREADABLE: Final = said("That could not be read.", "Impossible à lire.")
_UNKNOWN_ACT: Final = said(
    "Known are pause, resume, approve, drop, mode.",
    "On connaît pause, resume, approve, drop, mode.",
)
_NO_CLUSTER: Final = said(
    "Nothing is held under that name any more.", "Plus rien n'est retenu sous ce nom."
)
_NO_MODE: Final = said("There is no such mode.", "Ce mode n'existe pas.")
_NO_REPLY: Final = said("There is no such reply.", "Cette réponse n'existe pas.")
_AWAY: Final = said(
    "The database is busy; try again.", "La base de données est occupée ; réessayez."
)


class _Api:
    """The ASGI application."""

    def __init__(
        self,
        store: database.Store,
        core: settings.Core,
        keys: vault.Vault,
        moment: clock.Clock,
        token: bytes,
    ) -> None:
        self._store, self._core, self._keys = store, core, keys
        self._clock, self._token = moment, token

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            code, body = await self._answer(scope, receive)
        except _Refused as refused:
            code, body = refused.code, {"ok": False, "message": as_json(refused.words)}
        except database.StoreAwayError:
            code, body = 503, {"ok": False, "message": as_json(_AWAY)}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(data)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive
    ) -> tuple[int, object]:
        given = b"".join(v for k, v in scope["headers"] if k.lower() == _HEADER)
        if not hmac.compare_digest(given, self._token):
            raise _Refused(403, _FORBIDDEN)
        now_ms = clock.to_ms(self._clock.now())
        match scope["method"], scope["path"].removeprefix(PATH):
            case "GET", "state":
                work = functools.partial(state, core=self._core, keys=self._keys, now_ms=now_ms)
                return 200, await self._store.read(work)
            case "POST", "act":
                done = await self._store.write(self._act(await _body(receive), now_ms))
                return (200 if done.ok else 409), {"ok": done.ok, "message": as_json(done.said)}
        raise _Refused(404, _NOT_THERE)

    def _act(self, asked: object, now_ms: int) -> Act:
        """The transaction that was asked for."""
        asked = asked if isinstance(asked, dict) else {}
        match asked.get("action"):
            case "pause":
                return functools.partial(holding.pause, now_ms=now_ms, who=WHO, until_ms=None)
            case "resume":
                return functools.partial(holding.resume, now_ms=now_ms, who=WHO)
            case "mode":
                return self._mode(asked, now_ms)
            case "approve" | "drop" if "cluster" in asked:
                return self._cluster(str(asked["cluster"]), str(asked["action"]), now_ms)
            case "approve":
                return functools.partial(
                    holding.approve,
                    ids=self._ids(asked),
                    keys=self._keys,
                    rules=self._core.reply,
                    now_ms=now_ms,
                    who=WHO,
                )
            case "drop":
                ids = self._ids(asked)
                return functools.partial(
                    holding.drop, ids=ids, keys=self._keys, now_ms=now_ms, who=WHO
                )
        raise _Refused(400, _UNKNOWN_ACT)

    def _mode(self, asked: dict[str, object], now_ms: int) -> Act:
        until_ms = asked.get("until_ms")
        if asked.get("mode") not in list(Mode) or not isinstance(until_ms, int | None):
            raise _Refused(400, _NO_MODE)
        mode = Mode(str(asked["mode"]))
        return functools.partial(
            modes.set_mode, mode=mode, now_ms=now_ms, who=WHO, until_ms=until_ms
        )

    def _cluster(self, code: str, action: str, now_ms: int) -> Act:
        """One gesture for all that is held together."""

        def work(tx: sa.Connection) -> Done:
            found = clusters.named(tx, self._keys, codes=[code])
            if not found:
                return Done(ok=False, said=_NO_CLUSTER)
            if action == "drop":
                return clusters.drop(tx, found, keys=self._keys, now_ms=now_ms, who=WHO)
            rules = self._core.reply
            return clusters.approve(tx, found, keys=self._keys, rules=rules, now_ms=now_ms, who=WHO)

        return work

    def _ids(self, asked: dict[str, object]) -> list[int]:
        found = outbox.read_key(self._keys, str(asked.get("reply")))
        if found is None:
            raise _Refused(404, _NO_REPLY)
        return [found]


async def _body(receive: Receive) -> object:
    data, more = b"", True
    while more:
        event = await receive()
        data += event.get("body", b"")
        more = event.get("more_body", False)
        if len(data) > MAX_BODY or event["type"] == "http.disconnect":
            raise _Refused(400, _UNREADABLE)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise _Refused(400, _UNREADABLE) from None

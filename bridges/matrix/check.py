"""`antirelou check`: what is missing around a Matrix account. Asks, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.contract import bridge, clock
from bridges.matrix import account, calls, cross_signing, session, settings

_GOOD: Final = bridge.Verdict.GOOD
_WARNING: Final = bridge.Verdict.WARNING
_FAULT: Final = bridge.Verdict.FAULT
_LIMIT_S: Final = 8.0

Tell = Callable[..., None]


def context_of(channel: str, storage: bridge.Storage) -> bridge.Context:
    """A context for work outside `listen`, by the machine's own clock."""
    return bridge.Context(
        channel=channel, clock=clock.SystemClock(), storage=storage, currency="EUR"
    )


async def findings(chosen: settings.Settings, channel: str) -> list[bridge.Finding]:
    """Everything that was looked at; never raises."""
    found: list[bridge.Finding] = []

    def tell(verdict: bridge.Verdict, about: str, sentence: str, mend: str = "") -> None:
        found.append(bridge.Finding(verdict=verdict, about=about, sentence=sentence, mend=mend))

    setup = f"run `antirelou setup {channel} --apply`"
    login = session.Folder(chosen.folder).login()
    if login is None or login.user != chosen.user:
        tell(_FAULT, "login", "there is none", setup)
        return found
    server = calls.Homeserver(chosen.homeserver, login.token)
    try:
        who = await server.call("GET", calls.path("account", "whoami"), limit_s=_LIMIT_S)
        if who.get("device_id") != login.device:
            tell(_FAULT, "login", "is another device's", setup)
            return found
        tell(_GOOD, "login", "works")
        await _keys(chosen, server, login, setup, tell)
        if chosen.role == settings.ROOM:
            await _room(chosen, server, tell)
        else:
            await _profile(server, login, tell)
    except calls.TokenError:
        tell(_FAULT, "login", "is no longer known to the homeserver", setup)
    except calls.CallError as error:
        tell(_FAULT, "homeserver", str(error), "is it up, and is `homeserver` right?")
    finally:
        await server.close()
    return found


async def _keys(
    chosen: settings.Settings,
    server: calls.Homeserver,
    login: session.Login,
    setup: str,
    tell: Tell,
) -> None:
    """Our own device: known, ours, and signed."""
    answer = await account.ask_own(server, login.user)
    folder = session.Folder(chosen.folder)
    if account.told_device(answer, login.user, login.device) is None:
        tell(_WARNING, "device", "has published no keys yet", f"{setup}, or start the program")
    elif not (folder.path / session.STORE).exists():
        tell(_FAULT, "crypto store", "is lost", f"{setup}: it logs in a new device")
    elif account.is_cross_signed(answer, login.user, login.device):
        tell(_GOOD, "device", "is cross-signed: clients show it as verified by its owner")
    else:
        tell(_FAULT, "device", "is not cross-signed: Element will not talk to it", setup)
    if folder.read(session.RECOVERY) is None:
        tell(
            _WARNING,
            "recovery key",
            "is not in the folder",
            "nothing to do if you keep it elsewhere; a new device needs it",
        )


async def _room(chosen: settings.Settings, server: calls.Homeserver, tell: Tell) -> None:
    """The moderators' room: whether we are in it, and whether it is encrypted."""
    told = await server.call("GET", calls.path("joined_rooms"), limit_s=_LIMIT_S)
    rooms = told.get("joined_rooms")
    if not isinstance(rooms, list) or chosen.room_id not in rooms:
        mend = "let one of the roster invite our account into it; the running program follows"
        tell(_FAULT, "room", "we are not in the moderators' room", mend)
        return
    try:
        target = calls.path("rooms", chosen.room_id, "state", "m.room.encryption", "")
        await server.call("GET", target, limit_s=_LIMIT_S)
        tell(_GOOD, "room", "we are in it, and it is encrypted")
    except calls.RefusedError as error:
        if error.code != "M_NOT_FOUND":
            raise
        mend = "turn encryption on in the room's settings"
        tell(_WARNING, "room", "is not encrypted: its homeservers can read it", mend)
    try:
        target = calls.path("rooms", chosen.room_id, "state", "m.room.tombstone", "")
        await server.call("GET", target, limit_s=_LIMIT_S)
        mend = "write the new room's id into `room`, restart, and invite our account there"
        tell(_FAULT, "room", "was replaced by another (an upgrade)", mend)
    except calls.RefusedError as error:
        if error.code != "M_NOT_FOUND":
            raise
    await _moderators(chosen, server, tell)


async def _moderators(chosen: settings.Settings, server: calls.Homeserver, tell: Tell) -> None:
    joined = await server.call("GET", calls.path("rooms", chosen.room_id, "joined_members"))
    members = joined.get("joined")
    here = set(members) if isinstance(members, dict) else set()
    users = sorted(chosen.roster)
    away = [place for place, user in enumerate(users, 1) if user not in here]
    if away:
        tell(
            _WARNING,
            "roster",
            f"not all {len(users)} are in the room: not numbers {away}, by the alphabet",
            "invite them, or take them off the roster",
        )
    strangers = len(here - set(users) - {chosen.user})
    if strangers:
        mend = "ask them to leave, or put them on the roster as reader"
        tell(_WARNING, "room", f"{strangers} in it are not on the roster and can read along", mend)
    body: calls.Body = {"device_keys": {user: [] for user in users}}
    answer = await server.call("POST", calls.path("keys", "query"), body)
    without = [n for n, user in enumerate(users, 1) if cross_signing.identity(answer, user) is None]
    if without and chosen.strict:
        mend = "they set up recovery in their client (Element: Settings, Encryption)"
        sentence = f"numbers {without} have no cross-signing identity and will not be obeyed"
        tell(_WARNING, "roster", f"{sentence} in an encrypted room", mend)


async def _profile(server: calls.Homeserver, login: session.Login, tell: Tell) -> None:
    """The public handle must not tell what it is (C16)."""
    told = await server.call("GET", calls.path("profile", login.user), limit_s=_LIMIT_S)
    name = told.get("displayname")
    local = login.user[1:].partition(":")[0]
    if told.get("avatar_url") or (isinstance(name, str) and name not in {"", local}):
        mend = "look at it as a stranger would: it must say nothing of what this is"
        tell(_WARNING, "profile", "shows a name or a picture", mend)
    else:
        tell(_GOOD, "profile", "shows nothing but the account's own name")

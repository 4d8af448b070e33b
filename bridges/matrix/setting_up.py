"""`antirelou setup CHANNEL`: the one login, the keys, and the cross-signing of our own device.

Without `apply` it says what it would do. It never logs in while the old login and its store are
whole, and destroys nothing: a lost store is set aside.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence
from typing import Any, Final

from bot.contract import bridge
from bridges.matrix import (
    account,
    calls,
    check,
    cross_signing,
    crypto,
    session,
    settings,
    trust,
)

_GOOD: Final = bridge.Verdict.GOOD
_WARNING: Final = bridge.Verdict.WARNING
_FAULT: Final = bridge.Verdict.FAULT
_APPLY: Final = "run it again with --apply"
_UNAUTHORIZED: Final = 401


class StepError(Exception):
    """A step that cannot be done: what is wrong, and the mend."""

    def __init__(self, about: str, sentence: str, mend: str) -> None:
        super().__init__(sentence)
        self.finding = bridge.Finding(verdict=_FAULT, about=about, sentence=sentence, mend=mend)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    chosen: settings.Settings
    storage: bridge.Storage
    channel: str
    apply: bool
    folder: session.Folder
    done: list[bridge.Finding]

    def tell(self, about: str, did: str, would: str) -> None:
        """What was done, or would be."""
        if self.apply:
            self.done.append(bridge.Finding(verdict=_GOOD, about=about, sentence=did))
        else:
            self.done.append(
                bridge.Finding(verdict=_WARNING, about=about, sentence=would, mend=_APPLY)
            )

    def fine(self, about: str, sentence: str) -> None:
        self.done.append(bridge.Finding(verdict=_GOOD, about=about, sentence=sentence))


async def run(
    chosen: settings.Settings, storage: bridge.Storage, channel: str, *, apply: bool
) -> Sequence[bridge.Finding]:
    """All steps in order, up to the first that cannot be done; never raises."""
    steps = _Steps(
        chosen=chosen,
        storage=storage,
        channel=channel,
        apply=apply,
        folder=session.Folder(chosen.folder),
        done=[],
    )
    lock: session.Lock | None = None
    try:
        # A dry run makes nothing, not even the folder.
        lock = session.Lock(chosen.folder) if apply or chosen.folder.exists() else None
        keys = _recovery(steps)
        login = await _login(steps)
        if login is not None and keys is not None:
            await _sign(steps, login, keys)
            await _pins(steps, login)
    except session.BusyError as error:
        busy = StepError("folder", str(error), "stop the program first")
        steps.done.append(busy.finding)
    except StepError as error:
        steps.done.append(error.finding)
    except bridge.BridgeDownError as error:
        steps.done.append(
            bridge.Finding(
                verdict=_FAULT,
                about="crypto store",
                sentence=str(error),
                mend=error.needs_human or "stop the program while you set up",
            )
        )
    except calls.CallError as error:
        steps.done.append(
            bridge.Finding(
                verdict=_FAULT,
                about="homeserver",
                sentence=str(error),
                mend="is the address right, and is it up?",
            )
        )
    except OSError as error:
        steps.done.append(
            bridge.Finding(
                verdict=_FAULT,
                about="folder",
                sentence=f"cannot be written ({type(error).__name__})",
                mend=f"make {chosen.folder} writable for the program's user",
            )
        )
    finally:
        if lock is not None:
            lock.release()
    return steps.done


def _recovery(steps: _Steps) -> cross_signing.Keys | None:
    """The recovery key, made where there is none."""
    told = steps.folder.read(session.RECOVERY)
    path = steps.folder.path / session.RECOVERY
    if told is None:
        if steps.apply:
            told = cross_signing.new_recovery_key()
            steps.folder.write(session.RECOVERY, told)
        steps.tell(
            "recovery key",
            f"made, in {path}: keep a copy off this machine",
            f"a recovery key would be made, in {path}",
        )
    if told is None:
        return None
    try:
        return cross_signing.keys_of(told)
    except cross_signing.RecoveryKeyError as error:
        raise StepError(
            "recovery key", f"{path} {error}", "put the right one back, or move the file away"
        ) from None


async def _login(steps: _Steps) -> session.Login | None:
    """The login that works and whose keys are in our store; else a new one, of a new device."""
    login = steps.folder.login()
    if login is not None and login.user == steps.chosen.user:
        why = await _unfit(steps, login)
        if why is None:
            steps.fine("login", "there is one, and it works")
            return login
    else:
        why = "there is no login yet"
    if not steps.apply:
        steps.tell("login", "", f"{why}: a new device would be logged in with the password")
        return None
    made = await _logged_in(steps.chosen)
    steps.folder.set_aside(session.STORE)
    steps.folder.keep_login(made)
    steps.tell("login", f"{why}: logged in as a new device", "")
    return made


async def _unfit(steps: _Steps, login: session.Login) -> str | None:
    """Why the login that we have cannot be used; None if it can. Raises AwayError."""
    server = calls.Homeserver(steps.chosen.homeserver, login.token)
    try:
        who = await server.call("GET", calls.path("account", "whoami"))
        if who.get("user_id") != login.user or who.get("device_id") != login.device:
            return "the stored login is another account's"
        answer = await account.ask_own(server, login.user)
    except calls.TokenError:
        return "the homeserver no longer knows our login"
    finally:
        await server.close()
    known = account.told_device(answer, login.user, login.device)
    if known is None:
        return None
    if not (steps.folder.path / session.STORE).exists():
        return "the crypto store is lost"
    try:
        keys = crypto.Crypto(calls.Homeserver(""), login, steps.folder)
    except crypto.StoreLostError:
        return "the crypto store cannot be read"
    try:
        mine = known["keys"].get(f"ed25519:{login.device}") == keys.fingerprint
    finally:
        keys.close()
    return None if mine else "the crypto store is another device's"


async def _logged_in(chosen: settings.Settings) -> session.Login:
    """Log in once, as a device with a name of its own. Raises CallError, StepError."""
    device = f"ANTIRELOU{secrets.token_hex(4).upper()}"
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": chosen.user},
        "password": _password(chosen),
        "device_id": device,
        # Shown to whoever looks at our devices; it tells a stranger nothing.
        "initial_device_display_name": "1",
    }
    server = calls.Homeserver(chosen.homeserver)
    try:
        told = await server.call("POST", calls.path("login"), body)
    except calls.RefusedError as error:
        raise StepError(
            "login", f"the homeserver refuses the password ({error.code})", "mend password_file"
        ) from None
    finally:
        await server.close()
    token = told.get("access_token")
    if not isinstance(token, str) or told.get("user_id") != chosen.user:
        raise StepError(
            "login", "the homeserver logged somebody else in", "write `user` in full, as it does"
        )
    return session.Login(user=chosen.user, device=str(told.get("device_id", device)), token=token)


def _password(chosen: settings.Settings) -> str:
    mend = "set password_file to a file with the account's password, for the set-up only"
    if chosen.password_file is None:
        raise StepError("password", "is needed, and password_file is not set", mend)
    try:
        return chosen.password_file.read_text(encoding="utf-8").strip("\n")
    except (OSError, UnicodeDecodeError):
        raise StepError("password", "password_file cannot be read", mend) from None


async def _sign(steps: _Steps, login: session.Login, keys: cross_signing.Keys) -> None:
    """Publish our identity and sign our device with it."""
    live = account.open_live(
        steps.chosen, check.context_of(steps.channel, steps.storage), (), locked=True
    )
    try:
        answer = await account.ask_own(live.server, login.user)
        seen = cross_signing.identity(answer, login.user)
        if seen != cross_signing.own_identity(keys):
            if steps.apply:
                await _publish(live, steps.chosen, keys)
            old = "" if seen is None else ", in place of those that are there"
            did = f"cross-signing keys published{old}"
            steps.tell("identity", did, f"would be done: {did}")
        if account.is_cross_signed(answer, login.user, login.device) and seen is not None:
            steps.fine("device", "is cross-signed")
            return
        if steps.apply:
            if account.told_device(answer, login.user, login.device) is None:
                await live.keys.upload_keys()
            fresh = await account.ask_own(live.server, login.user)
            if not await account.sign(live, steps.chosen, fresh):
                raise StepError(
                    "device", "was signed, but nobody sees it", "run it again with --apply"
                )
        steps.tell("device", "is cross-signed now", "the device would be cross-signed")
    finally:
        await live.close()


async def _publish(live: account.Live, chosen: settings.Settings, keys: cross_signing.Keys) -> None:
    """Needs no password the first time; to replace other keys it does (PROVIDERS.md)."""
    target = calls.path("keys", "device_signing", "upload")
    body: dict[str, Any] = cross_signing.upload(live.login.user, keys)
    try:
        await live.server.call("POST", target, body)
    except calls.RefusedError as error:
        if error.status != _UNAUTHORIZED or "flows" not in error.body:
            raise
        body["auth"] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": live.login.user},
            "password": _password(chosen),
            "session": error.body.get("session"),
        }
        try:
            await live.server.call("POST", target, body)
        except calls.RefusedError as again:
            raise StepError(
                "identity",
                f"other cross-signing keys are there and may not be replaced ({again.code})",
                "set password_file, or put the old recovery.key back",
            ) from None


async def _pins(steps: _Steps, login: session.Login) -> None:
    """Take the moderators' identities as they are now; only a human may, after asking them."""
    if steps.chosen.role != settings.ROOM:
        return
    server = calls.Homeserver(steps.chosen.homeserver, login.token)
    users = sorted(steps.chosen.roster)
    try:
        body: dict[str, Any] = {"device_keys": {user: [] for user in users}}
        answer = await server.call("POST", calls.path("keys", "query"), body)
    finally:
        await server.close()
    for place, user in enumerate(users, 1):
        who = cross_signing.identity(answer, user)
        pinned = await steps.storage.get(trust.pin_of(user))
        if who is None or pinned in {None, who.master}:
            continue
        if steps.apply:
            await steps.storage.put(trust.pin_of(user), who.master)
        shown = who.master[:12]
        steps.tell(
            "moderator",
            f"number {place} of the roster has a new identity, {shown}…: taken",
            f"number {place} of the roster has a new identity, {shown}…: it would be taken;"
            " ask them first, by another way",
        )

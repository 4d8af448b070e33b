"""One account while it listens: login, crypto store, trust, and the checks before the first sync.

Never logs in and never logs out: the device is made once, by `antirelou setup`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Awaitable, Callable, Collection

from bot.contract import bridge, room
from bridges.matrix import (
    calls,
    cross_signing,
    crypto,
    sending,
    session,
    settings,
    sync,
    trust,
)

DEVICE = "device"
_LOST = (
    "the crypto store is lost or another's: run `antirelou setup {} --apply` for a new device;"
    " what was said before cannot be read any more"
)
_NEW = "not logged in yet: run `antirelou setup {} --apply`"


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Live:
    """Everything that stands while `listen` runs; made anew each time."""

    login: session.Login
    server: calls.Homeserver
    keys: crypto.Crypto
    trusted: trust.Trust
    voice: sending.Voice
    patience: sync.Patience
    lock: session.Lock | None

    async def close(self) -> None:
        """Give back the file and the connections."""
        self.keys.close()
        if self.lock is not None:
            self.lock.release()
        await self.server.close()


def login_of(chosen: settings.Settings, channel: str) -> session.Login:
    """The stored login. Raises BridgeDownError when there is none, or another account's."""
    found = session.Folder(chosen.folder).login()
    if found is None or found.user != chosen.user:
        reason = "no login" if found is None else "the login is another account's"
        raise bridge.BridgeDownError(reason, needs_human=_NEW.format(channel))
    return found


def open_live(
    chosen: settings.Settings,
    context: bridge.Context,
    watched: Collection[str],
    *,
    locked: bool = False,
) -> Live:
    """Open the store and make the parts. `locked`: the caller holds the folder already.

    Raises BridgeDownError.
    """
    login = login_of(chosen, context.channel)
    server = calls.Homeserver(chosen.homeserver, login.token)
    lock = None
    try:
        lock = None if locked else session.Lock(chosen.folder)
        keys = crypto.Crypto(server, login, session.Folder(chosen.folder))
    except (session.BusyError, crypto.StoreLostError, OSError) as error:
        if lock is not None:
            lock.release()
        if isinstance(error, crypto.StoreLostError):
            raise lost(context.channel) from None
        reason = "the folder cannot be used" if isinstance(error, OSError) else str(error)
        raise bridge.BridgeDownError(reason) from None
    return Live(
        login=login,
        server=server,
        keys=keys,
        trusted=trust.Trust(
            server=server,
            keys=keys,
            storage=context.storage,
            watched=frozenset(watched),
            strict=chosen.role == settings.ROOM and chosen.strict,
        ),
        voice=sending.Voice(server, keys),
        patience=sync.Patience(context.clock, random.random),
        lock=lock,
    )


def lost(channel: str) -> bridge.BridgeDownError:
    """What is said when the keys are gone."""
    return bridge.BridgeDownError("the crypto store is lost", needs_human=_LOST.format(channel))


async def prove(
    live: Live, chosen: settings.Settings, context: bridge.Context
) -> list[trust.Doubt]:
    """Before the first sync: our store is the one the homeserver knows, our device is signed.

    Publishes our device's keys if they are new, and signs them if the recovery key is at hand.
    Raises CallError, BridgeDownError.
    """
    own, device_id = live.login.user, live.login.device
    answer = await ask_own(live.server, own)
    device = told_device(answer, own, device_id)
    if device is not None and device["keys"].get(f"ed25519:{device_id}") != live.keys.fingerprint:
        raise lost(context.channel)
    if device is None or not live.keys.olm.account.shared:
        await live.keys.upload_keys()
        answer = await ask_own(live.server, own)
    doubts: list[trust.Doubt] = []
    known = await context.storage.get(DEVICE)
    if known is not None and known != device_id:
        doubts.append(trust.Doubt(snag=room.Snag.STORE_LOST, account=own, device=device_id))
    if known != device_id:
        await context.storage.put(DEVICE, device_id)
    if not is_cross_signed(answer, own, device_id) and not await sign(live, chosen, answer):
        doubts.append(trust.Doubt(snag=room.Snag.NOT_CROSS_SIGNED, account=own, device=device_id))
    return doubts


async def ask_own(server: calls.Homeserver, own: str) -> calls.Body:
    """What everybody sees of our own keys. Raises CallError."""
    return await server.call("POST", calls.path("keys", "query"), {"device_keys": {own: []}})


def told_device(answer: calls.Body, own: str, device_id: str) -> calls.Body | None:
    """Our device in a keys/query answer."""
    try:
        found = answer["device_keys"][own][device_id]
    except (KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("keys"), dict) else None


def is_cross_signed(answer: calls.Body, own: str, device_id: str) -> bool:
    """Whether others see our device as signed by its owner."""
    who = cross_signing.identity(answer, own)
    device = told_device(answer, own, device_id)
    return who is not None and cross_signing.is_signed(device, own, device_id, who)


async def sign(live: Live, chosen: settings.Settings, answer: calls.Body) -> bool:
    """Sign our device with the recovery key's keys, if they are the account's; whether it is so.

    Keys are only made and replaced by set-up, never here. Raises CallError.
    """
    told = session.Folder(chosen.folder).read(session.RECOVERY)
    own, device_id = live.login.user, live.login.device
    device = told_device(answer, own, device_id)
    if told is None or device is None:
        return False
    try:
        keys = cross_signing.keys_of(told)
    except cross_signing.RecoveryKeyError:
        return False
    if cross_signing.identity(answer, own) != cross_signing.own_identity(keys):
        return False
    body = {own: {device_id: cross_signing.sign_device(device, own, keys)}}
    await live.server.call("POST", calls.path("keys", "signatures", "upload"), body)
    return is_cross_signed(await ask_own(live.server, own), own, device_id)


Ask = Callable[[], Awaitable[list[trust.Doubt]]]


async def patiently(ask: Ask, patience: sync.Patience, channel: str) -> list[trust.Doubt]:
    """Ask until it is answered. Raises BridgeDownError for a login that is gone."""
    while True:
        try:
            return await ask()
        except calls.TokenError:
            raise bridge.BridgeDownError(
                "the homeserver refuses our login", needs_human=sync.LOGIN_AGAIN.format(channel)
            ) from None
        except calls.CallError as error:
            await patience.wait(error)

"""Whose devices are whose: asks the homeserver for keys and checks the owners' signatures.

A homeserver can add a device to an account, but it cannot sign it with the owner's own key. In
the moderators' room a device without that signature neither gets our room keys nor is obeyed; an
owner whose master key is another than the one we saw first is nobody until a human says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Final

import nio

from bot.contract import bridge, room
from bridges.matrix import calls, cross_signing, crypto

_LIMIT_MS: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Doubt:
    """Something about keys that people must hear of."""

    snag: room.Snag
    account: str
    device: str = ""
    key: str = ""


def pin_of(account: str) -> str:
    """The storage key of the master key that we saw first."""
    return f"identity/{account}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`watched`: the moderators and ourselves, of whom doubts are told and identities pinned.

    `strict`: unsigned devices are shut out of rooms; else they get our keys, as a stranger's
    phone must to read the reply.
    """

    server: calls.Homeserver
    keys: crypto.Crypto
    storage: bridge.Storage
    watched: Collection[str]
    strict: bool

    async def refresh(self) -> list[Doubt]:
        """Ask for the keys of everybody whose devices may have changed. Raises CallError."""
        users = sorted(self.keys.client.users_for_key_query)
        return await self.ask(users) if users else []

    async def ask(self, users: Collection[str]) -> list[Doubt]:
        """Ask for these accounts' keys, and judge every device. Raises CallError."""
        asked: dict[str, list[str]] = {user: [] for user in users}
        body = await self.server.call(
            "POST", calls.path("keys", "query"), {"device_keys": asked, "timeout": _LIMIT_MS}
        )
        devices = _whole(body.get("device_keys"), users)
        before = {user: self._known(user) for user in devices}
        self.keys.client.receive_response(nio.KeysQueryResponse(devices, {}))
        # Nothing at all came for them (their server is away): what the store knows stands.
        doubts: list[Doubt] = []
        for user, told in sorted(devices.items()):
            who, doubt = await self._identity(body, user)
            doubts.extend(doubt)
            doubts.extend(self._judge(user, told, who, before[user]))
        return doubts

    def _known(self, user: str) -> set[tuple[str, str, bool]]:
        olm = self.keys.olm
        return {
            (one.id, one.ed25519, bool(olm.is_device_verified(one)))
            for one in olm.device_store.active_user_devices(user)
        }

    async def _identity(
        self, body: Mapping[str, Any], user: str
    ) -> tuple[cross_signing.Identity | None, list[Doubt]]:
        """Their identity, unless it is another than the one we saw first."""
        who = cross_signing.identity(body, user)
        if who is None or user not in self.watched:
            return who, []
        pinned = await self.storage.get(pin_of(user))
        if pinned is None:
            await self.storage.put(pin_of(user), who.master)
        elif pinned != who.master:
            doubt = Doubt(snag=room.Snag.IDENTITY_CHANGED, account=user, key=who.master)
            return None, [doubt]
        return who, []

    def _judge(
        self,
        user: str,
        told: Mapping[str, Any],
        who: cross_signing.Identity | None,
        before: set[tuple[str, str, bool]],
    ) -> list[Doubt]:
        client, doubts = self.keys.client, []
        for device in self.keys.olm.device_store.active_user_devices(user):
            stated = told.get(device.id, {})
            same = stated.get("keys", {}).get(f"ed25519:{device.id}") == device.ed25519
            signed = (
                who is not None and same and cross_signing.is_signed(stated, user, device.id, who)
            )
            if signed:
                client.verify_device(device)
            elif self.strict:
                client.blacklist_device(device)
            else:
                client.unverify_device(device)
                client.ignore_device(device)
            known = {(device.id, device.ed25519, state) for state in (signed, True)}
            # Told when it appears, and once more when its owner signs it.
            if not known & before and user in self.watched and (before or not signed):
                snag = room.Snag.NEW_DEVICE if signed else room.Snag.UNSIGNED_DEVICE
                doubts.append(Doubt(snag=snag, account=user, device=device.id, key=device.ed25519))
        return doubts


def _whole(told: object, users: Collection[str]) -> dict[str, dict[str, Any]]:
    """Only what nio can read: device objects with text keys, of users that we asked for."""
    found: dict[str, dict[str, Any]] = {}
    for user, devices in told.items() if isinstance(told, Mapping) else ():
        if user not in users or not isinstance(devices, Mapping):
            continue
        found[user] = {
            device_id: dict(device)
            for device_id, device in devices.items()
            if _is_device(device, user, device_id)
        }
    return found


def _is_device(device: object, user: str, device_id: str) -> bool:
    if not isinstance(device, Mapping):
        return False
    keys, unsigned = device.get("keys"), device.get("unsigned", {})
    if not isinstance(keys, Mapping) or not isinstance(unsigned, Mapping):
        return False
    if device.get("user_id") != user or device.get("device_id") != device_id:
        return False
    if not isinstance(keys.get(f"curve25519:{device_id}"), str):
        return False
    return cross_signing.verified(device, user, keys.get(f"ed25519:{device_id}"), device_id)

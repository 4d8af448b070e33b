"""Cross-signing, which matrix-nio has not: our own keys, and whether others' devices are theirs.

Pure. From the client-server API, "Cross-signing" and "Signing JSON": a master key signs a
self-signing key, that signs the devices. All three keys of ours come from one recovery key, kept
in a file of the operator's, so they can be made again on another machine and never travel.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.kdf import hkdf

RECOVERY_BYTES: Final = 32
MASTER: Final = "master"
SELF_SIGNING: Final = "self_signing"
USER_SIGNING: Final = "user_signing"
_ED25519: Final = "ed25519:"
_GROUP: Final = 4

Object = Mapping[str, Any]


class RecoveryKeyError(ValueError):
    """The recovery key is not one of ours; the message never repeats it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody's public keys, whose chain was checked: the master key signed the other."""

    master: str
    self_signing: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """Our three private keys."""

    master: ed25519.Ed25519PrivateKey
    self_signing: ed25519.Ed25519PrivateKey
    user_signing: ed25519.Ed25519PrivateKey


def new_recovery_key() -> str:
    """A fresh recovery key, in groups of four for whoever must copy it by hand."""
    digits = secrets.token_hex(RECOVERY_BYTES)
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def keys_of(recovery_key: str) -> Keys:
    """The keys that a recovery key stands for. Raises RecoveryKeyError."""
    try:
        seed = bytes.fromhex(recovery_key)
    except ValueError:
        seed = b""
    if len(seed) != RECOVERY_BYTES:
        raise RecoveryKeyError(f"must be {RECOVERY_BYTES * 2} hexadecimal digits")
    return Keys(
        master=_derived(seed, MASTER),
        self_signing=_derived(seed, SELF_SIGNING),
        user_signing=_derived(seed, USER_SIGNING),
    )


def _derived(seed: bytes, usage: str) -> ed25519.Ed25519PrivateKey:
    made = hkdf.HKDF(
        algorithm=hashes.SHA256(), length=32, salt=None, info=f"antirelou matrix {usage}".encode()
    )
    return ed25519.Ed25519PrivateKey.from_private_bytes(made.derive(seed))


def public(key: ed25519.Ed25519PrivateKey) -> str:
    """The public half, in Matrix's unpadded base64."""
    return _base64(key.public_key().public_bytes_raw())


def own_identity(keys: Keys) -> Identity:
    """What others should see of us."""
    return Identity(master=public(keys.master), self_signing=public(keys.self_signing))


def upload(user: str, keys: Keys) -> dict[str, Any]:
    """The body of POST keys/device_signing/upload."""
    master = _key_object(user, MASTER, keys.master)
    signer = _ED25519 + public(keys.master)
    return {
        "master_key": signed(master, user, signer, keys.master),
        "self_signing_key": signed(
            _key_object(user, SELF_SIGNING, keys.self_signing), user, signer, keys.master
        ),
        "user_signing_key": signed(
            _key_object(user, USER_SIGNING, keys.user_signing), user, signer, keys.master
        ),
    }


def sign_device(device: Object, user: str, keys: Keys) -> dict[str, Any]:
    """Our device's keys as keys/query told them, with our self-signing key's signature."""
    plain = {key: value for key, value in device.items() if key != "unsigned"}
    return signed(plain, user, _ED25519 + public(keys.self_signing), keys.self_signing)


def _key_object(user: str, usage: str, key: ed25519.Ed25519PrivateKey) -> dict[str, Any]:
    told = public(key)
    return {"user_id": user, "usage": [usage], "keys": {_ED25519 + told: told}}


def signed(thing: Object, user: str, key_id: str, key: ed25519.Ed25519PrivateKey) -> dict[str, Any]:
    """The object with one more signature."""
    before = thing.get("signatures")
    signatures = {who: dict(theirs) for who, theirs in (before or {}).items()}
    signatures.setdefault(user, {})[key_id] = _base64(key.sign(canonical(thing)))
    return {**thing, "signatures": signatures}


def canonical(thing: Object) -> bytes:
    """Canonical JSON without `signatures` and `unsigned` (appendices, "Signing JSON")."""
    plain = {key: value for key, value in thing.items() if key not in {"signatures", "unsigned"}}
    return json.dumps(
        plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def verified(thing: object, user: str, public_key: object, name: str | None = None) -> bool:
    """Whether `user` signed this object with the key of that public half; never raises.

    `name`: what the key is called, where that is not the key itself (a device's id).
    """
    if not isinstance(thing, Mapping) or not isinstance(public_key, str):
        return False
    try:
        told = thing["signatures"][user][_ED25519 + (name or public_key)]
        key = ed25519.Ed25519PublicKey.from_public_bytes(_bytes(public_key))
        key.verify(_bytes(told), canonical(thing))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    except exceptions.InvalidSignature:
        return False
    return True


def identity(answer: Object, user: str) -> Identity | None:
    """Somebody's identity from a keys/query answer; None if there is none or it is torn."""
    master = _usable(answer.get("master_keys"), user, MASTER)
    own = _usable(answer.get("self_signing_keys"), user, SELF_SIGNING)
    if master is None or own is None:
        return None
    if not verified(own[1], user, master[0]):
        return None
    return Identity(master=master[0], self_signing=own[0])


def is_signed(device: object, user: str, device_id: str, who: Identity) -> bool:
    """Whether this device, as keys/query told it, is signed by its owner's own key."""
    if not isinstance(device, Mapping):
        return False
    if device.get("user_id") != user or device.get("device_id") != device_id:
        return False
    return verified(device, user, who.self_signing)


def _usable(told: object, user: str, usage: str) -> tuple[str, Object] | None:
    """The one public key of a key object, if it is that user's and for that usage."""
    thing = told.get(user) if isinstance(told, Mapping) else None
    if not isinstance(thing, Mapping) or thing.get("user_id") != user:
        return None
    usages, keys = thing.get("usage"), thing.get("keys")
    if not isinstance(usages, list) or usage not in usages:
        return None
    if not isinstance(keys, Mapping) or len(keys) != 1:
        return None
    ((key_id, value),) = keys.items()
    if not isinstance(value, str) or key_id != _ED25519 + value:
        return None
    return value, thing


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _bytes(told: object) -> bytes:
    if not isinstance(told, str):
        raise TypeError("base64 is text")
    try:
        return base64.b64decode(told + "=" * (-len(told) % 4), validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None

"""Keys, keyed hashes and encryption: what keeps a stolen database from giving anybody away.

Hashes are HMAC-SHA256 cut to 128 bits. The ring keeps old MAC keys for look-up, since hashes
cannot be made again; the newest of each kind is used for new data. Encryption is AES-256-GCM,
the key's id in front of the nonce, bound to its place by associated data.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import hashlib
import os
import pathlib
import stat
from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers import aead

HASH_BYTES: Final = 16
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_BLOCK_BYTES: Final = 64
_HEAD = "# antirelou keys. Without this file the database cannot be read: back it up apart from it."


class KeyFileError(Exception):
    """The key file cannot be used; the message says why and how to mend it."""


class SealedError(Exception):
    """A value that does not open: another key, another place, or changed bytes."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    number: int
    secret: bytes = dataclasses.field(repr=False)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(b"antirelou key fingerprint" + self.secret).hexdigest()[:16]


class Vault:
    """The ring of keys in memory. Made by `load`, `create` or `throwaway`."""

    def __init__(self, mac: tuple[_Key, ...], enc: tuple[_Key, ...]) -> None:
        """Both rings oldest first, each with one key at least."""
        self._mac = mac
        self._macs = tuple(_Mac(key.secret) for key in mac)
        self._enc = {key.number: aead.AESGCM(key.secret) for key in enc}
        self._newest_enc = enc[-1].number
        self._enc_keys = enc
        self.hash_address = functools.lru_cache(65_536)(self._hash_address)

    def fingerprints(self) -> dict[str, str]:
        """Name of each key -> fingerprint, safe to store beside the data."""
        out = {f"mac {key.number}": key.fingerprint for key in self._mac}
        return out | {f"enc {key.number}": key.fingerprint for key in self._enc_keys}

    def hash(self, purpose: str, value: str) -> bytes:
        """16 bytes by the newest MAC key; `purpose` keeps kinds of hashes apart."""
        return self._macs[-1].of(purpose, value)

    def _hash_address(self, network: str, value: str) -> tuple[bytes, ...]:
        """Hashes of an address under each MAC key, the newest first."""
        return tuple(mac.of("address:" + network, value) for mac in reversed(self._macs))

    def ring(self, purpose: str, value: str) -> tuple[bytes, ...]:
        """Hashes under each MAC key, the newest first: for looking up what older keys made."""
        return tuple(mac.of(purpose, value) for mac in reversed(self._macs))

    def lasting(self, purpose: str, value: str) -> bytes:
        """16 bytes by the oldest MAC key: names that must stay the same over a rotation."""
        return self._macs[0].of(purpose, value)

    def draw(self, purpose: str, value: str) -> float:
        """A number in [0, 1) that nobody without the key can foretell, the same each time."""
        return int.from_bytes(self.hash(purpose, value)[:7], "big") / (1 << 56)

    def seal(self, plain: str, place: str) -> bytes:
        """Encrypt text for `place` (table and id); the same place is needed to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._enc[self._newest_enc].encrypt(nonce, plain.encode(), place.encode())
        return self._newest_enc.to_bytes(2, "big") + nonce + sealed

    def open(self, sealed: bytes, place: str) -> str:
        """Decrypt; raises SealedError."""
        cipher = self._enc.get(int.from_bytes(sealed[:2], "big"))
        if cipher is None:
            raise SealedError("sealed with a key that is not in the key file")
        try:
            nonce, body = sealed[2 : 2 + _NONCE_BYTES], sealed[2 + _NONCE_BYTES :]
            return cipher.decrypt(nonce, body, place.encode()).decode()
        except (exceptions.InvalidTag, ValueError):
            raise SealedError("does not open: wrong place or changed bytes") from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it was sealed with the newest key (rotation asks)."""
        return int.from_bytes(sealed[:2], "big") == self._newest_enc


class _Mac:
    """HMAC-SHA256 under one key, its two padded keys hashed once: a third of `hmac.digest`."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is no longer than a block, so it is padded and not hashed (RFC 2104)."""
        padded = secret.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def of(self, purpose: str, value: str) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{purpose}\x00{value}".encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return outer.digest()[:HASH_BYTES]


def throwaway(seed: int | None = None) -> Vault:
    """A vault for simulate and tests: nothing sealed with it outlives the process."""
    secret = os.urandom(32) if seed is None else hashlib.sha256(b"%d" % seed).digest()
    return Vault((_Key(1, secret),), (_Key(1, hashlib.sha256(secret).digest()),))


def create(path: pathlib.Path) -> Vault:
    """Make a key file (mode 600, never over an existing one) and load it."""
    lines = [_HEAD]
    lines += [f"{kind} 1 {base64.b64encode(os.urandom(32)).decode()}" for kind in ("mac", "enc")]
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise KeyFileError(f"cannot make the key file {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return load(path)


def rotate(path: pathlib.Path) -> Vault:
    """Add a new encryption key to the file; what is sealed is re-sealed by the janitor."""
    load(path)
    text = path.read_text()
    numbers = [int(line.split()[1]) for line in text.splitlines() if line.startswith("enc ")]
    line = f"enc {max(numbers) + 1} {base64.b64encode(os.urandom(32)).decode()}\n"
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text.rstrip("\n") + "\n" + line)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return load(path)


def load(path: pathlib.Path) -> Vault:
    """Read the key file. Raises KeyFileError naming the line and the mend."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        raise KeyFileError(
            f"the key file {path} is missing; put it back from your backup "
            "(a new one would not open what is stored)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"cannot read the key file {path}: {type(error).__name__}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"others can read the key file {path}; mend it: chmod 600 {path}")
    rings: dict[str, list[_Key]] = {"mac": [], "enc": []}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            kind, key = _parse(line, f"{path}, line {number}")
            if any(other.number == key.number for other in rings[kind]):
                raise KeyFileError(f"{path}, line {number}: {kind} {key.number} is there twice")
            rings[kind].append(key)
    for kind, keys in rings.items():
        if not keys:
            raise KeyFileError(f"{path} holds no {kind!r} key; put the file back from your backup")
    return Vault(tuple(rings["mac"]), tuple(rings["enc"]))


def _parse(line: str, where: str) -> tuple[str, _Key]:
    words = line.split()
    if len(words) != 3 or words[0] not in ("mac", "enc") or not words[1].isdecimal():  # noqa: PLR2004 (three words a line)
        raise KeyFileError(f"{where}: expected 'mac NUMBER KEY' or 'enc NUMBER KEY'")
    try:
        secret = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        raise KeyFileError(f"{where}: the key is not base64; restore it from a backup") from None
    if len(secret) != _KEY_BYTES:
        raise KeyFileError(
            f"{where}: the key is {len(secret)} bytes long and must be {_KEY_BYTES}; "
            "the file was cut short or edited: put it back from your backup"
        )
    number = int(words[1])
    if not 0 < number < 1 << 16:
        raise KeyFileError(f"{where}: key numbers go from 1 to 65535")
    return words[0], _Key(number, secret)

"""Keys, keyed hashes and encryption: what keeps a stolen database from giving anybody away.

Hashes are HMAC-SHA256 cut to 128 bits. The ring keeps old MAC keys for look-up, since hashes
cannot be made again; the newest of each kind is used for new data. Encryption is AES-256-GCM,
the key's id in front of the nonce, bound to its place by associated data.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import os
import pathlib
from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers import aead

from bot.store import vault_file

HASH_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_BLOCK_BYTES: Final = 64
KeyFileError = vault_file.KeyFileError
_Key = vault_file.Key


class SealedError(Exception):
    """A value that does not open: another key, another place, or changed bytes."""


class Vault:
    """The ring of keys in memory. Made by `load`, `create` or `throwaway`."""

    def __init__(
        self,
        mac: tuple[_Key, ...],
        enc: tuple[_Key, ...],
        coming: tuple[_Key, ...] = (),
        path: pathlib.Path | None = None,
    ) -> None:
        """Rings oldest first, the first two with one key at least; `coming`: only read with.

        `path`: the file that they are from, which `renew` reads again.
        """
        self._mac = mac
        self._macs = tuple(_Mac(key.secret) for key in mac)
        self._path = path
        self._stamp: object = None
        self._enc_keys: tuple[_Key, ...] = ()
        self._coming: tuple[_Key, ...] = ()
        self._enc: dict[int, aead.AESGCM] = {}
        self._use(enc, coming)
        # Who writes again writes soon; 65,536 of them took 22 MB.
        self.hash_address = functools.lru_cache(8_192)(self._hash_address)

    def _use(self, enc: tuple[_Key, ...], coming: tuple[_Key, ...]) -> None:
        """Other threads seal and open meanwhile: each step leaves them something whole."""
        # What is forgotten in the file is still opened until the process ends.
        self._enc = {
            **self._enc,
            **{key.number: aead.AESGCM(key.secret) for key in (*enc, *coming)},
        }
        self._sealing = (enc[-1].number, self._enc[enc[-1].number])
        self._enc_keys, self._coming = enc, coming

    def renew(self) -> bool:
        """Read the key file again if it was changed; whether other keys are in use now.

        Raises KeyFileError where what is there cannot be used; the keys stay as they were.
        """
        if self._path is None:
            return False
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        rings = vault_file.read(self._path)
        if [key.secret for key in rings.mac] != [key.secret for key in self._mac] or any(
            key.number in self._enc and key.secret not in self._secrets(key.number)
            for key in (*rings.enc, *rings.coming)
        ):
            raise KeyFileError(
                f"the key file {self._path} was replaced by another one; put back the one that "
                "was there, or end all processes before you change it"
            )
        before = (self._enc_keys, self._coming)
        self._use(rings.enc, rings.coming)
        self._stamp = stamp
        return before != (rings.enc, rings.coming)

    def _secrets(self, number: int) -> list[bytes]:
        return [k.secret for k in (*self._enc_keys, *self._coming) if k.number == number]

    def listed(self) -> list[tuple[str, int, str, str]]:
        """Kind, number, day and fingerprint of each key, in the order of the file."""
        rings = (("mac", self._mac), ("enc", self._enc_keys), ("next", self._coming))
        return [(kind, k.number, k.made, k.fingerprint) for kind, ring in rings for k in ring]

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
        number, cipher = self._sealing
        sealed = cipher.encrypt(nonce, plain.encode(), place.encode())
        return number.to_bytes(2, "big") + nonce + sealed

    def open(self, sealed: bytes | None, place: str) -> str:
        """Decrypt; raises SealedError, also where nothing is left (an erasure meanwhile)."""
        if sealed is None:
            raise SealedError("nothing is kept there any more")
        cipher = self._enc.get(int.from_bytes(sealed[:2], "big")) or self._fetched(sealed)
        if cipher is None:
            raise SealedError("sealed with a key that is not in the key file")
        try:
            nonce, body = sealed[2 : 2 + _NONCE_BYTES], sealed[2 + _NONCE_BYTES :]
            return cipher.decrypt(nonce, body, place.encode()).decode()
        except (exceptions.InvalidTag, ValueError):
            raise SealedError("does not open: wrong place or changed bytes") from None

    def _fetched(self, sealed: bytes) -> aead.AESGCM | None:
        """Another process has rotated: its key may be in the file by now."""
        try:
            self.renew()
        except KeyFileError:
            return None
        return self._enc.get(int.from_bytes(sealed[:2], "big"))

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it was sealed with the newest key (rotation asks)."""
        return int.from_bytes(sealed[:2], "big") == self._sealing[0]


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
    vault_file.create(path, today())
    return load(path)


def rotate(path: pathlib.Path) -> Vault:
    """Use a new encryption key from now on; what is sealed is re-sealed by the janitor."""
    vault_file.rotate(path, today())
    return load(path)


def load(path: pathlib.Path) -> Vault:
    """Read the key file. Raises KeyFileError naming the line and the mend."""
    stamp = _stamp(path)
    rings = vault_file.read(path)
    made = Vault(rings.mac, rings.enc, rings.coming, path)
    made._stamp = stamp  # noqa: SLF001 (of this class)
    return made


def today() -> str:
    """The day that a key is made."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def _stamp(path: pathlib.Path) -> object:
    """Another one for each file that takes its place; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

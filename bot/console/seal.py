"""A sealed pack: a zip of files, the SHA-256 of each, and an Ed25519 signature over the sums.

The key that signs is made on first use, beside the key file, and is no key of the vault: who gets
a copy of it can sign in our name and read nothing. What is checked may come from anybody.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import secrets
import stat
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography import exceptions
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
FORM: Final = "antirelou evidence 1"
_LARGEST_BYTES: Final = 256 * 1024 * 1024
_MOST_FILES: Final = 64
_RAW = serialization.Encoding.Raw
_BROKEN: Final = (
    zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, zlib.error,
    NotImplementedError, RuntimeError,
)  # fmt: skip


class SealError(Exception):
    """A pack or a key that cannot be used; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A pack whose sums and signature are right. `fingerprint`: of the key that signed it."""

    files: Mapping[str, bytes]
    made: str
    fingerprint: str
    digest: str


def beside(key_file: pathlib.Path) -> pathlib.Path:
    """Where the signing key is: `antirelou-evidence.key` beside `antirelou.key`."""
    return key_file.with_name(f"{key_file.stem}-evidence.key")


def key(path: pathlib.Path) -> ed25519.Ed25519PrivateKey:
    """The signing key, made if there is none (mode 600). Raises SealError."""
    if path.exists():
        return _read(path)
    made = ed25519.Ed25519PrivateKey.generate()
    # Whole or not at all, also if another process makes one at this moment.
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_pem(made))
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise SealError(f"cannot make the signing key {path}: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)
    return made


def _pem(made: ed25519.Ed25519PrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _read(path: pathlib.Path) -> ed25519.Ed25519PrivateKey:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SealError(f"others can read the signing key {path}; mend it: chmod 600 {path}")
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SealError(f"cannot read the signing key {path}: {error.strerror}") from None
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise SealError(f"{path} is no signing key; put it back from your backup") from None
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise SealError(f"{path} is a key of another kind; put it back from your backup")
    return found


def fingerprint(public: bytes) -> str:
    """64 hexadecimal digits that tell one key from every other."""
    return hashlib.sha256(public).hexdigest()


def sealed(
    files: Mapping[str, bytes], secret: ed25519.Ed25519PrivateKey, *, made: str
) -> tuple[bytes, str]:
    """The zip, and the SHA-256 of its manifest."""
    public = secret.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw)
    told = {
        "form": FORM,
        "made": made,
        "public_key": base64.b64encode(public).decode(),
        "fingerprint": fingerprint(public),
        "sha256": {name: hashlib.sha256(body).hexdigest() for name, body in sorted(files.items())},
    }
    manifest = json.dumps(told, indent=2).encode() + b"\n"
    signature = base64.b64encode(secret.sign(manifest)) + b"\n"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, body in {**files, MANIFEST: manifest, SIGNATURE: signature}.items():
            # One date for all, so that the same facts give the same bytes.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            pack.writestr(entry, body)
    return held.getvalue(), hashlib.sha256(manifest).hexdigest()


def opened(pack: bytes) -> Opened:
    """Check every sum and the signature. Raises SealError at the first thing that is wrong."""
    files = _files(pack)
    manifest, signature = files.pop(MANIFEST, None), files.pop(SIGNATURE, None)
    if manifest is None or signature is None:
        raise SealError("no sealed pack: its manifest or its signature is missing")
    told = _told(manifest)
    try:
        public = base64.b64decode(told["public_key"], validate=True)
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(signature.strip(), validate=True), manifest
        )
    except exceptions.InvalidSignature:
        raise SealError("the signature is not of this manifest: it was changed") from None
    except (ValueError, binascii.Error):
        raise SealError("the signature or its key cannot be read") from None
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    for name in sorted(sums.keys() | told["sha256"].keys()):
        if name not in sums:
            raise SealError(f"{name} is missing")
        if name not in told["sha256"]:
            raise SealError("a file was added that the manifest does not know")
        if sums[name] != told["sha256"][name]:
            raise SealError(f"{name} was changed")
    return Opened(
        files=files,
        made=told["made"],
        fingerprint=fingerprint(public),
        digest=hashlib.sha256(manifest).hexdigest(),
    )


def _files(pack: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as found:
            entries = found.infolist()
            names = [one.filename for one in entries]
            if len(names) > _MOST_FILES or len(set(names)) != len(names):
                raise SealError("no sealed pack: too many files, or one name twice")
            if sum(one.file_size for one in entries) > _LARGEST_BYTES:
                raise SealError("no sealed pack: it is too large")
            return {one.filename: found.read(one) for one in entries}
    except _BROKEN:
        raise SealError("no sealed pack: it is no zip, or a damaged one") from None


def _told(manifest: bytes) -> dict[str, Any]:
    try:
        told = json.loads(manifest)
    except (ValueError, RecursionError):
        raise SealError("no sealed pack: its manifest cannot be read") from None
    sums = told.get("sha256") if isinstance(told, dict) else None
    if (
        not isinstance(told, dict)
        or told.get("form") != FORM
        or not isinstance(sums, dict)
        or not all(isinstance(told.get(key), str) for key in ("made", "public_key"))
    ):
        raise SealError(f"no sealed pack of the form {FORM!r}")
    return told

"""The key file: its lines, and changing it so that a kill leaves the old file or the new one.

A line is `KIND NUMBER KEY [DAY]`: `mac` hashes, `enc` encrypts (the last line is the one in use),
`next` is known for reading and not in use yet. Must never hand a key to anything but the vault.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_KEY_BYTES: Final = 32
_HEAD: Final = (
    "# antirelou keys. Without this file the database cannot be read: back it up apart from it."
)
KINDS: Final = ("mac", "enc", "next")
_WORDS: Final = (3, 4)


class KeyFileError(Exception):
    """The key file cannot be used; the message says why and how to mend it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One key. `made`: the day, as 2026-11-22; empty where an older program made it."""

    number: int
    secret: bytes = dataclasses.field(repr=False)
    made: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell it from every other one, and nothing of it."""
        return hashlib.sha256(b"antirelou key fingerprint" + self.secret).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """All keys of a file, each kind in the order of its lines."""

    mac: tuple[Key, ...]
    enc: tuple[Key, ...]
    coming: tuple[Key, ...] = ()


def create(path: pathlib.Path, day: str = "") -> None:
    """Make a key file (mode 600, never over an existing one)."""
    lines = [_HEAD, _line("mac", 1, day), _line("enc", 1, day)]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyFileError(f"cannot make the key file {path}: {error.strerror}") from None
    _fill(descriptor, lines)
    # Or a power cut leaves a database whose key is gone: SQLite brings its own file to disk.
    _sync(path.absolute().parent)


def prepare(path: pathlib.Path, day: str) -> int:
    """Add a key that is read and not yet used; its number. One that waits already is kept."""

    def change(lines: list[str]) -> int:
        waiting = _numbers(lines, "next")
        if waiting:
            return waiting[-1]
        number = max(_numbers(lines, "enc")) + 1
        lines.append(_line("next", number, day))
        return number

    return _changed(path, change)


def rotate(path: pathlib.Path, day: str = "") -> int:
    """Seal with another key from now on: the prepared one, else a new one; its number."""

    def change(lines: list[str]) -> int:
        for place, line in enumerate(lines):
            if line.split()[:1] == ["next"]:
                # To the end: the last line is the one in use.
                words = ["enc", *line.split()[1:]]
                lines.append(" ".join(words))
                del lines[place]
                return int(words[1])
        number = max(_numbers(lines, "enc")) + 1
        lines.append(_line("enc", number, day))
        return number

    return _changed(path, change)


def drop(path: pathlib.Path, number: int) -> None:
    """Forget an old encryption key. Raises KeyFileError if it is in use or not there."""

    def change(lines: list[str]) -> int:
        held = _numbers(lines, "enc")
        if number not in held:
            raise KeyFileError(f"{path} holds no encryption key {number}")
        if number == held[-1]:
            raise KeyFileError(f"encryption key {number} is in use; rotate first")
        lines[:] = [line for line in lines if line.split()[:2] != ["enc", str(number)]]
        return number

    _changed(path, change)


def read(path: pathlib.Path) -> Rings:
    """The keys. Raises KeyFileError naming the line and the mend."""
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
    return _parsed(text, path)


def _parsed(text: str, path: pathlib.Path) -> Rings:
    rings: dict[str, list[Key]] = {kind: [] for kind in KINDS}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, key = _parse(line, f"{path}, line {number}")
        like = rings["mac"] if kind == "mac" else [*rings["enc"], *rings["next"]]
        if any(other.number == key.number for other in like):
            raise KeyFileError(f"{path}, line {number}: {kind} {key.number} is there twice")
        rings[kind].append(key)
    for kind in ("mac", "enc"):
        if not rings[kind]:
            raise KeyFileError(f"{path} holds no {kind!r} key; put the file back from your backup")
    return Rings(mac=tuple(rings["mac"]), enc=tuple(rings["enc"]), coming=tuple(rings["next"]))


def _parse(line: str, where: str) -> tuple[str, Key]:
    words = line.split()
    if len(words) not in _WORDS or words[0] not in KINDS or not words[1].isdecimal():
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
    return words[0], Key(number, secret, *words[3:])


# ---------------------------------------------------------------- changing the file


def _changed(path: pathlib.Path, change: Callable[[list[str]], int]) -> int:
    """Write the changed lines beside the file and put them in its place at once."""
    # A link to the file stays a link.
    real = path.resolve()
    read(real)
    with _alone(real.parent):
        lines = real.read_text().splitlines()
        number = change(lines)
        fresh = real.with_name(f"{real.name}.new")
        try:
            # What a kill left half written holds a key that was never used.
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            _keep_owner(descriptor, real)
            _fill(descriptor, lines)
            fresh.replace(real)
            _sync(real.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise KeyFileError(f"cannot write the key file {path}: {error.strerror}") from None
    return number


def _keep_owner(descriptor: int, real: pathlib.Path) -> None:
    """Root may do this for the program's own account, which must go on reading it."""
    owner = real.stat()
    if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Two at once would lose one's key. The lock ends with its process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fill(descriptor: int, lines: Sequence[str]) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(kind: str, number: int, day: str) -> str:
    key = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
    return f"{kind} {number} {key} {day}".rstrip()


def _numbers(lines: Sequence[str], kind: str) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.split()[:1] == [kind]]

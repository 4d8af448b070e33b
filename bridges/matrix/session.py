"""The folder of one Matrix account: its login, its keys, its crypto store; for our user alone.

session.json    user, device and access token, made once by `antirelou setup`
pickle.key      what the crypto store is encrypted with
recovery.key    what our cross-signing keys are made from; may be kept elsewhere
crypto.sqlite   the device's keys and sessions (matrix-nio); never copied, never shared
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Final

SESSION: Final = "session.json"
PICKLE: Final = "pickle.key"
RECOVERY: Final = "recovery.key"
STORE: Final = "crypto.sqlite"
LOCK: Final = "lock"
MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_SECRETS: Final = (SESSION, PICKLE, RECOVERY)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Login:
    """Who we are to the homeserver. The device stays the same for ever."""

    user: str
    device: str
    token: str


class BusyError(Exception):
    """Another program works on this folder; two on one crypto store would destroy it."""


class Lock:
    """Holds the folder for one program; a kill lets go of it too."""

    def __init__(self, path: Path) -> None:
        """Take it at once. Raises BusyError, OSError."""
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._file = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, MODE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise BusyError("another program works on this folder") from None

    def release(self) -> None:
        """Let go; once."""
        os.close(self._file)


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """Reads and writes the files; a file that is missing or torn reads as None."""

    path: Path

    def login(self) -> Login | None:
        """The login, None before set-up."""
        told = self.read(SESSION)
        if told is None:
            return None
        try:
            found = json.loads(told)
        except ValueError:
            return None
        match found:
            case {"user": str(user), "device": str(device), "token": str(token)}:
                return Login(user=user, device=device, token=token)
        return None

    def keep_login(self, login: Login) -> None:
        """Write the login, whole or not at all."""
        self.write(SESSION, json.dumps(dataclasses.asdict(login)))

    def pickle_key(self) -> str:
        """The key of the crypto store; made at the first asking."""
        found = self.read(PICKLE)
        if not found:
            found = secrets.token_hex(32)
            self.write(PICKLE, found)
        return found

    def read(self, name: str) -> str | None:
        """A small file's text without the white space around it."""
        try:
            return (self.path / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, name: str, text: str) -> None:
        """A file that only we may read. Raises OSError."""
        self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        draft = self.path / f"{name}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / name)

    def set_aside(self, name: str) -> None:
        """Rename a file that is of no more use, so that nothing is destroyed by us."""
        old = self.path / name
        if old.exists():
            old.replace(self.path / f"{name}.old")

    def open_to_others(self) -> list[str]:
        """Names of secret files that others on this machine may read."""
        found: list[str] = []
        for name in _SECRETS:
            try:
                mode = stat.S_IMODE((self.path / name).stat().st_mode)
            except OSError:
                continue
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                found.append(name)
        return found

"""Whether the database takes what is written, as the last try had it, and how to mend it if not.

Reading works on a full disk, so only a write tells. Messages that cannot be stored are turned away
meanwhile, and the networks hand them over again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MENDS: Final = (
    ("full", "free some space on the disk of {name}; it goes on by itself"),
    ("readonly", "let the program write {name} and its folder (owner, mode, mount)"),
    ("read-only", "let the program write {name} and its folder (owner, mode, mount)"),
    ("no such table", "{name} is not as this version made it: antirelou check, then migrate"),
    ("no such column", "{name} is of another version: antirelou check, then migrate"),
    ("malformed", "{name} is damaged: end the program, keep the file, antirelou restore a backup"),
    ("not a database", "{name} is damaged: end the program, antirelou restore a backup"),
    ("unable to open", "see that {name} and its folder are there and can be read and written"),
    (
        "disk I/O",
        "the disk of {name} does not read or write; look at the system's log and its mount",
    ),
    ("locked", "another program holds {name}; end it"),
)
_ELSE: Final = "{name} must be there and reachable; it goes on by itself"


class Condition:
    """Of one database. `name`: as it may be shown."""

    def __init__(self, name: str) -> None:
        """Well, until a write fails."""
        self._name = name
        self._error: str | None = None

    def well(self) -> None:
        """A write went through."""
        self._error = None

    def ill(self, error: Exception) -> None:
        """A write failed."""
        self._error = str(error)

    def tell(self) -> Mapping[str, object]:
        """For health: `ok`, else also `error` and `mend`."""
        if self._error is None:
            return {"ok": True}
        return {"ok": False, "error": self._error, "mend": mend(self._name, self._error)}


def mend(name: str, error: str) -> str:
    """What to do about what the database says of itself. `name`: as it may be shown."""
    found = next((what for word, what in _MENDS if word in error), _ELSE)
    return found.format(name=name)

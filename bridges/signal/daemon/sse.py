"""Server-sent events as signal-cli's HTTP daemon writes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EVENT_BYTES_MAX: Final = 1024 * 1024
"""An envelope is some hundred bytes; a text has at most a few thousand characters."""


class EventTooLongError(Exception):
    """The other side says what no daemon says."""


class Reader:
    """Cuts a stream into events. Keep-alive lines (`:`) and other fields give no event."""

    def __init__(self) -> None:
        """Begins between two events."""
        self._rest = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Sequence[bytes]:
        """The data of the events that `chunk` completes; EventTooLongError."""
        self._rest += chunk
        *whole, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        found: list[bytes] = []
        for line in whole:
            text = line.removesuffix(b"\r")
            if text.startswith(b"data:"):
                self._data.append(text[5:].removeprefix(b" "))
            elif not text and self._data:
                found.append(b"\n".join(self._data))
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > EVENT_BYTES_MAX:
            raise EventTooLongError("an event is longer than is allowed")
        return found

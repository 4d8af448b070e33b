"""Whole lines over one socket, read only when somebody asks, and never without bound."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

READ_BYTES: Final = 65_536
"""Asked of the kernel at once. Together with what the kernel holds it is the loss window."""


class LinkCutError(Exception):
    """The connection ended, was reset, or said a line that is too long; open a new one."""


class Lines:
    """One connection. One reader at a time; writers wait for each other."""

    def __init__(self, connected: socket.socket, *, line_bytes_max: int) -> None:
        """Take over an open, non-blocking socket."""
        self._socket = connected
        self._line_bytes_max = line_bytes_max
        self._rest = bytearray()
        self._writing = asyncio.Lock()
        self._cut_off = False

    @property
    def is_open(self) -> bool:
        return not self._cut_off

    @property
    def is_choked(self) -> bool:
        """Whether a line is stuck on its way out."""
        return self._writing.locked()

    async def some(self) -> list[bytes]:
        """All whole lines that have arrived, at least one; LinkCutError at the end.

        Half a line before the end is dropped: nobody can know what it was.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                chunk = await loop.sock_recv(self._socket, READ_BYTES)
            except OSError:
                raise LinkCutError("the connection was reset") from None
            if not chunk:
                raise LinkCutError("the connection was closed")
            *whole, rest = chunk.split(b"\n")
            if whole:
                whole[0] = bytes(self._rest) + whole[0]
                self._rest = bytearray(rest)
            else:
                self._rest += rest
            if len(self._rest) > self._line_bytes_max:
                raise LinkCutError("a line is longer than is allowed")
            if whole:
                return whole

    async def write(self, line: bytes) -> None:
        """Write a whole line; LinkCutError if it may not have gone out whole.

        Cancelled in the middle, it closes: what follows half a line would be misread.
        """
        loop = asyncio.get_running_loop()
        async with self._writing:
            try:
                await loop.sock_sendall(self._socket, line)
            except OSError:
                self._cut()
                raise LinkCutError("the connection was reset") from None
            except asyncio.CancelledError:
                self._cut()
                raise

    def _cut(self) -> None:
        """Wake whoever reads or writes; the loop still watches the socket for them."""
        self._cut_off = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Give the socket back, once nobody reads any more; may be called twice."""
        self._cut()
        # A socket that is closed under a writer would leave its number in the loop's list, where
        # the next socket gets it.
        async with self._writing:
            self._socket.close()

"""A disk that turns read-only under a running program, and back: by the kernel, without root.

A file system in use is not remounted read-only, and modes and flags are no matter to files that
are open already (nor to root). So the program is started under a seccomp filter that asks this
process about each call that would change a file. While `forbids` says so, those below one folder
fail with EROFS, as on a disk that the kernel has turned read-only after a fault. All else goes on.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

# Of linux/seccomp.h, linux/filter.h, linux/prctl.h.
_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_GO_ON: Final = 1
_NO_NEW_PRIVILEGES: Final = 38
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SET_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTICE: Final = struct.Struct("=QII iIQ6Q".replace(" ", ""))
_ANSWER: Final = struct.Struct("=QqiI")
# Calls by the number of the argument that says which file: a descriptor, or a path.
_OPEN: Final = {"x86_64": 257, "aarch64": 56}
_UNLINK: Final = {"x86_64": {87: 0, 263: 1}, "aarch64": {35: 1}}
_WRITES: Final = {
    # pwrite64, ftruncate, fallocate, pwritev
    "x86_64": frozenset({18, 77, 285, 296}),
    "aarch64": frozenset({68, 46, 47, 70}),
}
_CHANGES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def why_not() -> str | None:
    """Why it cannot be done here, None if it can."""
    if platform.machine() not in _SECCOMP or sys.platform != "linux":
        return "no seccomp numbers for this machine"
    known = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not known.exists() or "user_notif" not in known.read_text().split():
        return "this kernel cannot ask about a call (seccomp user_notif)"
    return None


class Forbidding:
    """Answers the kernel's questions in a thread, until the program ends."""

    def __init__(self, folder: Path) -> None:
        """`folder`: below which nothing may be changed while `forbids`."""
        self.forbids = False
        self.refused = 0
        self._folder = f"{folder.resolve()}/"
        self.ours, self.theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._answer, name="forbidding", daemon=True)

    def command(self, words: Sequence[str]) -> list[str]:
        """How to start a program so that it is asked about; hand on `theirs`."""
        number = str(self.theirs.fileno())
        return [sys.executable, "-m", "tests.e2e.forbidding", number, *words]

    def started(self) -> None:
        """From now on the questions come."""
        self.theirs.close()
        self._thread.start()

    def ended(self) -> None:
        """The program is gone."""
        self.ours.close()
        if self._thread.is_alive():
            self._thread.join(10)

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Read-only within."""
        self.forbids = True
        try:
            yield
        finally:
            self.forbids = False

    def _answer(self) -> None:
        _, fds, _, _ = socket.recv_fds(self.ours, 1, 1)
        if not fds:
            return
        asked = fds[0]
        try:
            watch = select.poll()
            watch.register(asked, select.POLLIN)
            while True:
                ((_, seen),) = watch.poll() or ((0, 0),)
                if seen & (select.POLLHUP | select.POLLERR) or not seen & select.POLLIN:
                    return
                self._one(asked)
        finally:
            os.close(asked)

    def _one(self, asked: int) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(asked, _RECEIVE, notice, True)
        except OSError:
            # Its thread was killed meanwhile.
            return
        number, pid, _, call, _, _, *arguments = _NOTICE.unpack(notice)
        said = 0
        if self.forbids and self._changes(pid, call, arguments):
            self.refused += 1
            said = -errno.EROFS
        answer = _ANSWER.pack(number, 0, said, 0 if said else _GO_ON)
        with contextlib.suppress(OSError):
            fcntl.ioctl(asked, _SEND, bytearray(answer), True)

    def _changes(self, pid: int, call: int, arguments: Sequence[int]) -> bool:
        machine = platform.machine()
        try:
            if call in _WRITES[machine]:
                path = str(Path(f"/proc/{pid}/fd/{arguments[0] & 0xFFFFFFFF}").readlink())
            elif call == _OPEN[machine]:
                path = _text(pid, arguments[1]) if arguments[2] & _CHANGES else ""
            else:
                path = _text(pid, arguments[_UNLINK[machine][call]])
        except OSError:
            return False
        return path.startswith(self._folder)


def _text(pid: int, place: int) -> str:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(place)
        # To the end of its page at most, or the read may fail.
        told: bytes = memory.read(min(4_096, 4_096 - place % 4_096)) or b""
        if b"\0" not in told:
            told += memory.read(4_096) or b""
    return os.fsdecode(told.partition(b"\0")[0])


def _filter(calls: Sequence[int]) -> bytes:
    """Ask about these, allow all others."""
    lines = [(_LOAD, 0, 0, 0)]
    lines += [(_EQUAL, len(calls) - n, 0, call) for n, call in enumerate(calls)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ASK)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def main() -> None:
    """Put this process under the filter, hand the questions over, and become the program."""
    channel, words = int(sys.argv[1]), sys.argv[2:]
    machine = platform.machine()
    calls = sorted({_OPEN[machine], *_UNLINK[machine], *_WRITES[machine]})
    lines = _filter(calls)
    told = _Program(length=len(lines) // 8, lines=lines)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    # Nothing that is asked about may happen between the filter and the answers.
    ancillary = array.array("i", [0])
    over = socket.socket(fileno=channel)
    asked = libc.syscall(_SECCOMP[machine], _SET_FILTER, _NEW_LISTENER, ctypes.byref(told))
    if asked < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    ancillary[0] = asked
    over.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, ancillary)])
    os.close(asked)
    over.close()
    os.execv(words[0], words)  # noqa: S606 (a test's own program)


if __name__ == "__main__":
    main()

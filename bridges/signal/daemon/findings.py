"""What `antirelou check` says of a signal-cli daemon. Changes nothing, never raises."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from bot.contract import bridge
from bridges.signal import transport
from bridges.signal.daemon import place

_LINE_BYTES_MAX: Final = 65_536


class _Asked(Protocol):
    async def about(self) -> transport.About: ...

    async def untrusted(self) -> int: ...


async def look(asked: _Asked, where: place.Place) -> Sequence[bridge.Finding]:
    """Is it there, has it our account, was it started as docs/signal.md says."""
    found: list[bridge.Finding] = []
    try:
        about = await asked.about()
    except transport.AwayError as away:
        mend = "start it without -a, with --receive-mode manual (docs/signal.md), or mend `url`"
        return [_fault("signal-cli's daemon", f"{away}", mend)]
    found.append(_good("signal-cli's daemon", f"answers, version {about.version}"))
    if about.ours:
        found.append(_good("account", "the daemon has it"))
    else:
        found.append(
            _fault("account", "the daemon does not have it", "register it, or mend `number`")
        )
    found.extend(started(await _command_line(where)))
    return found


def started(words: Sequence[str]) -> list[bridge.Finding]:
    """What the daemon's own command line says, `words` empty where nobody can see it. Pure."""
    if "daemon" not in words:
        sentence = "how it was started cannot be seen from here"
        mend = "compare its options with docs/signal.md, or use its socket file (unix://)"
        return [_warning("start of the daemon", sentence, mend)]
    found: list[bridge.Finding] = []
    if _option(words, "--receive-mode") not in {"manual", "on-connection"}:
        found.append(
            _fault(
                "--receive-mode",
                "takes messages from Signal while nobody listens: they are lost",
                "start it with --receive-mode manual",
            )
        )
    if "--ignore-attachments" not in words:
        found.append(
            _fault(
                "--ignore-attachments",
                "downloads whatever strangers send",
                "start it with --ignore-attachments",
            )
        )
    if "--send-read-receipts" in words:
        found.append(
            _fault(
                "--send-read-receipts",
                "tells at once that somebody reads",
                "start it without --send-read-receipts",
            )
        )
    if _option(words, "--trust-new-identities") != "always":
        found.append(
            _fault(
                "--trust-new-identities",
                "withholds the texts of people who reinstalled Signal",
                "start it with --trust-new-identities always, before the word daemon",
            )
        )
    if "--no-receive-stdout" not in words:
        found.append(
            _warning(
                "--no-receive-stdout",
                "may write what people wrote into the system's log",
                "start it with --no-receive-stdout",
            )
        )
    return found or [_good("start of the daemon", "as docs/signal.md says")]


def _option(words: Sequence[str], name: str) -> str:
    """The value of `--name value` or `--name=value`, the last one counts."""
    value = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == name:
            value = after
        elif word.startswith(name + "="):
            value = word.partition("=")[2]
    return value


async def _command_line(where: place.Place) -> list[str]:
    """Of the process behind a socket file; nothing for another place or another kernel."""
    if not where.path or not hasattr(socket, "SO_PEERCRED"):
        return []
    try:
        opened = await place.connect(where)
    except OSError:
        return []
    with opened:
        told = opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", told)
    try:
        raw = await asyncio.to_thread(Path(f"/proc/{pid}/cmdline").read_bytes)
    except OSError:
        return []
    return [word.decode("utf-8", "replace") for word in raw[:_LINE_BYTES_MAX].split(b"\0")]


def _good(about: str, sentence: str) -> bridge.Finding:
    return bridge.Finding(verdict=bridge.Verdict.GOOD, about=about, sentence=sentence)


def _warning(about: str, sentence: str, mend: str) -> bridge.Finding:
    return bridge.Finding(verdict=bridge.Verdict.WARNING, about=about, sentence=sentence, mend=mend)


def _fault(about: str, sentence: str, mend: str) -> bridge.Finding:
    return bridge.Finding(verdict=bridge.Verdict.FAULT, about=about, sentence=sentence, mend=mend)

"""Readers of what came by other ways: envelopes, room events, commands, settings, recordings."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import pathlib
import random
from typing import Final

import typer.testing

from bot import cli, config
from bot.console.room import parser
from bot.contract import address
from bot.contract.conformance import fakes
from bot.simulate import trace
from bridges.matrix import places
from bridges.matrix import wire as matrix
from bridges.signal import wire as signal
from bridges.signal.daemon import jsonrpc, sse
from tools.fuzz import corpus, mutate, target

OURS: Final = "+33639980000"
_BOMB: Final = 64 * 1024 * 1024


class Envelopes:
    """`bridges.signal.wire`: an envelope, then what it becomes at the door. WireError only."""

    name = "signal-envelope"

    async def one(self, draw: random.Random) -> target.Tried:
        """As signal-cli-rest-api tells it."""
        with contextlib.suppress(ValueError, RecursionError):  # the caller's own (webhook._event)
            return _heard(json.loads(mutate.json_of(draw, corpus.SIGNAL)))
        return target.Tried(refused=True)


def _heard(raw: object) -> target.Tried:
    try:
        heard = signal.read(raw, number=OURS, own_aci=None)
        if isinstance(heard, signal.Message):
            own, now = address.Address(address.SIGNAL, OURS), fakes.NOON
            signal.inbound(heard, channel="s", own=own, now=now, root_ms=heard.root_ms)
    except signal.WireError:
        return target.Tried(refused=True)
    except ValueError as error:
        raise target.FaultError(f"{type(error).__name__} instead of WireError") from error
    return target.Tried()


class Daemon:
    """`bridges.signal.daemon`: lines of JSON-RPC (ValueError) and server-sent events."""

    name = "signal-daemon"

    async def one(self, draw: random.Random) -> target.Tried:
        """In chunks that end anywhere."""
        line = mutate.json_of(draw, corpus.DAEMON)
        stream = b"data:" + line.replace(b"\n", b"\ndata:") + b"\n\n:\n"
        reader, found = sse.Reader(), list[bytes]()
        try:
            while stream:
                size = draw.randrange(1, len(stream) + 1)
                found += reader.feed(stream[:size])
                stream = stream[size:]
        except sse.EventTooLongError:
            return target.Tried(refused=True)
        try:
            for data in (line, *found):
                said = jsonrpc.read(data)
                if isinstance(said, jsonrpc.Event):
                    _heard({"params": said.params})
        except ValueError:
            return target.Tried(refused=True)
        return target.Tried()


class Matrix:
    """`bridges.matrix.wire`: whatever comes in, nothing raises."""

    name = "matrix"

    async def one(self, draw: random.Random) -> target.Tried:
        """An event of a timeline, read in each way."""
        try:
            event = json.loads(mutate.json_of(draw, corpus.MATRIX))
        except (ValueError, RecursionError):  # nio's own parser stands before us
            return target.Tried(refused=True)
        if not isinstance(event, dict):
            return target.Tried(refused=True)
        place = places.Place(room_id="!r:example.org", joined={"@anna:example.org"})
        heard = matrix.Heard(event=event)
        own = address.Address(address.MATRIX, "@us:example.org")
        matrix.torn(event)
        matrix.changes(event, place, fakes.NOON)
        place.member("@anna:example.org")
        read = matrix.read(heard, place, own.value)
        told = matrix.contact(heard, channel="m", own=own, now=fakes.NOON)
        return target.Tried(refused=read is None and told is None)


class Commands:
    """`bot.console.room.parser`: a command or a sentence that helps, never an exception."""

    name = "commands"

    async def one(self, draw: random.Random) -> target.Tried:
        """In either language."""
        text = draw.choice(corpus.COMMANDS)
        if draw.random() < 0.9:  # noqa: PLR2004 (most)
            others = [one.encode() for one in corpus.COMMANDS]
            text = mutate.raw(draw, text.encode(), others).decode("utf-8", "replace")
        if draw.random() < 0.1:  # noqa: PLR2004 (some)
            text += draw.choice(mutate.TEXTS)
        parsed = parser.parse(text)
        return target.Tried(refused=isinstance(parsed, parser.Wrong))


class Config:
    """`bot.config.load`: a file, an environment and overrides; ConfigError only."""

    name = "config"

    def __init__(self, folder: pathlib.Path) -> None:
        self._file = folder / "config.toml"

    async def one(self, draw: random.Random) -> target.Tried:
        """Any of the three may be broken."""
        text = corpus.CONFIG
        if draw.random() < 0.8:  # noqa: PLR2004 (most)
            text = mutate.raw(draw, text, [corpus.CONFIG])
        self._file.write_bytes(text)
        self._file.chmod(0o600)
        environ, overrides = {}, []
        names = ("WEB__PORT", "REPLY__TEXTS", "FX__USD__RATE", "CHANNELS__SMS__TOKEN_FILE", "A__B")
        values = [*(one.replace("\x00", "") for one in mutate.TEXTS), "[" * 3_000, "9" * 5_000]
        for _ in range(draw.choice((0, 0, 1, 2))):
            environ["ANTIRELOU_" + draw.choice(names)] = draw.choice(values)
            overrides.append(
                f"{draw.choice(names).lower().replace('__', '.')}={draw.choice(values)}"
            )
        try:
            config.load(self._file, overrides=overrides, environ=environ)
        except config.ConfigError as error:
            str(error)
            return target.Tried(refused=True)
        return target.Tried()


class Traces:
    """`bot.simulate.trace`: a recording, plain or packed; TraceError only, before anything."""

    name = "trace"

    def __init__(self, folder: pathlib.Path) -> None:
        self._file = folder / "trace.jsonl"

    async def one(self, draw: random.Random) -> target.Tried:
        """Measured, then read as `simulate` does; what was measured must be readable."""
        self._file.write_bytes(self._made(draw))
        try:
            size = trace.measure(self._file)
        except trace.TraceError as error:
            str(error)
            return target.Tried(refused=True)
        read = sum(1 for _ in trace.inbound(self._file, "sms"))
        if read != size.messages:
            raise target.FaultError("measured other messages than were read")
        return target.Tried()

    def _made(self, draw: random.Random) -> bytes:
        lines = [mutate.dumped(one) for one in corpus.TRACE]
        if draw.random() < 0.8:  # noqa: PLR2004 (most)
            place = draw.randrange(len(lines))
            lines[place] = mutate.json_of(draw, [corpus.TRACE[place]])
        whole = b"\n".join(lines) + b"\n"
        match draw.randrange(12):
            case 0:
                return mutate.raw(draw, gzip.compress(whole), [whole])
            case 1 | 2:
                return gzip.compress(whole)
            case 3 if draw.random() < 0.05:  # noqa: PLR2004 (dear)
                filler = draw.choice((b" ", b"[", b'"', b"\x00"))
                return gzip.compress(whole + filler * _BOMB, compresslevel=1)
        return whole


class CommandLine:
    """`antirelou COMMAND VALUE`: an exit code and a sentence, never an exception."""

    name = "cli"

    def __init__(self, folder: pathlib.Path) -> None:
        self._runner = typer.testing.CliRunner()
        self._told = ["--set", f"store.url=sqlite:{folder}/a.db"]
        self._told += ["--set", f"store.key_file={folder}/a.key"]
        self._made = False

    async def one(self, draw: random.Random) -> target.Tried:
        """Text where text is parsed. In a thread: commands have event loops of their own."""
        values = [*mutate.TEXTS, "2h", "25,50", "-5", "normal", "sms", "9" * 400, "1e9", "--"]
        words = draw.choice(
            (
                ("segments", "--", draw.choice(values)),
                ("pause", "--for", draw.choice(values)),
                ("mode", draw.choice(values), "--for", draw.choice(values)),
                ("donate", "--", draw.choice(values)),
                ("cap", "--", draw.choice(values), draw.choice(values)),
                ("release", "--", draw.choice(values)),
                ("why", "--address", draw.choice(values)),
                ("export", "--", draw.choice(values)),
                ("pool", "offer", "--", draw.choice(values)),
            )
        )
        return await asyncio.to_thread(self._run, list(words))

    def _run(self, words: list[str]) -> target.Tried:
        if not self._made:
            self._ask(["migrate", *self._told])
            self._made = True
        place = words.index("--") if "--" in words else len(words)
        more = [] if words[0] == "segments" else self._told
        code = self._ask([*words[:place], *more, *words[place:]])
        return target.Tried(refused=code != 0)

    def _ask(self, words: list[str]) -> int:
        # What a terminal can hand over: no NUL, and half characters as surrogateescape gives them.
        words = [os.fsdecode(w.replace("\x00", "").encode("utf-8", "replace")) for w in words]
        done = self._runner.invoke(cli.app, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise target.FaultError(f"{words[0]}: {type(done.exception).__name__}") from (
                done.exception
            )
        if done.exit_code not in {0, 1, 2, 3}:
            raise target.FaultError(f"{words[0]}: exit code {done.exit_code}")
        return int(done.exit_code)


def all_of(folder: pathlib.Path) -> list[target.Target]:
    """Every reader that is no webhook; `folder` takes what they read from files."""
    in_files = (Config(folder), Traces(folder), CommandLine(folder))
    return [Envelopes(), Daemon(), Matrix(), Commands(), *in_files]

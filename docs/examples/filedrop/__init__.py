"""A bridge to a folder: files in are messages, files out are replies. See docs/new-bridge.md."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.contract import address, bridge, intake, messages, money, outcomes

NETWORK: Final = "filedrop"
SEND_LIMIT_S: Final = 10.0
MAX_FILE_BYTES: Final = 65_536
_KEYS: Final = frozenset({"folder", "address", "poll_s"})
_NAME = re.compile(r"[a-z0-9-]{3,64}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`[channels.NAME]`: the folder, the name we answer under, the pause between two looks."""

    folder: Path
    address: str
    poll_s: int = 1


def read(table: Mapping[str, object]) -> Settings:
    """Check the whole table, so that one start names every fault."""
    faults = [(key, "is not a setting of filedrop") for key in sorted(set(table) - _KEYS)]
    folder, own, poll_s = table.get("folder"), table.get("address"), table.get("poll_s", 1)
    if not isinstance(folder, str) or not Path(folder).is_dir():
        faults.append(("folder", "must be the path of a folder that exists"))
    if not isinstance(own, str) or not _NAME.match(own):
        faults.append(("address", "must be 3 to 64 of a-z, 0-9 and -"))
    if type(poll_s) is not int or poll_s < 1:
        faults.append(("poll_s", "must be whole seconds, 1 or more"))
    if faults:
        raise bridge.SettingsError(faults)
    return Settings(folder=Path(str(folder)), address=str(own), poll_s=int(str(poll_s)))


def parse(name: str, raw: bytes, channel: str, own: address.Address) -> messages.InboundMessage:
    """One file as a message. Pure; raises ValueError for whatever is no message."""
    try:
        fields = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None
    match fields:
        case {"from": str(sender), "text": str(text), "at": str(at)} if _NAME.match(sender):
            return messages.InboundMessage(
                channel=channel,
                provider_id=name,
                sender=address.Address(NETWORK, sender),
                recipient=own,
                received_at=dt.datetime.fromisoformat(at),
                text=text,
            )
    raise ValueError("from must be a name, text and at strings")


class FileDrop:
    """in/ -> done/ or bad/ is the way in, out/ the way out; gone/NAME wants no more replies."""

    network = NETWORK
    idempotent = True

    def __init__(self, settings: Settings, context: bridge.Context) -> None:
        """Make the folders that are missing."""
        self.channel = context.channel
        self.addresses = (bridge.OwnAddress(address=address.Address(NETWORK, settings.address)),)
        self._settings = settings
        self._context = context
        for name in ("in", "done", "bad", "out", "gone"):
            (settings.folder / name).mkdir(exist_ok=True)

    def reaches(self, recipient: address.Address) -> bool:
        return recipient.network == NETWORK and bool(_NAME.match(recipient.value))

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        if not self.reaches(recipient):
            return None
        return messages.Quote(price=money.Money(0, self._context.currency), parts=1)

    async def listen(self, door: intake.Intake) -> None:
        while True:
            pause_s = self._settings.poll_s
            found = self._settings.folder.glob("in/*.json")
            try:
                for path in await asyncio.to_thread(sorted, found):
                    await self._take(path, door)
            except intake.NotStoredError as away:
                pause_s = away.retry_after_s
            except OSError:
                raise bridge.BridgeDownError("the folder cannot be read or written") from None
            await self._context.clock.sleep(pause_s)

    async def _take(self, path: Path, door: intake.Intake) -> None:
        raw = await asyncio.to_thread(_read_bounded, path)
        try:
            message = parse(path.stem, raw, self.channel, self.addresses[0].address)
        except ValueError:
            await asyncio.to_thread(path.replace, self._settings.folder / "bad" / path.name)
            return
        await door.accept([message])
        # The acknowledgement. Killed before this line, we find the file again at the next start.
        await asyncio.to_thread(path.replace, self._settings.folder / "done" / path.name)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                return await asyncio.to_thread(self._write, reply)
        except (TimeoutError, OSError):
            return outcomes.Unknown(reason="the file system did not say whether it is written")

    def _write(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        folder = self._settings.folder
        if (folder / "gone" / reply.recipient.value).exists():
            return outcomes.Rejected(reason="gone", opt_out=True)
        if not (folder / "out").is_dir():
            later = self._context.clock.now() + dt.timedelta(minutes=1)
            return outcomes.NotNow(reason="no out/", retry_at=later)
        final, draft = (folder / "out" / f"{reply.reply_id}{end}" for end in (".json", ".draft"))
        if not final.exists():
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"to": reply.recipient.value, "text": reply.text}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(final)  # whole or not at all, and the same name for the same reply
        return outcomes.Accepted(provider_id=reply.reply_id)

    async def close(self) -> None:
        """Nothing is kept open."""


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES)


def create(settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
    """What the registry calls."""
    return FileDrop(read(settings), context)

"""The folder that the file-drop bridge works in, as the conformance kit wants to be given it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.contract import address, bridge, conformance
from docs.examples import filedrop


class FileDropWorld:
    """Somebody who drops files into the folder, and looks at what comes out."""

    person = address.Address(filedrop.NETWORK, "lou-7f3c9a")
    patience_s = 2.0
    quiet_s = 0.1

    async def open(self) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)

    async def close(self) -> None:
        self._temporary.cleanup()

    def settings(self) -> Mapping[str, object]:
        return {"folder": str(self.folder), "address": "the-house", "poll_s": 1}

    def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
        return filedrop.create(settings, context)

    async def deliver(self, inbound: conformance.Inbound) -> None:
        event = {
            "from": inbound.sender.value,
            "text": inbound.text,
            "at": inbound.at.isoformat(),
        }
        await self._drop(inbound.event_id, json.dumps(event).encode())

    async def _drop(self, name: str, raw: bytes) -> None:
        draft = self.folder / "in" / f"{name}.draft"
        await asyncio.to_thread(draft.write_bytes, raw)
        await asyncio.to_thread(draft.replace, draft.with_suffix(".json"))

    def acknowledged(self, event_id: str) -> bool:
        return (self.folder / "done" / f"{event_id}.json").exists()

    async def retry(self) -> None:
        """The file lies where it lay: the bridge itself comes back for it."""

    async def deliver_malformed(self) -> None:
        person = self.person.value.encode()
        for number, raw in enumerate(
            (
                b"",
                b"{",
                b"null",
                b"\xff\x00",
                b"[" * 60_000,
                b'{"from": "' + person + b'"}',
                b'{"from": "' + person + b'", "text": 7, "at": "2026-01-05T12:00:00Z"}',
                b'{"from": "' + person + b'", "text": "x", "at": "2026-01-05T12:00:00"}',
                b'{"from": "' + person + b'", "text": "x", "at": "yesterday"}',
                b'{"from": "../../etc", "text": "x", "at": "2026-01-05T12:00:00Z"}',
            )
        ):
            await self._drop(f"nonsense-{number}", raw)

    def refuse_next(self) -> None:
        (self.folder / "gone" / self.person.value).touch()

    def wait_next(self) -> None:
        (self.folder / "out").rmdir()

    def break_next(self) -> None:
        (self.folder / "out" / f"{1:032x}.draft").mkdir()

    def sent(self) -> Sequence[conformance.Sent]:
        seen = []
        for path in sorted(self.folder.glob("out/*.json")):
            fields = json.loads(path.read_text(encoding="utf-8"))
            seen.append(
                conformance.Sent(recipient=fields["to"], text=fields["text"], reply_id=path.stem)
            )
        return seen

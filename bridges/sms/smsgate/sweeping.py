"""What came in while we were away, out of the phone's inbox.

The phone lists its inbox (GET /inbox); the public server does not (it answers 501), but asks the
phone to send us the events again (POST /inbox/refresh). Both are told first to look into
Android's own inbox, for what arrived while the app was not running.
https://docs.sms-gate.app/features/reading-messages/
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from bot.contract import bridge, intake, messages
from bridges.sms.smsgate import client, settings, wire

LIMIT_S: Final = 30.0
PAGE: Final = 500
"""The API's own upper bound."""
PAGES: Final = 40
REFRESH_EVERY_S: Final = 900.0
"""Each refresh wakes the phone; the core sweeps more often."""
_KINDS: Final = ("SMS", "MMS")


class Sweep:
    """The sweeps of one phone."""

    def __init__(
        self, chosen: settings.Settings, context: bridge.Context, api: client.Client
    ) -> None:
        """Nothing is swept yet."""
        self._settings = chosen
        self._context = context
        self._client = api
        self._refreshed_s: float | None = None

    async def run(self, door: intake.Intake, since: dt.datetime) -> int:
        """Hand in everything since then. Raises BridgeDownError, NotStoredError."""
        try:
            await self._refresh(since)
            return sum([await self._kind(kind, door, since) for kind in _KINDS])
        except (client.NobodyThereError, client.CutError):
            raise bridge.BridgeDownError("the phone's inbox cannot be read") from None

    async def _refresh(self, since: dt.datetime) -> None:
        """Let the phone look into its inbox, if it was not told so a short while ago."""
        now_s = self._context.clock.monotonic()
        if self._refreshed_s is not None and now_s - self._refreshed_s < REFRESH_EVERY_S:
            return
        body: dict[str, object] = {
            "since": _rfc3339(since),
            "until": _rfc3339(self._context.clock.now()),
            "messageTypes": ["SMS"],
            # Where the inbox can be listed, a webhook for each as well would be a second way in.
            "triggerWebhooks": self._settings.api is settings.Api.SERVER,
        }
        if self._settings.device_id is not None:
            body["deviceId"] = self._settings.device_id
        # Older apps do not know it: what the list holds is swept all the same.
        await self._client.ask("POST", "/inbox/refresh", body=body, limit_s=LIMIT_S)
        self._refreshed_s = now_s

    async def _kind(self, kind: str, door: intake.Intake, since: dt.datetime) -> int:
        total = 0
        for page in range(PAGES):
            items = await self._page(kind, since, page * PAGE)
            found = [m for item in items if (m := self._message(item)) is not None]
            if found:
                await door.accept(found)
            total += len(found)
            if len(items) < PAGE:
                break
        return total

    async def _page(self, kind: str, since: dt.datetime, offset: int) -> list[object]:
        query = {
            "type": kind,
            "limit": str(PAGE),
            "offset": str(offset),
            "from": _rfc3339(since),
        }
        if self._settings.device_id is not None:
            query["deviceId"] = self._settings.device_id
        answer = await self._client.ask("GET", "/inbox", query=query, limit_s=LIMIT_S)
        if answer.status in {404, 501}:
            return []
        told = answer.json() if answer.is_good else None
        if not isinstance(told, list):
            raise client.CutError
        return told

    def _message(self, item: object) -> messages.InboundMessage | None:
        """The message, None for what is not ours or a test of the checklist."""
        now = self._context.clock.now()
        try:
            made = wire.listed(item, self._context.channel, self._settings, now)
        except ValueError:
            return None
        if not made.recipient.value:
            # The list may leave the SIM out; the phone's own event tells it, and must be the first.
            return None
        test = wire.test_point(made, self._settings.signing_keys)
        return made if test is None else None


def _rfc3339(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

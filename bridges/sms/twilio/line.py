"""What the parts of one Twilio channel share: settings, clock, client, prices, paths, memory."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from typing import Final

from bot.contract import address, bridge, messages
from bridges.sms.twilio import client, errors, settings, signature, tariff, wire

PRICES_KEY: Final = "prices"
FILTERED_KEY: Final = "filtered"
ANSWERS_KEY: Final = "answers_itself"
VOICE_KEY: Final = "voice_messages"
_FILTERED_KEPT: Final = 100


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Seen:
    """What happened since the start; for health and metrics, no decision hangs on it."""

    last_event_at: dt.datetime | None = None
    refused: int = 0
    taken: int = 0
    not_stored: int = 0


class Line:
    """One account on one channel."""

    def __init__(self, chosen: settings.Settings, context: bridge.Context) -> None:
        """Raises SettingsError for a public URL that is none."""
        self.settings: Final = chosen
        self.context: Final = context
        self.account: Final = client.Account(chosen)
        self.seen: Final = Seen()
        self._voice: Final = asyncio.Lock()
        self.tariff: Final = tariff.Tariff(
            currency=chosen.currency, own=chosen.prices, own_inbound=chosen.inbound_price
        )
        self.ours: Final = wire.Ours(
            channel=context.channel,
            accounts=chosen.accounts,
            numbers=frozenset(own.address.value for own in chosen.addresses),
        )
        if context.public_url:
            try:
                signature.ways(context.public_url)
            except ValueError as error:
                raise bridge.SettingsError([("", f"[web] public_url: {error}")]) from None

    def now(self) -> dt.datetime:
        """By the context's clock."""
        return self.context.clock.now()

    def path(self, name: str) -> str:
        """Of one of our routes: in, fallback, status, voice."""
        return f"/twilio/{self.context.channel}/{name}"

    def url(self, name: str) -> str:
        """That route from outside; needs a public URL."""
        return self.context.public_url.rstrip("/") + self.path(name)

    def is_ours(self, value: object) -> bool:
        """Whether a number is one of this channel's."""
        return isinstance(value, str) and value in self.ours.numbers

    async def receipt(self, news: errors.News, *, asked: bool = False) -> messages.DeliveryReceipt:
        """News as a receipt, those filtered in a row counted.

        `asked`: an old message may be asked about again for days; where callbacks reach us only
        they say what happens now, and only they stop a channel.
        """
        if asked and self.context.public_url:
            told = errors.receipt(
                news,
                channel=self.context.channel,
                at=self.now(),
                currency=self.settings.currency,
            )
            return dataclasses.replace(told, stop_channel=False)
        stop = False
        delivery = errors.delivery_of(news.status)
        if delivery in {messages.Delivery.DELIVERED, messages.Delivery.FAILED}:
            filtered = errors.is_filtered(news)
            stop = await self._count_filtered(news.provider_id, filtered=filtered)
        return errors.receipt(
            news,
            channel=self.context.channel,
            at=self.now(),
            currency=self.settings.currency,
            stop_channel=stop,
        )

    async def _count_filtered(self, provider_id: str, *, filtered: bool) -> bool:
        """Count those filtered in a row, durably; whether it is time to stop the channel.

        A callback comes twice, so ids are kept, not a number.
        """
        kept = await self.context.storage.get(FILTERED_KEY)
        if not filtered:
            if kept is not None:
                await self.context.storage.put(FILTERED_KEY, None)
            return False
        row = _listed(kept)
        if provider_id in row:
            # The same once more, perhaps after a moderator let the channel go on.
            return False
        row = [*row, provider_id][-_FILTERED_KEPT:]
        await self.context.storage.put(FILTERED_KEY, json.dumps(row))
        return len(row) >= self.settings.filtered_in_a_row

    async def take_voice_message(self) -> bool:
        """Whether one more recorded message may be played today (UTC); counted durably."""
        async with self._voice:
            return await self._take_voice_message()

    async def _take_voice_message(self) -> bool:
        today = self.now().date().isoformat()
        kept = await self.context.storage.get(VOICE_KEY)
        row = _listed(kept)
        played = int(row[1]) if len(row) == 2 and row[0] == today and row[1].isdigit() else 0  # noqa: PLR2004 (day and number)
        if played >= self.settings.voice_messages_per_day:
            return False
        await self.context.storage.put(VOICE_KEY, json.dumps([today, str(played + 1)]))
        return True


def _listed(kept: str | None) -> list[str]:
    """A list of texts from storage; empty for what cannot be read."""
    try:
        told = json.loads(kept or "[]")
    except ValueError:
        return []
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def national(own: address.Address) -> bool:
    """Whether it is a French number for persons (06/07), which machines must not send from."""
    return own.value.startswith(("+336", "+337"))

"""What became of a reply, and what came in while nobody listened: questions to Twilio's list."""

from __future__ import annotations

import datetime as dt
from typing import Final

from bot.contract import bridge, intake, messages
from bridges.sms.twilio import client, errors, line, records, sending, settings

# The claim is stamped before the send; the list says whole seconds of Twilio's own clock.
BEFORE_S: Final = 120
AFTER_S: Final = 600
MOST_LISTED: Final = 50_000
PAGE: Final = 1_000
BATCH: Final = 200
OVERLAP: Final = dt.timedelta(days=1)
"""The list is by days of GMT and the core looks back by itself; so a day's edge cannot hide any."""
OLD_ENOUGH: Final = dt.timedelta(hours=36)
REDACTED_A_SWEEP: Final = 200


class Asking:
    """Asks by id, or looks the list through."""

    def __init__(self, of: line.Line, sends: sending.Sending) -> None:
        self._line = of
        self._sends = sends

    async def status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        """As contract.bridge.FetchesStatus; raises the client's errors when Twilio is away."""
        found = await self._found(sent)
        if found is None or errors.delivery_of(found.status) is None:
            return None
        return await self._line.receipt(records.news(found, sent.reply_id), asked=True)

    async def _found(self, sent: bridge.SentReply) -> records.Record | None:
        if sent.provider_id is not None:
            return await self._by_id(sent.provider_id)
        return await self._by_list(sent)

    async def _by_id(self, provider_id: str) -> records.Record | None:
        try:
            told = await self._line.account.sdk.messages(provider_id).fetch_async()
        except client.RefusedError as error:
            if error.refusal.status == 404:  # noqa: PLR2004 (HTTP)
                return None
            raise
        return records.read(told)

    async def _by_list(self, sent: bridge.SentReply) -> records.Record | None:
        """The only one that can be it: from us, to him, at that time, with that text.

        The list does not show the callback's URL. If two could be it, nobody knows, and it is
        asked again or left to a moderator.
        """
        if sent.recipient is None or not sent.recipient.is_e164:
            return None
        earliest = sent.sent_at - dt.timedelta(seconds=BEFORE_S)
        latest = sent.sent_at + dt.timedelta(seconds=AFTER_S)
        listed = await self._line.account.sdk.messages.list_async(
            to=sent.recipient.value, limit=PAGE, page_size=PAGE
        )
        matching = [
            one
            for one in map(records.read, listed)
            if one is not None
            and not one.is_inbound
            and self._line.is_ours(one.sender)
            and one.recipient == sent.recipient.value
            and one.created_at is not None
            and earliest <= one.created_at <= latest
            and self._sends.looked_like(sent.reply_id, one.body)
        ]
        return matching[0] if len(matching) == 1 else None

    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        """As contract.bridge.SweepsInbound: everything listed since, oldest first."""
        count = 0
        for own in self._line.settings.addresses:
            found = await self._listed(own.address.value, since)
            taken = [m for one in found if (m := records.inbound(one, self._line)) is not None]
            for start in range(0, len(taken), BATCH):
                await door.accept(taken[start : start + BATCH])
            count += len(taken)
            await self._forget(found)
        return count

    async def _listed(self, own: str, since: dt.datetime) -> list[records.Record]:
        day = (since - OVERLAP).astimezone(dt.UTC)
        day = day.replace(hour=0, minute=0, second=0, microsecond=0)
        told = await self._line.account.sdk.messages.list_async(
            to=own, date_sent_after=day, limit=MOST_LISTED, page_size=PAGE
        )
        found = [one for one in map(records.read, told) if one is not None]
        earliest = since.astimezone(dt.UTC)
        recent = [one for one in found if (one.sent_at or earliest) >= earliest]
        # The list comes newest first, and its times are whole seconds.
        recent.reverse()
        return sorted(recent, key=lambda one: one.sent_at or earliest)

    async def _forget(self, found: list[records.Record]) -> None:
        """His words are not kept at Twilio for longer than a sweep may need them (setting)."""
        if self._line.settings.at_provider == settings.KEEP:
            return
        before = self._line.now() - OLD_ENOUGH
        old = [
            one
            for one in found
            if one.is_inbound and one.body and one.sent_at is not None and one.sent_at < before
        ]
        for one in old[:REDACTED_A_SWEEP]:
            await self.delete(one.sid)

    async def delete(self, provider_id: str) -> bool:
        """As contract.bridge.DeletesAtProvider: redact the body, or delete the whole record."""
        resource = self._line.account.sdk.messages(provider_id)
        try:
            if self._line.settings.at_provider == settings.DELETE:
                await resource.delete_async()
            else:
                await resource.update_async(body="")
        except client.RefusedError as error:
            return error.refusal.status == 404  # noqa: PLR2004 (HTTP; gone already)
        except (client.AbsentError, client.LostError):
            return False
        return True

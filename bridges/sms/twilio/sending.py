"""One reply to Twilio, once: what came of it is always one of the closed set of outcomes.

Sending is not idempotent at Twilio. So only what is certain is called certain: a 4xx, or no
connection at all. Our reply's id travels in the StatusCallback's query: its callback brings back
the MessageSid that a crash or a cut line lost. Never MaxPrice (without effect since June 2024),
never SendAt (sends at once without a messaging service).
"""

from __future__ import annotations

import collections
import datetime as dt
import hashlib
from typing import Any, Final

from bot.contract import intake, messages, outcomes
from bridges.sms.twilio import client, cover, errors, line, records, wire

LEAST_VALID_S: Final = 1
MOST_VALID_S: Final = 36_000
"""A number's queue at Twilio holds ten hours; ValidityPeriod must not say more."""
ABSENT_WAIT_S: Final = 30
UNCOVERED_WAIT_S: Final = 900
PLACES: Final = 10
"""Handed over a few at a time: Twilio queues a number's parts at about one a second anyway, and
what waits there may be anything. Nobody waits for a place here: a pause or a STOP would come too
late to him."""
CROWDED_WAIT_S: Final = 1
"""The core asks again so soon; its own pace bounds how many knock at once."""
_DIGESTS: Final = 4_096


class Sending:
    """Sends, and remembers for a while how the texts looked, to tell replies apart later."""

    def __init__(self, of: line.Line) -> None:
        self._line = of
        self._digests: collections.OrderedDict[str, bytes] = collections.OrderedDict()
        self._under_way = 0

    def looked_like(self, reply_id: str, body: str) -> bool:
        """Whether that reply may have had this text; yes if nobody knows any more."""
        kept = self._digests.get(reply_id)
        return kept is None or kept == digest(body)

    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        """As contract.bridge.Bridge.send."""
        now = self._line.now()
        if await self._is_uncovered():
            later = now + dt.timedelta(seconds=UNCOVERED_WAIT_S)
            return outcomes.NotNow(reason="Twilio itself answers keywords", retry_at=later)
        valid_s = int((reply.valid_until - now).total_seconds())
        if valid_s < LEAST_VALID_S:
            return outcomes.Rejected(reason="too late to be of use")
        quote = self._line.tariff.quote(reply.recipient.value, reply.text)
        if not self._line.is_ours(reply.sender.value):
            # Twilio would say that the account has no such number, which stops the channel.
            return outcomes.Rejected(reason="not our number any more")
        if quote is None or not reply.recipient.is_e164:
            return outcomes.Rejected(reason="no price for that country, or no number at all")
        if self._under_way >= PLACES:
            later = now + dt.timedelta(seconds=CROWDED_WAIT_S)
            return outcomes.NotNow(reason="too many sends at once", retry_at=later)
        self._under_way += 1
        try:
            self._remember(reply)
            return await self._create(reply, min(valid_s, MOST_VALID_S), quote.parts)
        finally:
            self._under_way -= 1

    async def _is_uncovered(self) -> bool:
        """Whether any process was ever told so: that which sends is not that which listens."""
        if self._line.settings.allow_provider_answers:
            return False
        try:
            return await cover.known(self._line) is not None
        except intake.NotStoredError:
            return True

    async def _create(
        self, reply: messages.OutboundReply, valid_s: int, parts: int
    ) -> outcomes.Outcome:
        try:
            told = await self._line.account.sdk.messages.create_async(
                **self._fields(reply, valid_s)
            )
        except client.RefusedError as error:
            return errors.refused(error.refusal, self._line.now())
        except client.AbsentError:
            later = self._line.now() + dt.timedelta(seconds=ABSENT_WAIT_S)
            return outcomes.NotNow(reason="no connection to Twilio", retry_at=later)
        except client.LostError as error:
            return outcomes.Unknown(reason=str(error))
        record = records.read(told)
        if record is None:
            return outcomes.Unknown(reason="an answer without an id")
        self._line.seen.last_event_at = self._line.now()
        # Never a price: Twilio tells it minutes to a day later.
        return outcomes.Accepted(provider_id=record.sid, parts=record.parts or parts)

    def _fields(self, reply: messages.OutboundReply, valid_s: int) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "to": reply.recipient.value,
            "from_": reply.sender.value,
            "body": reply.text,
            "validity_period": valid_s,
        }
        if self._line.context.public_url:
            url = self._line.url("status")
            fields["status_callback"] = f"{url}?{wire.REPLY_ID_NAME}={reply.reply_id}"
        return fields

    def _remember(self, reply: messages.OutboundReply) -> None:
        self._digests[reply.reply_id] = digest(reply.text)
        if len(self._digests) > _DIGESTS:
            self._digests.popitem(last=False)


def digest(body: str) -> bytes:
    """How a text is remembered: not the text."""
    return hashlib.blake2b(body.encode("utf-8", "replace"), digest_size=16).digest()

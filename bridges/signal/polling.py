"""Receiving by polling: `GET /v1/receive`, for signal-cli-rest-api in normal and native mode.

What can be lost: the messages of one answer, if we are killed or the connection breaks between
their leaving signal-cli and `hand` returning; at most `poll_batch`. What waits at Signal waits on.
"""

from __future__ import annotations

from typing import Final

from bot.contract import bridge, clock, intake
from bridges.signal import answers, http, settings, transport

# signal-cli needs a Java start for each poll in normal mode: several seconds on a small machine.
POLL_LIMIT_S: Final = 60.0


async def receive(
    client: http.Http, chosen: settings.Settings, moment: clock.Clock, hand: transport.Hand
) -> None:
    """Poll until cancelled; raises BridgeDownError when there is no usable answer."""
    query = (
        ("timeout", "1"),
        ("ignore_attachments", "true"),
        ("ignore_stories", "true"),
        ("ignore_avatars", "true"),
        ("ignore_stickers", "true"),
        ("max_messages", str(chosen.poll_batch)),
        ("send_read_receipts", "false"),
    )
    while True:
        try:
            status, body = await client.attempt(
                "GET", ("v1", "receive", chosen.number), query=query, limit_s=POLL_LIMIT_S
            )
        except transport.AwayError as away:
            raise bridge.BridgeDownError(f"polling: {away}") from None
        told = answers.parsed(body)
        if status != 200 or not isinstance(told, list):  # noqa: PLR2004 (HTTP: fine)
            _refused(status, answers.error_text(told), chosen.number)
        await keep(told if isinstance(told, list) else [], moment, hand)
        if not told:
            await moment.sleep(chosen.poll_s)


async def keep(batch: list[object], moment: clock.Clock, hand: transport.Hand) -> None:
    """Hand over what Signal will not tell again, as often as it takes."""
    while True:
        try:
            await hand(batch)
        except intake.NotStoredError as away:
            await moment.sleep(away.retry_after_s)
        else:
            return


def _refused(status: int, text: str, number: str) -> None:
    trouble = answers.trouble(text, number)
    if trouble is not None:
        raise bridge.BridgeDownError(f"polling: {trouble}", needs_human=transport.STEPS[trouble])
    raise bridge.BridgeDownError(f"polling: answered {status}; is it in normal or native mode?")

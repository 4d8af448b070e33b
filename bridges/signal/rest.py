"""A thin client of signal-cli-rest-api: one request a call, an own time limit for each.

The existing Python clients lose status codes and challenge tokens (DESIGN). Nothing is asked
twice, nothing is logged, and no error holds what the neighbour said. Receiving is in `polling`,
`websocket` and `webhook`, one file a way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp

from bot.contract import bridge, clock
from bridges.signal import (
    answers,
    asks,
    http,
    neighbour,
    polling,
    settings,
    transport,
    webhook,
    websocket,
)
from bridges.signal.transport import Verdict


class Rest(asks.Questions):
    """Implements transport.Transport; opens its session at the first request."""

    def __init__(self, chosen: settings.Settings, moment: clock.Clock) -> None:
        """`chosen.way` is one of webhook, polling, websocket."""
        self.kind: Final = str(chosen.way)
        self.time_limit_s: Final = chosen.send_limit_s
        super().__init__(http.Http(chosen.url), chosen.number)
        self._settings = chosen
        self._clock = moment

    async def receive(self, hand: transport.Hand) -> None:
        """By the configured way; see transport.Transport."""
        match self._settings.way:
            case settings.Way.POLLING:
                await polling.receive(self._http, self._settings, self._clock, hand)
            case settings.Way.WEBSOCKET:
                await websocket.receive(self._http, self._settings, hand)
            case _:
                await webhook.watch(self.about, self._clock, hand)

    def routes(self, hand: transport.Hand) -> Sequence[bridge.Route]:
        """The webhook's endpoint."""
        if self._settings.way is not settings.Way.WEBHOOK:
            return ()
        return (webhook.route(self._settings, self._clock, hand),)

    async def send(self, recipient: str, text: str) -> transport.Answer:
        """POST /v2/send, once."""
        return await self._post_message(recipient, text, {})

    async def note_to_self(self, text: str) -> transport.Answer:
        """To our own number as a message, so that it comes back by the way of all messages."""
        return await self._post_message(self._settings.number, text, {"notify_self": True})

    async def _post_message(
        self, recipient: str, text: str, more: Mapping[str, object]
    ) -> transport.Answer:
        body = {
            "number": self._settings.number,
            "recipients": [recipient],
            "message": text,
            "text_mode": "normal",
            **more,
        }
        limit = aiohttp.ClientTimeout(
            total=self._settings.send_limit_s, connect=http.SEND_CONNECT_LIMIT_S
        )
        try:
            status, answer = await self._http.request(
                "POST", ("v2", "send"), body=body, limit=limit
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return transport.Answer(verdict=Verdict.AWAY, reason="the neighbour is not there")
        except TimeoutError:
            return answers.unsure("no answer within the time limit")
        except (aiohttp.ClientError, OSError, ValueError):
            return answers.unsure("the connection broke")
        return answers.of_send(status, answer, self._settings.number)

    async def go_covert(self) -> bool:
        """POST /v1/configuration/{number}/settings: trust new identities always.

        In json-rpc mode the program refuses that and goes by JSON_RPC_TRUST_NEW_IDENTITIES, which
        `check` calls to mind. Read receipts and typing signs are sent only by whoever asks for
        them, and we never do.
        """
        if self._settings.way is not settings.Way.POLLING:
            return True
        path = ("v1", "configuration", self._number, "settings")
        status, _ = await self._http.attempt("POST", path, body={"trust_mode": "always"})
        return status in http.FINE

    async def findings(self) -> Sequence[bridge.Finding]:
        """About mode, attachments, logs."""
        return await neighbour.findings(self._http, self._settings)

    async def close(self) -> None:
        """End the session."""
        await self._http.close()


def create(chosen: settings.Settings, moment: clock.Clock) -> transport.Transport:
    """The transport of one account behind signal-cli-rest-api."""
    return Rest(chosen, moment)

"""The three ways in: a subscription over a socket, events over HTTP, and polling.

Each hands over, and only then reads on: what is not read waits in the socket, then in signal-cli,
then at Signal. A link that gives no sign of life is asked for one, and is given up if none comes.
"""

from __future__ import annotations

from typing import Protocol

from bot.contract import clock
from bridges.signal import settings, transport
from bridges.signal.daemon import calls, place, polled, streamed, subscribed


class Ear(Protocol):
    """A way in."""

    async def listen(self, hand: transport.Hand) -> None:
        """See transport.Transport.receive."""


def choose(
    chosen: settings.Settings, where: place.Place, asking: calls.Calls, moment: clock.Clock
) -> Ear:
    """The way in for these settings."""
    if chosen.way is settings.Way.DAEMON_POLLING:
        return polled.Polled(
            asking, moment, number=chosen.number, batch=chosen.poll_batch, pause_s=chosen.poll_s
        )
    if where.is_http:
        return streamed.Streamed(where, moment, number=chosen.number)
    return subscribed.Subscribed(where, moment, account={"account": chosen.number})

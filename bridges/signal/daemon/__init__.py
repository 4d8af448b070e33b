"""signal-cli's own daemon as the neighbour: JSON-RPC over a socket file, TCP or HTTP.

What signal-cli 0.13 does, read in its source and tried: a message is written to its disk, then
acknowledged to Signal, then written into our socket, then deleted from its disk. So messages wait
at Signal until somebody reads, a full socket holds signal-cli back, and lost is only what stands in
the socket, or in one polled answer, when one of us is killed. docs/signal.md has the sizes.
"""

from __future__ import annotations

from bot.contract import clock
from bridges.signal import settings
from bridges.signal.daemon import calls, ears, neighbour, place


def create(chosen: settings.Settings, moment: clock.Clock) -> neighbour.Daemon:
    """The transport to the daemon at `chosen.url`; opens nothing."""
    where = place.read(chosen.url)
    asking: calls.Calls
    asking = calls.OverHttp(where, moment) if where.is_http else calls.OverSocket(where, moment)
    return neighbour.Daemon(
        asking=asking,
        ear=ears.choose(chosen, where, asking, moment),
        number=chosen.number,
        kind=chosen.way.value,
        send_limit_s=chosen.send_limit_s,
        where=where,
    )

"""A flood through the real rooms: recorded, made up, or the installation's own past.

The world of the recording is a bridge in memory, the clock is virtual, keys and database are
thrown away. Must not reach anybody, and must not decide anything itself: a simulation with rooms
of its own would prove nothing about the real ones.
"""

from bot.simulate.chart import NoChartError
from bot.simulate.made_floods import CURRENCY, KINDS, Flood, Truth, write
from bot.simulate.past import Past
from bot.simulate.past import read as read_past
from bot.simulate.past_stage import PastError
from bot.simulate.past_stage import play as play_past
from bot.simulate.report import Report
from bot.simulate.running import run
from bot.simulate.trace import TraceError

__all__ = [
    "CURRENCY",
    "KINDS",
    "Flood",
    "NoChartError",
    "Past",
    "PastError",
    "Report",
    "TraceError",
    "Truth",
    "play_past",
    "read_past",
    "run",
    "write",
]

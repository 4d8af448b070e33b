"""A recorded flood through the real rooms (inbox, policy, outbox, ledger, dispatcher, janitor).

The world of the recording is a bridge in memory, the clock is virtual, keys and database are
thrown away. Must not reach anybody, and must not decide anything itself: a simulation with rooms
of its own would prove nothing about the real ones.
"""

from bot.simulate.chart import NoChartError
from bot.simulate.made_floods import KINDS, Flood, Truth, write
from bot.simulate.report import Report
from bot.simulate.running import run
from bot.simulate.trace import TraceError

__all__ = ["KINDS", "Flood", "NoChartError", "Report", "TraceError", "Truth", "run", "write"]

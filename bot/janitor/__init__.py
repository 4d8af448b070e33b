"""Periodic chores: what nobody asks for and everybody relies on.

`stuck` ends leases and dates, `unsure` settles unknown sends, `afterwards` asks for late prices
and has messages removed at the provider, `opinions` asks whether doubtful
numbers are real, `retention` forgets, `sealed` follows a key rotation, `sweep` fetches what came
in while we were away, `rounds` runs them all and remembers when each ran. Must not send, and
never holds the writer for long.
"""

from bot.janitor.rounds import OPINIONS_EVERY_S, Janitor, tidy

__all__ = ["OPINIONS_EVERY_S", "Janitor", "tidy"]

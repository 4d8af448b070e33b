"""Which event carried which message of an encrypted session, kept over restarts (C22, C24).

A homeserver cannot make up an encrypted command, but it can send an old one again under a new
event id and time. Megolm numbers the messages of a session, so each number belongs to one event
for ever. nio remembers that in memory only; this stands in its place, in the crypto store's own
file: what is lost or put back with it is also the sessions' keys.
"""

from __future__ import annotations

from typing import Any, Final

# Far above what one sync can bring (gaps.MAX_PAGES), so a kill before handing in finds its own.
MOST: Final = 20_000
PRUNED_EVERY: Final = 500

Key = tuple[str, str, int]
Seen = tuple[str, int]

_HEARD_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS antirelou_heard (number INTEGER PRIMARY KEY,"
    " sender_key TEXT NOT NULL, session_id TEXT NOT NULL, place INTEGER NOT NULL,"
    " event_id TEXT NOT NULL, at_ms INTEGER NOT NULL, UNIQUE (sender_key, session_id, place))"
)
_FORGOTTEN_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS antirelou_forgotten (sender_key TEXT NOT NULL,"
    " session_id TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (sender_key, session_id))"
)
_SEEN: Final = (
    "SELECT event_id, at_ms FROM antirelou_heard"
    " WHERE sender_key = ? AND session_id = ? AND place = ?"
)
_FORGOTTEN: Final = (
    "SELECT 1 FROM antirelou_forgotten WHERE sender_key = ? AND session_id = ? AND place >= ?"
)
_KEEP: Final = (
    "INSERT INTO antirelou_heard (sender_key, session_id, place, event_id, at_ms)"
    " VALUES (?, ?, ?, ?, ?)"
)
_NEWEST: Final = "SELECT max(number) FROM antirelou_heard"
_RAISE: Final = (
    "INSERT INTO antirelou_forgotten (sender_key, session_id, place)"
    " SELECT sender_key, session_id, max(place) FROM antirelou_heard WHERE number <= ?"
    " GROUP BY sender_key, session_id"
    " ON CONFLICT (sender_key, session_id) DO UPDATE SET place = max(place, excluded.place)"
)
_DROP: Final = "DELETE FROM antirelou_heard WHERE number <= ?"
# No event has it: whatever asks is another one than the one that was forgotten.
_NOBODY: Final[Seen] = ("", -1)


class Memory:
    """In place of nio's `message_index_store`: (sender key, session, number) -> (event, time).

    nio looks a number up at each decryption and sets it where there is none; it is on the disk
    when `__setitem__` returns, before anybody sees the words. Old rows go: up to the highest
    number that went, a session takes nothing any more that is not still known here. So nothing
    is accepted twice, and one row per session of the store is left.
    Raises peewee's errors where the disk does: then nothing is decrypted.
    """

    def __init__(self, database: Any, most: int = MOST) -> None:  # noqa: ANN401  # peewee is untyped
        """`database`: the open one of nio's store. `most`: rows kept, and up to 500 more."""
        self._database = database
        self._most = most
        self.met: Seen | None = None
        for table in (_HEARD_TABLE, _FORGOTTEN_TABLE):
            database.execute_sql(table)
        self._prune()

    def __getitem__(self, key: Key) -> Seen:
        """Who had this number. Raises KeyError when nobody did. `met` tells of the last asking."""
        self.met = None
        row = self._database.execute_sql(_SEEN, key).fetchone()
        if row is None and self._database.execute_sql(_FORGOTTEN, key).fetchone() is not None:
            row = _NOBODY
        if row is None:
            raise KeyError(key)
        self.met = (str(row[0]), int(row[1]))
        return self.met

    def __setitem__(self, key: Key, seen: Seen) -> None:
        """Keep it, durably."""
        cursor = self._database.execute_sql(_KEEP, (*key, *seen))
        self.met = seen
        if cursor.lastrowid % PRUNED_EVERY == 0:
            self._prune()

    def _prune(self) -> None:
        (newest,) = self._database.execute_sql(_NEWEST).fetchone()
        last = (newest or 0) - self._most
        if last <= 0:
            return
        with self._database.atomic():
            self._database.execute_sql(_RAISE, (last,))
            self._database.execute_sql(_DROP, (last,))

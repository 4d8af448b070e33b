"""All tables, for SQLite and PostgreSQL alike.

Times are integer milliseconds since 1970 UTC (`*_ms`), money integer millionths of the budget's
currency (`*_micros`). Hashes are keyed (vault); `*_enc` columns are encrypted (vault).
Random indexes are over half of the cost of a row at size, so there are few.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)

_Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# Blocks of ids are taken from here, so that rows know their ids before they are written and a
# batch needs no RETURNING.
sequences = sa.Table(
    "sequences",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next", _Big, nullable=False),
)

persons = sa.Table(
    "persons",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=False),
    sa.Column("created_ms", _Big, nullable=False),
    sa.Column("last_ms", _Big, nullable=False),
    sa.Column("messages", _Big, nullable=False),
    sa.Column("blocked_until_ms", _Big, nullable=False),
    sa.Column("opted_out_ms", _Big),
    sa.Column("blocked_ms", _Big),
    sa.Column("merged_into", _Big),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("person_id", _Big, nullable=False, index=True),
    sqlite_with_rowid=False,
)

seen = sa.Table(
    "seen",
    metadata,
    sa.Column("hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("at_ms", _Big, nullable=False),
    sqlite_with_rowid=False,
)

inbound = sa.Table(
    "inbound",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("person_id", _Big, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("received_ms", _Big, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reply_id", _Big),
    sa.Column("first", sa.Boolean, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("number_type", sa.Text),
    sa.Column("prefix", sa.LargeBinary(16)),
    sa.Column("text_enc", sa.LargeBinary),
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=False),
    sa.Column("person_id", _Big, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("own_address", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("address_enc", sa.LargeBinary),
    sa.Column("text_enc", sa.LargeBinary),
    sa.Column("first_ms", _Big, nullable=False),
    sa.Column("due_ms", _Big, nullable=False),
    sa.Column("window_ms", _Big, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lease_until_ms", _Big),
    sa.Column("started_ms", _Big),
    sa.Column("sent_ms", _Big),
    sa.Column("provider_id", sa.Text),
    sa.Column("parts", sa.Integer),
    sa.Column("reserved_micros", _Big),
    sa.Column("price_micros", _Big),
    sa.Column("period", sa.Text),
    sa.Column("words", sa.LargeBinary),
    sa.Column("topic", _Big),
    sa.Column("approved", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("quoted_micros", _Big),
    # Where he wrote to, if the reply goes out from elsewhere; who refused for good (a list of
    # channels); the failed reply that this is the one later attempt of.
    sa.Column("written_channel", sa.Text),
    sa.Column("written_address", sa.Text),
    sa.Column("refused_by", sa.Text),
    sa.Column("retry_of", _Big),
    # What a second opinion said of the number (policy.flood.opinions); NULL: nobody was asked.
    sa.Column("opinion", sa.Integer),
)
# The states are literals: a bound parameter would miss a partial index (SPEED.md).
_SCHEDULED = sa.text("state = 'scheduled'")
_ACTIVE = sa.text("automatic AND state IN ('held', 'scheduled', 'sending')")
sa.Index("replies_due", replies.c.due_ms, sqlite_where=_SCHEDULED, postgresql_where=_SCHEDULED)
sa.Index(
    "replies_one_active",
    replies.c.person_id,
    unique=True,
    sqlite_where=_ACTIVE,
    postgresql_where=_ACTIVE,
)
# Who was answered by hand is not answered by a second hand; who is to be read first, once.
for _name, _told in (
    (
        "replies_one_by_hand",
        "NOT automatic AND text_enc IS NOT NULL AND state IN ('held', 'scheduled', 'sending')",
    ),
    ("replies_one_asked", "NOT automatic AND text_enc IS NULL AND state = 'held'"),
):
    _where = sa.text(_told)
    sa.Index(_name, replies.c.person_id, unique=True, sqlite_where=_where, postgresql_where=_where)
for _state in ("held", "sending", "unknown"):
    _where = sa.text(f"state = '{_state}'")
    sa.Index(f"replies_{_state}", replies.c.due_ms, sqlite_where=_where, postgresql_where=_where)
# Nobody is asked any more about an unknown send that counts as paid, and those stay for long.
_UNPAID = sa.text("state = 'unknown' AND price_micros IS NULL")
sa.Index("replies_unpaid", replies.c.started_ms, sqlite_where=_UNPAID, postgresql_where=_UNPAID)
# The oldest of each channel and country, without a look at all that is held.
_FOR_ROOM = sa.text("state = 'held' AND reason IN ('money', 'quota')")
sa.Index(
    "replies_for_room",
    replies.c.channel,
    replies.c.country,
    replies.c.first_ms,
    sqlite_where=_FOR_ROOM,
    postgresql_where=_FOR_ROOM,
)
_PROVIDER = sa.text("provider_id IS NOT NULL")
sa.Index(
    "replies_provider", replies.c.provider_id, sqlite_where=_PROVIDER, postgresql_where=_PROVIDER
)

# Receipts that came before the send was recorded; bot.receipts matches them a little later.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _Big, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("provider_id", sa.Text),
    sa.Column("reply_id", _Big),
    sa.Column("data", sa.Text, nullable=False),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _Big, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reply_id", _Big),
    sa.Column("amount_micros", _Big, nullable=False),
    sa.Column("original_micros", _Big),
    sa.Column("original_currency", sa.Text),
    sa.Column("rate_micros", _Big),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),
    sa.Column("country", sa.Text),
)

# One row a scope ("day:2026-11-22", "month:2026-11", "donations", "quota:..."): what is reserved
# or posted in it. Only bot.ledger writes here, by conditional updates.
caps = sa.Table(
    "caps",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("used", _Big, nullable=False),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("hour_ms", _Big, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("n", _Big, nullable=False),
)

# New senders by quarter of an hour and keyed word; words 0 and -1 count senders (bot.flood).
flood = sa.Table(
    "flood",
    metadata,
    sa.Column("bucket_ms", _Big, primary_key=True, autoincrement=False),
    sa.Column("word", _Big, primary_key=True, autoincrement=False),
    sa.Column("n", _Big, nullable=False),
    sqlite_with_rowid=False,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _Big, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False),
)

storage = sa.Table(
    "storage",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

pool = sa.Table(
    "pool",
    metadata,
    sa.Column("network", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since_ms", _Big, nullable=False),
)

# What moderators decided or must decide, and outlives a restart: "paused", "paused:CHANNEL",
# "stopped:CHANNEL", "challenge:CHANNEL".
control = sa.Table(
    "control",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at_ms", _Big, nullable=False),
)

# ------------------------------------------------------------ the moderators' room

# What happened in the room, before it is carried out and after: the dedupe of commands. `data_enc`
# goes as soon as it was carried out.
room_events = sa.Table(
    "room_events",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("at_ms", _Big, nullable=False),
    sa.Column("taken_ms", _Big, nullable=False),
    sa.Column("data_enc", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
)
sa.Index("room_events_once", room_events.c.channel, room_events.c.event_id, unique=True)
_NEW = sa.text("state = 'new'")
sa.Index("room_events_new", room_events.c.id, sqlite_where=_NEW, postgresql_where=_NEW)

# What is to be said there. `replaces`: the row whose message this is the new state of; `body_enc`
# goes as soon as it was said.
room_outgoing = sa.Table(
    "room_outgoing",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("body_enc", sa.LargeBinary),
    sa.Column("replaces", _Big),
    sa.Column("created_ms", _Big, nullable=False),
    sa.Column("event_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
)
_WAITING = sa.text("state = 'waiting'")
sa.Index(
    "room_outgoing_waiting",
    room_outgoing.c.lane,
    room_outgoing.c.id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
_SAID = sa.text("event_id IS NOT NULL")
sa.Index("room_outgoing_said", room_outgoing.c.event_id, sqlite_where=_SAID, postgresql_where=_SAID)

# Questions that a reaction or `!yes CODE` decides, once. `out_id`: the message that asks.
room_prompts = sa.Table(
    "room_prompts",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("out_id", _Big, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("data_enc", sa.LargeBinary),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("created_ms", _Big, nullable=False),
    sa.Column("expires_ms", _Big, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("choice", sa.Text),
)
sa.Index("room_prompts_message", room_prompts.c.out_id)
_OPEN = sa.text("state = 'open'")
sa.Index("room_prompts_open", room_prompts.c.expires_ms, sqlite_where=_OPEN, postgresql_where=_OPEN)

# Short names of people, for a while.
room_codes = sa.Table(
    "room_codes",
    metadata,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("person_id", _Big, nullable=False, index=True),
    sa.Column("expires_ms", _Big, nullable=False),
)

# Words that somebody must send from their own address before anything about them is erased or
# handed out. `hash`: keyed.
proofs = sa.Table(
    "proofs",
    metadata,
    sa.Column("hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("room_id", sa.Text, nullable=False),
    sa.Column("expires_ms", _Big, nullable=False),
)

# Every act of a moderator, each row chained to the one before by its hash. Two rows cannot follow
# the same one.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _Big, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _Big, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("before", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
)

# Texts are kept for held messages only; what to forget is found without a look at all others.
_TEXT = sa.text("text_enc IS NOT NULL")
sa.Index("inbound_texts", inbound.c.received_ms, sqlite_where=_TEXT, postgresql_where=_TEXT)

"""The first schema: all tables of bot.store.tables as of 0.1.

Once released this file never changes. For the next one: change tables.py, run
tests/bot/store/test_migrations.py; where they differ it prints the operations that Alembic
finds. Put those in `0002_WHAT.py` from script.py.mako (autogenerate sees neither a changed
`WHERE` of a partial index nor `WITHOUT ROWID`, the test does), and raise `schema.HEAD`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward only: the way back is the backup made before."""
    _caps()
    _control()
    _counters()
    _cursors()
    _events()
    _flood()
    _identities()
    _inbound()
    _meta()
    _persons()
    _pool()
    _postings()
    _receipts()
    _replies()
    _replies_indexes()
    _seen()
    _sequences()
    _storage()


def _caps() -> None:
    op.create_table(
        "caps",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("used", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_caps")),
    )


def _control() -> None:
    op.create_table(
        "control",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_control")),
    )


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("hour_ms", _BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("n", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hour_ms", "name", name=op.f("pk_counters")),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_cursors")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )


def _flood() -> None:
    op.create_table(
        "flood",
        sa.Column("bucket_ms", _BIG, autoincrement=False, nullable=False),
        sa.Column("word", _BIG, autoincrement=False, nullable=False),
        sa.Column("n", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("bucket_ms", "word", name=op.f("pk_flood")),
        sqlite_with_rowid=False,
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_identities")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_identities_person_id"), "identities", ["person_id"])


def _inbound() -> None:
    op.create_table(
        "inbound",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_ms", _BIG, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reply_id", _BIG, nullable=True),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("number_type", sa.Text(), nullable=True),
        sa.Column("prefix", sa.LargeBinary(16), nullable=True),
        sa.Column("text_enc", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )


def _persons() -> None:
    op.create_table(
        "persons",
        sa.Column("id", _BIG, autoincrement=False, nullable=False),
        sa.Column("created_ms", _BIG, nullable=False),
        sa.Column("last_ms", _BIG, nullable=False),
        sa.Column("messages", _BIG, nullable=False),
        sa.Column("blocked_until_ms", _BIG, nullable=False),
        sa.Column("opted_out_ms", _BIG, nullable=True),
        sa.Column("blocked_ms", _BIG, nullable=True),
        sa.Column("merged_into", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
    )


def _pool() -> None:
    op.create_table(
        "pool",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("network", "value", name=op.f("pk_pool")),
    )


def _postings() -> None:
    op.create_table(
        "postings",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reply_id", _BIG, nullable=True),
        sa.Column("amount_micros", _BIG, nullable=False),
        sa.Column("original_micros", _BIG, nullable=True),
        sa.Column("original_currency", sa.Text(), nullable=True),
        sa.Column("rate_micros", _BIG, nullable=True),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )


def _receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("reply_id", _BIG, nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
    )


def _replies() -> None:
    op.create_table(
        "replies",
        sa.Column("id", _BIG, autoincrement=False, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("own_address", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("address_enc", sa.LargeBinary(), nullable=True),
        sa.Column("text_enc", sa.LargeBinary(), nullable=True),
        sa.Column("first_ms", _BIG, nullable=False),
        sa.Column("due_ms", _BIG, nullable=False),
        sa.Column("window_ms", _BIG, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until_ms", _BIG, nullable=True),
        sa.Column("started_ms", _BIG, nullable=True),
        sa.Column("sent_ms", _BIG, nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.Column("reserved_micros", _BIG, nullable=True),
        sa.Column("price_micros", _BIG, nullable=True),
        sa.Column("period", sa.Text(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("topic", _BIG, nullable=True),
        sa.Column("approved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("quoted_micros", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
    )


def _replies_indexes() -> None:
    op.create_index(
        "replies_due",
        "replies",
        ["due_ms"],
        sqlite_where=sa.text("state = 'scheduled'"),
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_index(
        "replies_for_room",
        "replies",
        ["channel", "country", "first_ms"],
        sqlite_where=sa.text("state = 'held' AND reason IN ('money', 'quota')"),
        postgresql_where=sa.text("state = 'held' AND reason IN ('money', 'quota')"),
    )
    op.create_index(
        "replies_held",
        "replies",
        ["due_ms"],
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "replies_one_active",
        "replies",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("automatic AND state IN ('held', 'scheduled', 'sending')"),
        postgresql_where=sa.text("automatic AND state IN ('held', 'scheduled', 'sending')"),
    )
    op.create_index(
        "replies_provider",
        "replies",
        ["provider_id"],
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    op.create_index(
        "replies_sending",
        "replies",
        ["due_ms"],
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "replies_unknown",
        "replies",
        ["due_ms"],
        sqlite_where=sa.text("state = 'unknown'"),
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_index(
        "replies_unpaid",
        "replies",
        ["started_ms"],
        sqlite_where=sa.text("state = 'unknown' AND price_micros IS NULL"),
        postgresql_where=sa.text("state = 'unknown' AND price_micros IS NULL"),
    )


def _seen() -> None:
    op.create_table(
        "seen",
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_seen")),
        sqlite_with_rowid=False,
    )


def _sequences() -> None:
    op.create_table(
        "sequences",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sequences")),
    )


def _storage() -> None:
    op.create_table(
        "storage",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "key", name=op.f("pk_storage")),
    )

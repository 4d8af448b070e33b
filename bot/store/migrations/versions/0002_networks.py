"""Networks: replies that go out from elsewhere, a later attempt.

One function a subject; each adds to what 0001 made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward only: the way back is the backup made before."""
    _routes()
    _room()
    _opinions()


def _routes() -> None:
    op.add_column("replies", sa.Column("written_channel", sa.Text))
    op.add_column("replies", sa.Column("written_address", sa.Text))
    op.add_column("replies", sa.Column("refused_by", sa.Text))
    op.add_column("replies", sa.Column("retry_of", _BIG))


def _opinions() -> None:
    op.add_column("replies", sa.Column("opinion", sa.Integer))


def _room() -> None:
    _room_events()
    _room_outgoing()
    _room_prompts()
    op.create_table(
        "room_codes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("expires_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_room_codes")),
    )
    op.create_index(op.f("ix_room_codes_person_id"), "room_codes", ["person_id"])
    op.create_table(
        "proofs",
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("expires_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_proofs")),
    )
    op.create_table(
        "audit",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("before", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("before"),
    )
    where = sa.text("text_enc IS NOT NULL")
    op.create_index(
        "inbound_texts", "inbound", ["received_ms"], sqlite_where=where, postgresql_where=where
    )


def _room_events() -> None:
    op.create_table(
        "room_events",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("taken_ms", _BIG, nullable=False),
        sa.Column("data_enc", sa.LargeBinary()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_events")),
    )
    op.create_index("room_events_once", "room_events", ["channel", "event_id"], unique=True)
    where = sa.text("state = 'new'")
    op.create_index(
        "room_events_new", "room_events", ["id"], sqlite_where=where, postgresql_where=where
    )


def _room_outgoing() -> None:
    op.create_table(
        "room_outgoing",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("body_enc", sa.LargeBinary()),
        sa.Column("replaces", _BIG),
        sa.Column("created_ms", _BIG, nullable=False),
        sa.Column("event_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_outgoing")),
    )
    for name, columns, condition in (
        ("room_outgoing_waiting", ["lane", "id"], "state = 'waiting'"),
        ("room_outgoing_said", ["event_id"], "event_id IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "room_outgoing", columns, sqlite_where=where, postgresql_where=where)


def _room_prompts() -> None:
    op.create_table(
        "room_prompts",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("out_id", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data_enc", sa.LargeBinary()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("created_ms", _BIG, nullable=False),
        sa.Column("expires_ms", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("choice", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_prompts")),
    )
    op.create_index("room_prompts_message", "room_prompts", ["out_id"])
    where = sa.text("state = 'open'")
    op.create_index(
        "room_prompts_open",
        "room_prompts",
        ["expires_ms"],
        sqlite_where=where,
        postgresql_where=where,
    )

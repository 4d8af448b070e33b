"""One answer by hand a person, whoever writes it: what the room refuses, the table refuses too.

Of several that wait the one on its way stays, else the first; the others are cancelled. One that
was being sent beside another may be out: unknown, so it is never sent again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WORDS = "NOT automatic AND text_enc IS NOT NULL AND state IN ('held', 'scheduled', 'sending')"
_NO_WORDS = "NOT automatic AND text_enc IS NULL AND state = 'held'"


def upgrade() -> None:
    """Forward only: the way back is the backup made before."""
    for name, where in (("replies_one_by_hand", _WORDS), ("replies_one_asked", _NO_WORDS)):
        _keep_one(where)
        condition = sa.text(where)
        op.create_index(
            name,
            "replies",
            ["person_id"],
            unique=True,
            sqlite_where=condition,
            postgresql_where=condition,
        )


def _keep_one(where: str) -> None:
    op.execute(
        "UPDATE replies SET reason = 'merged', text_enc = NULL, address_enc = NULL, "  # noqa: S608
        "state = CASE state WHEN 'sending' THEN 'unknown' ELSE 'cancelled' END "
        "WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY person_id "
        "ORDER BY CASE state WHEN 'sending' THEN 0 ELSE 1 END, due_ms, id) AS place "
        f"FROM replies WHERE {where}) AS standing WHERE place > 1)"
    )

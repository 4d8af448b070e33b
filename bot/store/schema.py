"""Opening a database: migrations, the key file's fingerprint, refusing what does not fit."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot.store import database, statements, tables, vault

# Python's own: commands that print for programs migrate too, and set no log up.
_log = logging.getLogger(__name__)

# The newest migration; a test holds it equal to what Alembic finds in the folder.
HEAD: Final = "0003"
_MIGRATIONS: Final = pathlib.Path(__file__).parent / "migrations"
_CURRENCY: Final = "currency"
_KEY: Final = "key "
_DROPPED: Final = "dropped "
# In `meta` of a file that was moved to PostgreSQL.
MOVED: Final = "moved"
_VERSION = sa.table("alembic_version", sa.column("version_num"))


class SchemaError(Exception):
    """The database does not fit this program; the message says how to mend it."""


def revision(tx: sa.Connection) -> str | None:
    """The schema's revision, None for an empty database."""
    if not sa.inspect(tx).has_table("alembic_version"):
        return None
    return tx.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()


def upgrade(tx: sa.Connection) -> tuple[str | None, str]:
    """Bring the schema to this program's; (before, after). Raises SchemaError if it is newer."""
    before = revision(tx)
    if before != HEAD:
        _migrate(tx, before)
    return before, HEAD


def _migrate(tx: sa.Connection, before: str | None) -> None:
    """All steps in the caller's transaction: a kill in the middle leaves the old schema."""
    # Alembic takes 0.15 s to import and is needed once a release, so not at every start.
    import alembic.command  # noqa: PLC0415 (see above)
    import alembic.config  # noqa: PLC0415 (see above)
    from alembic import script  # noqa: PLC0415 (see above)

    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx
    scripts = script.ScriptDirectory.from_config(config)
    if before is not None and before not in {item.revision for item in scripts.walk_revisions()}:
        raise SchemaError(
            f"the database has schema {before}, which is newer than this program ({HEAD}); "
            "start the newer program, or restore the backup made before the upgrade"
        )
    if before is not None:
        _log.info("the database is older than this program; its tables are being brought up to it")
    alembic.command.upgrade(config, HEAD)


async def prepare(
    store: database.Store, key_file: pathlib.Path, currency: str | None = None
) -> vault.Vault:
    """Migrate, match keys and currency; a key file is made only with a new database.

    Raises SchemaError, vault.KeyFileError, database.StoreAwayError.
    """
    new = await store.write(revision) is None
    # Before the schema: a kill in between leaves a key file and an empty database, which the
    # next start takes up again.
    keys = await asyncio.to_thread(_keys, key_file, may_create=new)

    def work(tx: sa.Connection) -> None:
        if tx.dialect.name == "postgresql":
            # An index over millions of rows takes longer than any other statement may.
            tx.execute(sa.text("SET LOCAL statement_timeout = 0"))
        upgrade(tx)
        if moved(tx):
            raise SchemaError(
                "this database was moved to PostgreSQL, where all that came since is; "
                "set store.url to it"
            )
        _match(tx, keys)
        if currency is not None:
            if wrong := misfit(tx, currency):
                raise SchemaError(wrong)
            _put(tx, {_CURRENCY: currency})

    await store.write(work)
    return keys


def moved(tx: sa.Connection) -> bool:
    """Whether its data is elsewhere now, and it takes nothing any more."""
    meta = tables.meta
    query = sa.select(meta.c.value).where(meta.c.key == MOVED)
    return tx.execute(query).scalar_one_or_none() is not None


def misfit(tx: sa.Connection, currency: str) -> str | None:
    """What is wrong if the ledger is in another currency: its numbers would be taken for these."""
    meta = tables.meta
    query = sa.select(meta.c.value).where(meta.c.key == _CURRENCY)
    kept: str | None = tx.execute(query).scalar_one_or_none()
    if kept is None or kept == currency:
        return None
    return (
        f'the ledger of this database is in {kept}; set budget.currency = "{kept}" or start a '
        "new database"
    )


def _keys(key_file: pathlib.Path, *, may_create: bool) -> vault.Vault:
    if may_create and not key_file.exists():
        return vault.create(key_file)
    return vault.load(key_file)


def create(tx: sa.Connection) -> None:
    """All tables at once, for a database in memory; a test holds it equal to the migrations."""
    tables.metadata.create_all(tx)


def expected(tx: sa.Connection) -> dict[str, str]:
    """Name -> fingerprint of the keys without which the database is not opened."""
    meta = tables.meta
    query = sa.select(meta.c.key, meta.c.value)
    kept = {
        k.removeprefix(_KEY): v for k, v in tx.execute(query.where(meta.c.key.startswith(_KEY)))
    }
    gone = sa.select(meta.c.key).where(meta.c.key.startswith(_DROPPED))
    dropped = {name.removeprefix(_DROPPED) for name in tx.execute(gone).scalars()}
    return {name: value for name, value in kept.items() if name not in dropped}


def _match(tx: sa.Connection, keys: vault.Vault) -> None:
    held = keys.fingerprints()
    for name, fingerprint in expected(tx).items():
        if held.get(name) != fingerprint:
            raise vault.KeyFileError(
                f"the key file does not belong to this database (its {_KEY + name!r} is missing or "
                "another one); put back the key file that was backed up with it"
            )
    _put(tx, {_KEY + k: v for k, v in held.items()})


def drops(tx: sa.Connection, key: str, day: str) -> None:
    """From now on the database opens without this key ("enc 1")."""
    _put(tx, {_DROPPED + key: day})


def _put(tx: sa.Connection, values: Mapping[str, str]) -> None:
    """Keep what is not kept yet."""
    insert = statements.upsert(tables.meta).on_conflict_do_nothing(index_elements=["key"])
    tx.execute(insert, [{"key": k, "value": v} for k, v in values.items()])

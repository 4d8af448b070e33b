"""nio's store of keys and sessions, with one thing made quicker: whose tables are whose.

nio binds its models to the file anew for every look, and peewee then walks the references of each
model, which was most of what a sync costs. They never change: they are walked once.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import peewee  # type: ignore[import-untyped]  # it has no types
from nio import store


class _Database(peewee.SqliteDatabase):  # type: ignore[misc]  # of a library without types
    """Binds what peewee would bind, without looking for it again."""

    def bind_ctx(
        self,
        models: Any,  # noqa: ANN401 (peewee's models)
        bind_refs: bool = True,  # noqa: FBT001, FBT002 (peewee's own way)
        bind_backrefs: bool = True,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401
        if bind_refs and bind_backrefs:
            return super().bind_ctx(_whole(tuple(models)), False, False)
        return super().bind_ctx(models, bind_refs, bind_backrefs)


@functools.cache
def _whole(models: tuple[Any, ...]) -> tuple[Any, ...]:
    """These and all that they point to, or are pointed to by, in that order."""
    found = dict.fromkeys(models)
    for model in models:
        graph = model._meta.model_graph()  # noqa: SLF001 (peewee's name for what it publishes)
        found |= dict.fromkeys(other for _, other, _ in graph)
    return tuple(found)


class Store(store.SqliteStore):  # type: ignore[misc]  # of a library without types
    """The file, with its trust and its sessions."""

    def _create_database(self) -> _Database:
        # As nio's own: keys that are dropped are overwritten.
        return _Database(self.database_path, pragmas={"foreign_keys": 1, "secure_delete": 1})

    def save_encrypted_rooms(self, rooms: Collection[str]) -> None:
        """As nio's; it writes for every room of every answer, and mostly nothing is new."""
        if rooms:
            super().save_encrypted_rooms(rooms)

"""Our quicker store binds, keeps and overwrites as nio's own does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee  # type: ignore[import-untyped]  # it has no types
import pytest
from nio import store

from bridges.matrix import keystore


def made(kind: type[Any], folder: Path) -> Any:  # noqa: ANN401 (of a library without types)
    folder.mkdir()
    return kind("@us:example.org", "DEVICE", str(folder), "pickle", "keys.db")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    both = made(keystore.Store, tmp_path / "ours"), made(store.SqliteStore, tmp_path / "nios")
    yield both
    for one in both:
        one.database.close()


def bound(one: Any) -> set[type[Any]]:  # noqa: ANN401 (as above)
    """Every model of nio's that goes to this file while it is bound."""
    with one.database.bind_ctx(one.models):
        return {m for m in peewee.Model.__subclasses__() if m._meta.database is one.database}


def test_it_binds_what_nio_binds_and_gives_it_back(two: tuple[Any, Any]) -> None:
    ours, nios = two
    before = {m: m._meta.database for m in ours.models}
    assert bound(ours) == bound(nios)
    assert bound(ours) >= set(ours.models)
    assert {m: m._meta.database for m in ours.models} == before


def test_what_is_dropped_is_overwritten(two: tuple[Any, Any]) -> None:
    for pragma in ("secure_delete", "foreign_keys"):
        assert [one.database.pragma(pragma) for one in two] == [1, 1]


def test_encrypted_rooms_are_remembered_and_nothing_is_written_for_none(
    two: tuple[Any, Any],
) -> None:
    for one in two:
        account = store.database.OlmAccount()
        one.save_account(account)
        one.save_encrypted_rooms({"!a:example.org"})
    ours, nios = two
    changes = ours.database.connection().total_changes
    ours.save_encrypted_rooms(set())
    assert ours.database.connection().total_changes == changes
    assert ours.load_encrypted_rooms() == nios.load_encrypted_rooms() == {"!a:example.org"}

"""What acts return, and how it becomes JSON: plain values, money as decimal strings."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from bot.contract import money
from bot.policy.reasons import Words

__all__ = ["Done", "Refusal", "Words", "as_json", "said"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One of several things that was not done, and why."""

    reply: str
    why: Words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an act. `ok`: whether anything asked for was done, or was so already."""

    ok: bool
    said: Words
    replies: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


def said(en: str, fr: str) -> Words:
    """The same sentence in both languages."""
    return Words(en=en, fr=fr)


def as_json(value: object) -> object:
    """A result as plain JSON values."""
    if isinstance(value, money.Money):
        return value.decimal()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    return value

"""What two moderators changed from the room, over what the operator configured. Pure.

Control rows, read in the transaction that they bear on: a text or a cap holds for the very next
claim, and outlives a restart. What nobody can read changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.policy import settings, texts

TEXT: Final = "text:"
CAP_DAY: Final = "cap:day"
CAP_MONTH: Final = "cap:month"
_ANY: Final = (TEXT, "cap:")


def core(told: settings.Core, controls: Mapping[str, str]) -> settings.Core:
    """The settings in force; the same object where nothing was changed."""
    if not any(key.startswith(_ANY) for key in controls):
        return told
    return dataclasses.replace(
        told, reply=_reply(told.reply, controls), budget=budget(told.budget, controls)
    )


def _reply(told: settings.Reply, controls: Mapping[str, str]) -> settings.Reply:
    own = {
        key.removeprefix(TEXT): value
        for key, value in controls.items()
        if key.startswith(TEXT) and value and key.removeprefix(TEXT) in texts.LANGUAGES
    }
    return dataclasses.replace(told, texts=MappingProxyType({**told.texts, **own}))


def budget(told: settings.Budget, controls: Mapping[str, str]) -> settings.Budget:
    """The budget in force."""
    day, month = _cap(controls.get(CAP_DAY)), _cap(controls.get(CAP_MONTH))
    if day is None and month is None:
        return told
    return dataclasses.replace(
        told,
        cap_day_micros=told.cap_day_micros if day is None else day,
        cap_month_micros=told.cap_month_micros if month is None else month,
    )


def _cap(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdecimal() else None

"""Lookup v2: whether a number belongs to a handset. Paid, so it is off unless the setting says.

Only an answer that was really an answer counts (C29); a refused or lost look-up leaves the
address out. twilio.com/docs/lookup/v2-api/line-type-intelligence
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address
from bridges.sms.twilio import client, line

FIELD: Final = "line_type_intelligence"
_PERSON: Final = frozenset({"mobile", "personal"})
_NOBODY: Final = frozenset(
    {"landline", "tollFree", "premium", "sharedCost", "uan", "voicemail", "pager", "fixedVoip"}
)


async def ask(
    of: line.Line, addresses: Sequence[address.Address]
) -> Mapping[address.Address, bool]:
    """One after the other: the caller bounds how many."""
    found: dict[address.Address, bool] = {}
    for one in addresses:
        if one.network != address.SMS or not one.is_e164:
            continue
        try:
            answer = await of.account.sdk.lookups.v2.phone_numbers(one.value).fetch_async(
                fields=FIELD
            )
        except client.SayingNo:
            continue
        said = verdict(answer.valid, getattr(answer, FIELD, None))
        if said is not None:
            found[one] = said
    return found


def verdict(valid: object, told: object) -> bool | None:
    """Whether there is a person's handset; None if the answer does not say."""
    if valid is False:
        return False
    kind = told.get("type") if isinstance(told, Mapping) else None
    if kind in _PERSON:
        return True
    return False if kind in _NOBODY else None

"""Somebody wants to compare emoji or scan a code with us: nobody looks at our screen, so we say no.

At once and with the reason, or their client waits for ten minutes. Nothing is lost by it: our
device is signed by our own account, which is what clients ask for (cross_signing). Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

FAMILY: Final = "m.key.verification."
REQUEST: Final = f"{FAMILY}request"
CANCEL: Final = f"{FAMILY}cancel"
MOST: Final = 5
_BEGINS: Final = frozenset({REQUEST, f"{FAMILY}start"})
_LONGEST: Final = 255
_REASON: Final = (
    "This is a robot: nobody can compare anything on its screen. Its device is cross-signed by "
    "its own account; see docs/matrix.md."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wish:
    """Who asked. `device` and `transaction` between devices; `room_id`, `event_id` in a room."""

    account: str
    device: str = ""
    transaction: str = ""
    room_id: str = ""
    event_id: str = ""

    @property
    def name(self) -> str:
        """One wish has one name."""
        return self.event_id or f"{self.device} {self.transaction}"


def between_devices(events: object) -> tuple[Wish, ...]:
    """From the `to_device` events of a sync answer; a few at the most."""
    found: dict[str, Wish] = {}
    for event in events if isinstance(events, list) else ():
        if not isinstance(event, Mapping) or event.get("type") not in _BEGINS:
            continue
        content, sender = event.get("content"), event.get("sender")
        if not isinstance(content, Mapping):
            continue
        device, transaction = content.get("from_device"), content.get("transaction_id")
        if all(
            isinstance(x, str) and 0 < len(x) <= _LONGEST for x in (sender, device, transaction)
        ):
            wish = Wish(account=str(sender), device=str(device), transaction=str(transaction))
            found[wish.name] = wish
    return tuple(found.values())[:MOST]


def in_room(event: Mapping[str, Any], room_id: str, own: str) -> Wish | None:
    """A message of a room that asks us, None for any other."""
    content, sender, event_id = event.get("content"), event.get("sender"), event.get("event_id")
    if not isinstance(content, Mapping) or content.get("msgtype") != REQUEST:
        return None
    if content.get("to") != own or not isinstance(sender, str) or not isinstance(event_id, str):
        return None
    return Wish(account=sender, room_id=room_id, event_id=event_id)


def refusal(wish: Wish) -> dict[str, Any]:
    """The content of the `m.key.verification.cancel` that answers it."""
    content: dict[str, Any] = {"code": "m.unknown_method", "reason": _REASON}
    if wish.event_id:
        return {
            **content,
            "m.relates_to": {"rel_type": "m.reference", "event_id": wish.event_id},
        }
    return {**content, "transaction_id": wish.transaction}

"""What a phone in the browser says, as bytes, into what the core takes. Pure.

    {"from": "+33639980001", "text": "salut"}        all that is needed
    "id": "..."       the dedupe key of the network; made up by the caller if left out
    "to": "..."       one of our addresses; the first if left out
    "kind": "text"    or "call", "attachment"
    "number": "+..."  Signal only: the number that Signal shows for this account

Strict, so that a mistake in a test or a page shows at once: unknown keys, wrong types and
control characters are refused with a sentence that names the field and the mend, and never
repeats what was sent.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import address, messages, segments

MAX_BYTES: Final = 16 * 1024
_KEYS: Final = frozenset({"id", "from", "to", "text", "kind", "number"})
_KINDS: Final = ", ".join(f'"{kind}"' for kind in messages.Kind)


class WireError(ValueError):
    """Not a message. The words may be shown to whoever sent it."""


def table(body: bytes) -> dict[str, object]:
    """A JSON object out of bytes; raises WireError."""
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise WireError("body: is not UTF-8; send JSON encoded as UTF-8") from None
    except WireError:
        raise
    except (ValueError, RecursionError):
        raise WireError('body: is not JSON; send an object like {"from": "...", ...}') from None
    if not isinstance(found, dict):
        raise WireError('body: must be a JSON object like {"from": "...", ...}')
    return found


def message(
    body: bytes,
    *,
    channel: str,
    own: Sequence[address.Address],
    received_at: dt.datetime,
    made_id: str,
) -> messages.InboundMessage:
    """Read one message; `own` are our addresses of this channel, the default first.

    `made_id` is used when the phone gave no id. Raises WireError.
    """
    found = table(body)
    for key in found:
        if key not in _KEYS:
            raise WireError(f"body: knows only the fields {', '.join(sorted(_KEYS))}")
    network = own[0].network
    kind = _kind(found)
    text = _text(found, "text", messages.MAX_TEXT_CHARACTERS)
    counted = network == address.SMS and kind is messages.Kind.TEXT
    return messages.InboundMessage(
        channel=channel,
        provider_id=_id(found, made_id),
        sender=_sender(found, network),
        recipient=_recipient(found, own),
        received_at=received_at,
        text=text,
        kind=kind,
        aliases=_aliases(found, network),
        parts=segments.count(text).parts if counted else 1,
    )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that stands twice, since nobody could say which of the two counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("body: a field stands there twice; leave one")
    return found


def _text(found: Mapping[str, object], key: str, longest: int) -> str:
    """A string that every database can hold; empty if left out."""
    value = found.get(key, "")
    if not isinstance(value, str):
        raise WireError(f"{key}: must be a text in quotes")
    if len(value) > longest:
        raise WireError(f"{key}: longer than {longest} characters; shorten it")
    if "\x00" in value:
        raise WireError(f"{key}: holds a NUL character; take it out")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise WireError(f"{key}: holds half a character (a lone surrogate); take it out")
    return value


def _id(found: Mapping[str, object], made_id: str) -> str:
    if "id" not in found:
        return made_id
    value = _text(found, "id", messages.MAX_ID_CHARACTERS)
    if not value or not value.isprintable():
        raise WireError("id: must have 1 to 255 printable characters, or be left out")
    return value


def _kind(found: Mapping[str, object]) -> messages.Kind:
    value = _text(found, "kind", 32) if "kind" in found else messages.Kind.TEXT
    if value not in set(messages.Kind):
        raise WireError(f"kind: must be one of {_KINDS}")
    return messages.Kind(value)


def _address(found: Mapping[str, object], key: str, network: str) -> address.Address:
    value = _text(found, key, address.MAX_VALUE_CHARACTERS)
    try:
        return address.Address(network, value)
    except ValueError as error:
        raise WireError(f"{key}: {error}") from None


def _sender(found: Mapping[str, object], network: str) -> address.Address:
    """On SMS anything goes, as in life: a short code, a word, empty for a withheld number."""
    if "from" not in found:
        raise WireError('from: is missing; say who writes, "" for a withheld number')
    sender = _address(found, "from", network)
    if network != address.SMS and not sender.value.strip():
        raise WireError(f"from: must not be empty on {network}")
    return sender


def _recipient(found: Mapping[str, object], own: Sequence[address.Address]) -> address.Address:
    if "to" not in found:
        return own[0]
    recipient = _address(found, "to", own[0].network)
    if recipient not in own:
        raise WireError("to: is none of this channel's own addresses; leave it out for the first")
    return recipient


def _aliases(found: Mapping[str, object], network: str) -> tuple[address.Address, ...]:
    if "number" not in found:
        return ()
    if network == address.SMS:
        raise WireError("number: belongs to Signal phones; on SMS the number is `from`")
    number = _address(found, "number", address.SMS)
    if not number.is_e164:
        raise WireError("number: must be international: +, country code, 7 to 15 digits in all")
    return (number,)

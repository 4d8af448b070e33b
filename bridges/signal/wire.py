"""What one envelope of signal-cli says: pure, for both transports; raises WireError for nonsense.

Facts: PROVIDERS.md, "Signal"; the records of signal-cli c26e063 and the swagger of
signal-cli-rest-api. Only a text or an attachment written to us alone is a message; everything
else the network tells (receipts, typing, reactions, our own devices) is not, and must never lead
to a reply. No error repeats what stood in the envelope.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from bot.contract import address, clock, messages, optout

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_MAX_MS: Final = 1 << 53  # JSON's whole numbers; the year is checked by `within`
_OLDEST_S: Final = 86_400
_STAMPS: Final = 100  # of one receipt; his phone tells a few at once, a flood tells thousands
# Kinds of a dataMessage that are no message, though some carry a text for old clients.
_NO_MESSAGE: Final = (
    *("groupInfo", "groupV2", "reaction", "sticker", "remoteDelete", "adminDelete", "payment"),
    *("pollCreate", "pollVote", "pollTerminate", "poll", "storyContext", "groupCallUpdate"),
    *("pinMessage", "unpinMessage", "isExpirationUpdate", "viewOnce", "profileKeyUpdate"),
    *("endSession", "isEndSession"),
)
_OTHER_KINDS: Final = ("typingMessage", "callMessage", "storyMessage")


class WireError(ValueError):
    """What came is no receive event; the message says which part, never what stood there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sender:
    """`aci` in lower case, None for an old client; `number` where the network shows it."""

    aci: str | None
    number: str | None
    device: int

    @property
    def name(self) -> str:
        """What a reply is sent to: the ACI, the number only where there is none."""
        return self.aci or self.number or ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message:
    """A true message. `root_ms`: the timestamp of the message that an edit replaces."""

    sender: Sender
    timestamp_ms: int
    server_ms: int | None
    text: str
    kind: messages.Kind
    root_ms: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Receipt:
    """He has got the messages of ours that bear these timestamps."""

    sender: Sender
    timestamps_ms: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Echo:
    """From our own account: another device of ours, or a note to self. `text` if it had one."""

    sender: Sender
    text: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sealed:
    """Somebody wrote and signal-cli could not open it. `untrusted`: for want of trust."""

    sender: Sender | None
    untrusted: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nobody wrote to us; `why` is one of our own words, for a counter."""

    why: str


Heard = Message | Receipt | Echo | Sealed | Nothing


def read(raw: object, *, number: str, own_aci: str | None = None) -> Heard:
    """One receive event in any of its wrappings. `number`: our account's; raises WireError."""
    outer = _unwrapped(raw)
    envelope = outer.get("envelope")
    account = outer.get("account")
    if isinstance(account, str) and account != number:
        return Nothing(why="account")
    if outer.get("exception") is not None:
        return _sealed(outer["exception"], envelope)
    if not isinstance(envelope, Mapping):
        raise WireError("no envelope")
    sender = _sender(envelope)
    own = sender.number == number or (own_aci is not None and sender.aci == own_aci)
    sync = envelope.get("syncMessage")
    if own or sync is not None:
        # Never a contact: answering our own other device would be a loop.
        return Echo(sender=sender, text=_own_text(envelope, sync))
    receipt = envelope.get("receiptMessage")
    if receipt is not None:
        return _receipt(sender, receipt)
    for key in _OTHER_KINDS:
        if envelope.get(key) is not None:
            return Nothing(why=key.removesuffix("Message"))
    return _written(envelope, sender)


def _unwrapped(raw: object) -> Mapping[str, object]:
    """The mapping that holds `envelope`, out of a JSON-RPC notification or a subscription."""
    for _ in range(4):
        if not isinstance(raw, Mapping):
            break
        if "envelope" in raw or "exception" in raw:
            return raw
        raw = raw.get("params") or raw.get("result")
    raise WireError("no receive event")


def _sender(envelope: Mapping[str, object]) -> Sender:
    aci = envelope.get("sourceUuid")
    number = envelope.get("sourceNumber")
    source = envelope.get("source")
    if aci is None and isinstance(source, str):
        aci = source if _UUID.match(source.lower()) else None
        number = number or source
    if aci is not None and not (isinstance(aci, str) and _UUID.match(aci.lower())):
        raise WireError("sourceUuid is no ACI")
    shown = _number(number)
    if aci is None and shown is None:
        raise WireError("nobody sent it")
    device = envelope.get("sourceDevice", 1)
    return Sender(
        aci=aci.lower() if isinstance(aci, str) else None,
        number=shown,
        device=device if _whole(device) else 1,  # type: ignore[arg-type]  # _whole says it is int
    )


def _number(value: object) -> str | None:
    """A full number, None for whatever else stands there."""
    if not isinstance(value, str) or len(value) > 16 or not value.isprintable():  # noqa: PLR2004
        return None
    return value if address.Address(address.SMS, value).is_e164 else None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_MS


def _sealed(exception: object, envelope: object) -> Sealed:
    """Only its type is read: the message names people."""
    kind = exception.get("type") if isinstance(exception, Mapping) else None
    sender = None
    if isinstance(envelope, Mapping):
        try:
            sender = _sender(envelope)
        except ValueError:
            sender = None
    untrusted = isinstance(kind, str) and "untrusted" in kind.lower()
    return Sealed(sender=sender, untrusted=untrusted)


def _own_text(envelope: Mapping[str, object], sync: object) -> str | None:
    """The text of a note to self, as a sync message or as a message to our own account."""
    inner: object = envelope.get("dataMessage")
    if isinstance(sync, Mapping):
        inner = sync.get("sentMessage")
    text = inner.get("message") if isinstance(inner, Mapping) else None
    return text if isinstance(text, str) else None


def _receipt(sender: Sender, receipt: object) -> Receipt | Nothing:
    if not isinstance(receipt, Mapping):
        raise WireError("receiptMessage is no table")
    if receipt.get("isDelivery") is not True:
        return Nothing(why="receipt")
    listed = receipt.get("timestamps")
    told = tuple(t for t in listed[:_STAMPS] if _whole(t)) if isinstance(listed, list) else ()
    return Receipt(sender=sender, timestamps_ms=told) if told else Nothing(why="receipt")


def _written(envelope: Mapping[str, object], sender: Sender) -> Message | Nothing:
    """A message or an edit, or what looks like one and is none."""
    data, root = envelope.get("dataMessage"), None
    edit = envelope.get("editMessage")
    if edit is not None:
        if not isinstance(edit, Mapping) or not _whole(edit.get("targetSentTimestamp")):
            raise WireError("editMessage names no message")
        data, root = edit.get("dataMessage"), edit["targetSentTimestamp"]
    if data is None:
        return Nothing(why="empty")
    if not isinstance(data, Mapping):
        raise WireError("dataMessage is no table")
    for key in _NO_MESSAGE:
        if data.get(key) not in (None, False):
            return Nothing(why=key)
    text, files = data.get("message"), data.get("attachments")
    if text is not None and not isinstance(text, str):
        raise WireError("message is no text")
    has_text = bool(text and text.strip())
    if not has_text and not (isinstance(files, list) and files):
        return Nothing(why="empty")
    timestamp = envelope.get("timestamp")
    if not _whole(timestamp):
        raise WireError("timestamp is no time")
    server = envelope.get("serverReceivedTimestamp")
    return Message(
        sender=sender,
        timestamp_ms=timestamp,  # type: ignore[arg-type]  # _whole says it is int
        server_ms=server if _whole(server) else None,  # type: ignore[arg-type]
        text=text if has_text and text is not None else "",
        kind=messages.Kind.TEXT if has_text else messages.Kind.ATTACHMENT,
        root_ms=root,
    )


def inbound(
    heard: Message, *, channel: str, own: address.Address, now: dt.datetime, root_ms: int | None
) -> messages.InboundMessage:
    """For intake. `root_ms`: the first version of an edited message, as far as it is known.

    An edit bears the id of what it replaces, so it can never be a second contact. Where it was
    edited to an opt-out, that wish counts, and comes under an id of its own.
    """
    sender = heard.sender
    wish = None
    named_ms = heard.timestamp_ms if root_ms is None else root_ms
    if root_ms is not None and optout.read(heard.text) is messages.Wish.STOP:
        wish, named_ms = messages.Wish.STOP, heard.timestamp_ms
    alias = address.Address(address.SMS, sender.number) if sender.number else None
    return messages.InboundMessage(
        channel=channel,
        provider_id=event_id(sender, named_ms),
        sender=address.Address(address.SIGNAL, sender.name),
        recipient=own,
        received_at=within(heard.server_ms, now),
        text=heard.text,
        kind=heard.kind,
        aliases=(alias,) if alias else (),
        wish=wish,
    )


def event_id(sender: Sender, timestamp_ms: int) -> str:
    """Signal's own name of a message (who, which device, when), without telling who."""
    named = f"{sender.name}.{sender.device}.{timestamp_ms}"
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()


def within(server_ms: int | None, now: dt.datetime) -> dt.datetime:
    """When Signal's server took it: in the last day, else now (a clock that is wrong)."""
    now_ms = clock.to_ms(now)
    if server_ms is None or not now_ms - _OLDEST_S * 1000 <= server_ms <= now_ms:
        return now
    return clock.from_ms(server_ms)

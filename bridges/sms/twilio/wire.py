"""Bytes of Twilio's webhooks into values: strict, in one pass, without I/O.

A form that Twilio would not write is no form: every name and value is percent-encoded ASCII of
valid UTF-8, without NUL, names are not empty, a field that must be one stands there once. Blank
and repeated values are kept, since they are signed. Every fault is a WireError without words of
the request.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import re
from collections.abc import Callable, Container, Sequence
from typing import Final
from xml.sax import saxutils

from bot.contract import address, messages, money
from bridges.sms.twilio import errors

MAX_BODY_BYTES: Final = 65_536
MAX_FIELDS: Final = 200
FORM_TYPE: Final = b"application/x-www-form-urlencoded"
REPLY_ID_NAME: Final = "r"
PROBE: Final = "AntirelouProbe"
_PLAIN: Final = bytes(range(0x21, 0x7F))
_ODD: Final = re.compile(rb"%(?:(?![0-9A-Fa-f]{2})|00)")
# What would be taken for the end of a field, or of its name, were all unescaped at one stroke.
_ENDS: Final = re.compile(rb"%(?:1[eE]|3[dD])")
_APART: Final = "\x1e"
_SPACED: Final = bytes.maketrans(b"+&", b" " + _APART.encode())
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}\Z")
_CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}\Z")
_STATUS: Final = re.compile(r"[a-z_]{1,32}\Z")
_REPLY: Final = re.compile(r"[0-9a-f]{32}\Z")
_WISHES: Final = {"STOP": messages.Wish.STOP, "START": messages.Wish.START}
ANSWERED: Final = frozenset({"STOP", "START", "HELP"})
_MOST_PARTS: Final = 100
_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>'
BUSY: Final = f'{_XML_HEAD}<Response><Reject reason="busy"/></Response>'.encode()
"""As first verb it is not billed; the default reason would say "not in service"."""


class WireError(ValueError):
    """Not a request of Twilio's."""


class Form:
    """The pairs in their order, and the fields by name."""

    __slots__ = ("_repeated", "_values", "pairs")

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._values = dict(pairs)
        self._repeated: Container[str] = ()
        if len(self._values) != len(pairs):
            names = [name for name, _ in pairs]
            self._repeated = {name for name in names if names.count(name) > 1}

    def one(self, name: str) -> str:
        """The value of a field that must stand there once."""
        found = self._values.get(name)
        if found is None or name in self._repeated:
            raise WireError(f"{name} must stand there once")
        return found

    def maybe(self, name: str) -> str:
        """The value, empty if the field is not there."""
        return self.one(name) if name in self._values else ""

    def number(self, name: str) -> int:
        """A whole number, 0 if it is left out or no number."""
        value = self.maybe(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0  # noqa: PLR2004 (64 bits)


@functools.lru_cache(64)
def is_form(content_type: bytes) -> bool:
    """Whether a content type says form, in UTF-8 if it says a charset at all."""
    kind, _, rest = content_type.partition(b";")
    charset = rest.strip().lower()
    return kind.strip().lower() == FORM_TYPE and charset in {b"", b"charset=utf-8"}


def parse(body: bytes) -> Form:
    """A form out of a body; raises WireError."""
    if not body or len(body) > MAX_BODY_BYTES or body.translate(None, _PLAIN):
        raise WireError("no form")
    if body.count(b"&") >= MAX_FIELDS:
        raise WireError("too many fields")
    if b"%" in body:
        if _ODD.search(body):
            raise WireError("no form")
        if _ENDS.search(body):
            return Form([_pair(one) for one in body.split(b"&")])
    pairs = []
    for one in _unescaped(body.translate(_SPACED)).split(_APART):
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise WireError("a field without a name or =")
        pairs.append((name, value))
    return Form(pairs)


def _pair(raw: bytes) -> tuple[str, str]:
    name, equals, value = raw.replace(b"+", b" ").partition(b"=")
    if not name or not equals:
        raise WireError("a field without a name or =")
    return _unescaped(name), _unescaped(value)


def _unescaped(raw: bytes) -> str:
    """Percent-encoded UTF-8 as text, by Python's own escapes: `parse.unquote` takes ten times that.

    Each % must be followed by two hexadecimal digits.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\", b"\\\\")
    if b"%" in raw:
        raw = raw.replace(b"%", b"\\x")
    try:
        return raw.decode("unicode_escape").encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("not UTF-8") from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What a request must name to be for us: the channel, its accounts, its numbers."""

    channel: str
    accounts: frozenset[str]
    numbers: frozenset[str]


def account(form: Form, ours: Ours) -> None:
    """Raise WireError for another account's request."""
    if form.one("AccountSid") not in ours.accounts:
        raise WireError("a foreign account")


def own(form: Form, name: str, ours: Ours) -> address.Address:
    """Our number in that field; raises WireError for another's."""
    value = form.one(name)
    if value not in ours.numbers:
        raise WireError("a foreign number")
    return _own(value)


@functools.lru_cache(256)
def _own(value: str) -> address.Address:
    return address.Address(address.SMS, value)


def sender(form: Form) -> address.Address:
    """Whoever writes or calls; anything goes, as in life: short codes, words, withheld."""
    try:
        return address.Address(address.SMS, form.one("From"))
    except ValueError:
        raise WireError("no sender") from None


def inbound(
    form: Form,
    ours: Ours,
    at: dt.datetime,
    cost: Callable[[address.Address, int], money.Money] | None = None,
) -> messages.InboundMessage:
    """A message as it came in; raises WireError. `cost`: of so many parts at our number.

    Media are counted, never fetched: without a text it is an attachment, a contact like any
    other (C45).
    """
    account(form, ours)
    text, sid = form.maybe("Body"), form.one("MessageSid")
    if not _SID.match(sid):
        raise WireError("no message id")
    attached = form.number("NumMedia") > 0 and not text.strip()
    recipient = own(form, "To", ours)
    parts = min(max(form.number("NumSegments"), 1), _MOST_PARTS)
    return messages.InboundMessage(
        channel=ours.channel,
        provider_id=sid,
        sender=sender(form),
        recipient=recipient,
        received_at=at,
        text=text,
        kind=messages.Kind.ATTACHMENT if attached else messages.Kind.TEXT,
        wish=_WISHES.get(form.maybe("OptOutType").upper()),
        parts=parts,
        cost=cost(recipient, parts) if cost is not None else None,
    )


def answered(form: Form) -> str | None:
    """The keyword that Twilio says it saw to itself, None for an ordinary message."""
    kind = form.maybe("OptOutType").upper()
    return kind if kind in ANSWERED else None


def call(form: Form, ours: Ours, at: dt.datetime) -> messages.InboundMessage:
    """A call; raises WireError."""
    account(form, ours)
    sid = form.one("CallSid")
    if not _CALL_SID.match(sid):
        raise WireError("no call id")
    return messages.InboundMessage(
        channel=ours.channel,
        provider_id=sid,
        sender=sender(form),
        recipient=own(form, "To", ours),
        received_at=at,
        kind=messages.Kind.CALL,
    )


def news(form: Form, query: str, ours: Ours) -> errors.News:
    """A status callback; our reply's id stands in its query. Raises WireError."""
    account(form, ours)
    own(form, "From", ours)
    sid, status = form.one("MessageSid"), form.one("MessageStatus")
    if not _SID.match(sid) or not _STATUS.match(status):
        raise WireError("no status")
    return errors.News(
        provider_id=sid,
        status=status,
        code=form.number("ErrorCode"),
        reply_id=reply_id(query),
        recipient=number(form.maybe("To")),
    )


def number(told: str) -> address.Address | None:
    """A full international number as an address, None for anything else."""
    try:
        found = address.Address(address.SMS, told)
    except ValueError:
        return None
    return found if found.is_e164 else None


def reply_id(query: str) -> str | None:
    """Our own id out of a callback's query, None for a callback without one."""
    name, _, value = query.partition("=")
    return value if name == REPLY_ID_NAME and _REPLY.match(value) else None


def play(url: str) -> bytes:
    """TwiML that plays our recording once and hangs up."""
    played = f"<Play>{saxutils.escape(url)}</Play><Hangup/>"
    return f"{_XML_HEAD}<Response>{played}</Response>".encode()

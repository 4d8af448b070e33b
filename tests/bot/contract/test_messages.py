"""Messages refuse what could not be dated or stored, and never show who or what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import address, messages

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
THEM = address.Address("sms", "+33639980012")
US = address.Address("sms", "+33639980000")


class Nowhere(dt.tzinfo):
    """A time zone that does not know its offset: such a datetime only looks aware."""

    def utcoffset(self, moment: dt.datetime | None) -> None:
        return None

    def dst(self, moment: dt.datetime | None) -> None:
        return None

    def tzname(self, moment: dt.datetime | None) -> None:
        return None


def inbound(**more: Any) -> messages.InboundMessage:  # noqa: ANN401 (fields of a dataclass)
    fields = {"channel": "sms", "provider_id": "p1", "sender": THEM, "recipient": US}
    return messages.InboundMessage(**{**fields, "received_at": NOW, **more})


@pytest.mark.parametrize("moment", [NOW.replace(tzinfo=None), NOW.replace(tzinfo=Nowhere())])
def test_naive_datetimes_are_refused(moment: dt.datetime) -> None:
    with pytest.raises(ValueError, match="received_at"):
        inbound(received_at=moment)
    with pytest.raises(ValueError, match="at must be"):
        messages.DeliveryReceipt(channel="sms", at=moment, reply_id="r")


@pytest.mark.case("C10")
@given(st.text(st.characters(), max_size=5_000) | st.text("\x00\ud800\udfffa€", max_size=50))
def test_every_text_becomes_one_that_a_database_holds(text: str) -> None:
    kept = inbound(text=text).text
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert len(kept) <= messages.MAX_TEXT_CHARACTERS
    assert messages.clean(kept) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b", "ab"),
        ("a\ud800b", "a?b"),
        ("née 😀", "née 😀"),
        ("", ""),
        ("x" * 4_001, "x" * 4_000),
    ],
)
def test_cleaning_keeps_what_it_can(text: str, kept: str) -> None:
    assert messages.clean(text) == kept


@pytest.mark.parametrize("provider_id", ["", "x" * 256])
def test_an_id_that_cannot_deduplicate_is_refused(provider_id: str) -> None:
    with pytest.raises(ValueError, match="provider_id"):
        inbound(provider_id=provider_id)


@pytest.mark.parametrize("provider_id", ["a\x00b", "a\ud800"])
def test_an_id_that_cannot_be_stored_is_refused(provider_id: str) -> None:
    with pytest.raises(ValueError, match="provider_id"):
        inbound(provider_id=provider_id)


def test_a_receipt_belongs_to_something() -> None:
    with pytest.raises(ValueError, match="provider_id or reply_id"):
        messages.DeliveryReceipt(channel="sms", at=NOW)


@pytest.mark.case("C33")
def test_nothing_printed_tells_who_or_what() -> None:
    reply = messages.OutboundReply(
        reply_id="0" * 32,
        channel="sms",
        sender=US,
        recipient=THEM,
        text="heron7391",
        valid_until=NOW,
    )
    for shown in (inbound(text="heron7391", aliases=(THEM,)), reply):
        for words in (repr(shown), str(shown), f"{shown}", repr([shown])):
            assert THEM.value not in words
            assert US.value not in words
            assert "heron" not in words

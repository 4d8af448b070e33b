import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import address, messages
from bridges.simulator import wire
from tests.bridges.simulator import world

OWN = (address.Address("sms", world.OURS), address.Address("sms", "+33639980009"))
OWN_SIGNAL = (address.Address("signal", "our-aci"),)


def read(
    body: bytes | dict[str, Any], own: tuple[address.Address, ...] = OWN
) -> messages.InboundMessage:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.message(raw, channel="sms", own=own, received_at=world.NOW, made_id="made")


def test_the_least() -> None:
    message = read({"from": world.HIS, "text": "salut"})
    assert message.sender == address.Address("sms", world.HIS)
    assert message.recipient == OWN[0]
    assert (message.text, message.kind, message.provider_id) == ("salut", "text", "made")
    assert (message.parts, message.received_at) == (1, world.NOW)


def test_everything() -> None:
    message = read(
        {"id": "x1", "from": world.HIS, "to": OWN[1].value, "text": "a" * 200, "kind": "text"}
    )
    assert (message.provider_id, message.recipient, message.parts) == ("x1", OWN[1], 2)


@pytest.mark.parametrize("sender", ["36111", "BANQUE", ""])
def test_sms_senders_that_are_no_numbers_arrive(sender: str) -> None:
    assert read({"from": sender}).sender.value == sender


def test_signal_tells_a_number_beside_the_account() -> None:
    message = read({"from": "his-aci", "number": world.HIS, "text": "hi"}, OWN_SIGNAL)
    assert message.aliases == (address.Address("sms", world.HIS),)
    assert message.parts == 1


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"\xff\xfe", "body"),
        (b"", "body"),
        (b"[]", "body"),
        (b"nonsense", "body"),
        (b"[" * 5_000, "body"),
        (b'{"from": "a", "from": "b"}', "body"),
        ({"from": world.HIS, "txt": "typo"}, "body"),
        ({"text": "nobody"}, "from"),
        ({"from": 33639980001}, "from"),
        ({"from": None}, "from"),
        ({"from": "a\nb"}, "from"),
        ({"from": "+" + "3" * 400}, "from"),
        ({"from": world.HIS, "to": "+33639980005"}, "to"),
        ({"from": world.HIS, "text": "a\x00b"}, "text"),
        ({"from": world.HIS, "text": "\ud800"}, "text"),
        ({"from": world.HIS, "text": "a" * 4_001}, "text"),
        ({"from": world.HIS, "text": ["a"]}, "text"),
        ({"from": world.HIS, "kind": "fax"}, "kind"),
        ({"from": world.HIS, "kind": 1}, "kind"),
        ({"from": world.HIS, "id": ""}, "id"),
        ({"from": world.HIS, "id": "a\tb"}, "id"),
        ({"from": world.HIS, "id": "a" * 256}, "id"),
        ({"from": world.HIS, "id": None}, "id"),
        ({"from": world.HIS, "number": world.HIS}, "number"),
    ],
)
def test_faults_name_the_field_and_do_not_repeat_the_value(
    body: bytes | dict[str, Any], field: str
) -> None:
    with pytest.raises(wire.WireError) as caught:
        read(body)
    assert str(caught.value).startswith(f"{field}: ")
    assert "3363998" not in str(caught.value)


@pytest.mark.parametrize("body", [{"from": " "}, {"from": "x", "number": "0639980001"}])
def test_signal_faults(body: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError):
        read(body, OWN_SIGNAL)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(body: bytes) -> None:
    try:
        read(body)
    except wire.WireError as error:
        assert str(error)  # noqa: PT017 (either end is right)


FIELDS = st.sampled_from(["id", "from", "to", "text", "kind", "x"])
VALUES = st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text(), max_size=2))


@given(st.dictionaries(FIELDS, VALUES))
def test_any_object_is_a_message_or_a_wire_error(body: dict[str, Any]) -> None:
    try:
        message = read(body)
    except wire.WireError as error:
        assert str(error)  # noqa: PT017 (either end is right)
    else:
        assert "\x00" not in message.text

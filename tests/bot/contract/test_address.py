"""An address shows itself to code that asks for it, and to nobody else."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import address

DIGITS = st.text("0123456789", min_size=3, max_size=60)
# Anything a network may show, in letters that the mask itself does not use.
WORDS = st.text(
    st.characters(categories=["L"], exclude_characters="sm"), min_size=3, max_size=60
).filter(str.isprintable)


@pytest.mark.case("C33")
@given(DIGITS.map("+".__add__) | WORDS)
def test_the_value_is_never_printed(value: str) -> None:
    shown = address.Address(address.SMS, value)
    for words in (repr(shown), str(shown), f"{shown}", shown.masked, repr([shown]), f"{shown!s}"):
        assert value not in words


@given(WORDS, WORDS)
def test_the_mask_tells_two_characters_and_the_length_and_no_more(one: str, other: str) -> None:
    length = min(len(one), len(other))
    alike = (one[:length], one[:2] + other[2:length])
    first, second = (address.Address("signal", value) for value in alike)
    assert repr(first) == repr(second)


@pytest.mark.parametrize("value", ["36180", "", "abcdef"])
def test_a_short_value_shows_nothing_but_its_length(value: str) -> None:
    assert address.Address("sms", value).masked == f"sms:…({len(value)})"


@pytest.mark.case("C33")
@pytest.mark.parametrize("value", ["+33639980012\x00", "+3363998\n0012", "8" * 321, "a\ud800b"])
def test_what_cannot_be_stored_is_refused_without_repeating_it(value: str) -> None:
    words = r"^address (longer than 320 characters|holds a control character)$"
    with pytest.raises(ValueError, match=words) as caught:
        address.Address("sms", value)
    assert value[:8] not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("network", ["", "SMS", "a b", "9x", "x" * 33, "sms\n"])
def test_a_network_is_a_lower_case_word(network: str) -> None:
    with pytest.raises(
        ValueError, match=r"^network must be a lower-case word of at most 32 characters$"
    ):
        address.Address(network, "x")


def test_a_network_of_ones_own_and_the_longest_value_are_taken() -> None:
    longest = "8" * address.MAX_VALUE_CHARACTERS
    for network in ("pigeon_2", "x" * 32):
        assert address.Address(network, longest).value == longest


@pytest.mark.parametrize(
    ("value", "full"),
    [
        ("+33639980012", True),
        ("+12025550123", True),
        ("33639980012", False),
        ("+0639980012", False),
        ("36180", False),
        ("", False),
        ("INFO", False),
        ("+1202555", True),
        ("+120255", False),
        ("+٣٣٦٣٩٩٨٠٠١٢", False),
    ],
)
def test_only_international_numbers_are_e164(value: str, full: bool) -> None:
    assert address.Address("sms", value).is_e164 is full

"""The cheap look at numbers against `phonenumbers`, which is always right."""

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import numbers, plans

_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
_ROUNDS = 200
"""Random numbers for each of the 200-odd calling codes."""


def _judge(e164: str) -> plans.Found | None:
    """What `phonenumbers` says of a valid number."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.country_code is None:
        return None
    region = phonenumbers.region_code_for_number(number)
    return plans.Found(number.country_code, region or "", phonenumbers.number_type(number))


def check_agrees(e164: str) -> bool:
    """Whether the cheap look answered, after seeing that it did not err."""
    found = plans.find(e164)
    if found is not None:
        assert found == _judge(e164), e164
        # Not a spelling of another number either.
        number = phonenumbers.parse(e164)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == e164
    return found is not None


@pytest.mark.parametrize("code", _CODES)
def test_random_numbers_of_every_calling_code(code: int) -> None:
    draw = random.Random(code)
    for _ in range(_ROUNDS):
        digits = draw.randint(max(7 - len(str(code)), 1), 15 - len(str(code)))
        national = "".join(draw.choices("0123456789", k=digits))
        check_agrees(f"+{code}{national}")


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_any_e164(e164: str) -> None:
    check_agrees(e164)


@given(
    st.sampled_from(["33", "32", "41", "44", "49", "34", "39", "351", "31", "262", "590", "1"]),
    st.from_regex(r"\A[1-9][0-9]{7,9}\Z"),
)
def test_numbers_of_the_countries_that_write_most(code: str, national: str) -> None:
    check_agrees(f"+{code}{national}")


def _types() -> list[int]:
    unsure = {phonenumbers.PhoneNumberType.UNKNOWN}
    return sorted(set(phonenumbers.PhoneNumberType.values()) - unsure)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_examples_of_every_kind_in_every_country(region: str) -> None:
    for kind in _types():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if plans.E164.fullmatch(e164):
            check_agrees(e164)


@pytest.mark.parametrize("region", ["FR", "BE", "CH", "GB", "LU", "ES", "NL", "PT", "RE", "GP"])
def test_mobiles_take_the_cheap_way(region: str) -> None:
    kind = phonenumbers.PhoneNumberType.MOBILE
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    assert check_agrees(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@given(
    st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z")
    | st.from_regex(r"\A\+(?:33|32|44|262|590)[1-9][0-9]{8}\Z")
    | st.text(max_size=20)
)
def test_read_says_the_same_without_the_cheap_way(raw: str) -> None:
    quick = numbers._quick(raw)
    assert quick is None or quick == numbers._read(raw)


@pytest.mark.parametrize("code", _CODES)
def test_read_says_the_same_without_the_cheap_way_for_every_code(code: int) -> None:
    draw = random.Random(-code)
    for _ in range(_ROUNDS):
        national = str(draw.randint(10 ** draw.randint(6, 10), 10**11))
        raw = f"+{code}{national}"[:16]
        quick = numbers._quick(raw)
        assert quick is None or quick == numbers._read(raw)

"""Facts of a number and who may be answered. Numbers are of fiction or made by `phonenumbers`."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from bot.policy import numbers
from bot.policy.numbers import Ineligible, NumberType

_NOBODY: frozenset[str] = frozenset()


def _example(region: str, number_type: int) -> str:
    number = phonenumbers.example_number_for_type(region, number_type)
    assert number is not None, (region, number_type)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _nowhere(code: int) -> str:
    number = phonenumbers.example_number_for_non_geo_entity(code)
    assert number is not None, code
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _judge(raw: str) -> Ineligible | None:
    return numbers.eligible(numbers.read(raw), countries=numbers.EEA_UK_CH_OVERSEAS, own=_NOBODY)


@pytest.mark.parametrize(
    ("region", "google_type", "number_type"),
    [
        ("FR", PhoneNumberType.MOBILE, NumberType.MOBILE),
        ("FR", PhoneNumberType.FIXED_LINE, NumberType.FIXED),
        ("FR", PhoneNumberType.VOIP, NumberType.VOIP),
        ("FR", PhoneNumberType.PREMIUM_RATE, NumberType.PREMIUM),
        ("FR", PhoneNumberType.TOLL_FREE, NumberType.TOLL_FREE),
        ("FR", PhoneNumberType.SHARED_COST, NumberType.SHARED_COST),
        ("GB", PhoneNumberType.PERSONAL_NUMBER, NumberType.OTHER),
        ("GB", PhoneNumberType.PAGER, NumberType.OTHER),
        ("JE", PhoneNumberType.MOBILE, NumberType.MOBILE),
        *((region, PhoneNumberType.MOBILE, NumberType.MOBILE) for region in
          ("GP", "RE", "GF", "MQ", "NC", "YT", "PM", "BE", "CH", "DE", "IT", "ES", "NL", "PT")),
    ],
)  # fmt: skip
def test_facts_of_a_country_number(region: str, google_type: int, number_type: NumberType) -> None:
    raw = _example(region, google_type)
    facts = numbers.read(raw)
    assert (facts.e164, facts.region, facts.number_type, facts.valid) == (
        raw,
        region,
        number_type,
        True,
    )


@pytest.mark.case("C12")
@pytest.mark.parametrize("region", ["FR", "BE", "CH", "DE", "GB", "RE", "GP", "NC", "PM", "NO"])
def test_mobiles_of_the_listed_countries_are_answered(region: str) -> None:
    assert _judge(_example(region, PhoneNumberType.MOBILE)) is None


@pytest.mark.case("C12")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("36015", Ineligible.SHORT_CODE),
        ("30191", Ineligible.SHORT_CODE),
        ("118218", Ineligible.SHORT_CODE),
        ("DOCTOLIB", Ineligible.ALPHANUMERIC),
        ("La Poste", Ineligible.ALPHANUMERIC),
        ("Uber1", Ineligible.ALPHANUMERIC),
        ("+33ABC", Ineligible.ALPHANUMERIC),
        ("", Ineligible.WITHHELD),
        ("  ", Ineligible.WITHHELD),
        ("anonymous", Ineligible.WITHHELD),
        ("Anonymous", Ineligible.WITHHELD),
        ("Privé", Ineligible.ALPHANUMERIC),
        ("266696687", Ineligible.WITHHELD),
        ("+" + "266696687", Ineligible.WITHHELD),  # ANONYMOUS on a keypad
        ("+" + "7378742833", Ineligible.WITHHELD),  # RESTRICTED
        ("+" + "2562533", Ineligible.WITHHELD),  # BLOCKED
        ("+" + "8656696", Ineligible.WITHHELD),  # UNKNOWN
        ("+" + "86282452253", Ineligible.WITHHELD),  # UNAVAILABLE
        ("unknown", Ineligible.WITHHELD),
        ("+33639980001", Ineligible.UNASSIGNED),
        ("+447700900123", Ineligible.UNASSIGNED),
        ("+19995550123", Ineligible.UNASSIGNED),
        ("+12025550123", Ineligible.COUNTRY),
        ("+999123456789", Ineligible.INVALID),
        ("+3312", Ineligible.INVALID),
        ("+", Ineligible.INVALID),
        ("0639980001", Ineligible.INVALID),
        ("+33639980001\x00", Ineligible.INVALID),
        ("+" + "3" * 5000, Ineligible.INVALID),
        (_example("FR", PhoneNumberType.FIXED_LINE), Ineligible.LANDLINE),
        (_example("FR", PhoneNumberType.PREMIUM_RATE), Ineligible.PREMIUM),
        (_example("FR", PhoneNumberType.VOIP), Ineligible.VOIP),
        (_example("FR", PhoneNumberType.TOLL_FREE), Ineligible.OTHER_TYPE),
        (_example("GB", PhoneNumberType.PERSONAL_NUMBER), Ineligible.OTHER_TYPE),
        (_example("JE", PhoneNumberType.MOBILE), Ineligible.COUNTRY),
        (_example("TN", PhoneNumberType.MOBILE), Ineligible.COUNTRY),
        (_example("CU", PhoneNumberType.MOBILE), Ineligible.COUNTRY),
        (_nowhere(870), Ineligible.SATELLITE),
        (_nowhere(881), Ineligible.SATELLITE),
        (_nowhere(882), Ineligible.SATELLITE),
        (_nowhere(883), Ineligible.SATELLITE),
        (_nowhere(979), Ineligible.PREMIUM),
        (_nowhere(800), Ineligible.OTHER_TYPE),
    ],
)
def test_who_is_not_answered_and_why(raw: str, reason: Ineligible) -> None:
    assert _judge(raw) is reason


@pytest.mark.case("C12")
def test_satellite_and_premium_world_numbers_have_no_country_and_cannot_be_listed() -> None:
    everything = frozenset(phonenumbers.SUPPORTED_REGIONS) | {"001", "ZZ"}
    for code in (870, 881, 882, 883, 979):
        facts = numbers.read(_nowhere(code))
        assert facts.region is None
        assert numbers.eligible(facts, countries=everything, own=_NOBODY) is not None


@pytest.mark.case("C12")
def test_our_own_number_comes_before_every_other_reason() -> None:
    mobile = _example("FR", PhoneNumberType.MOBILE)
    for raw in (mobile, "+33639980001"):
        reason = numbers.eligible(
            numbers.read(raw),
            countries=numbers.EEA_UK_CH_OVERSEAS,
            own=frozenset({raw}),
            answer_fiction=True,
        )
        assert reason is Ineligible.OWN_NUMBER


@pytest.mark.case("C12")
def test_overseas_france_is_not_france() -> None:
    facts = numbers.read(_example("RE", PhoneNumberType.MOBILE))
    assert numbers.eligible(facts, countries=frozenset({"FR"}), own=_NOBODY) is Ineligible.COUNTRY


def test_fiction_is_answered_only_where_asked_and_only_in_listed_countries() -> None:
    french, british = numbers.read("+33639980001"), numbers.read("+447700900123")
    assert (french.region, french.number_type) == ("FR", NumberType.FICTION)
    france = frozenset({"FR"})
    assert numbers.eligible(french, countries=france, own=_NOBODY) is Ineligible.UNASSIGNED
    for facts, reason in ((french, None), (british, Ineligible.COUNTRY)):
        found = numbers.eligible(facts, countries=france, own=_NOBODY, answer_fiction=True)
        assert found is reason


def test_an_unassigned_number_keeps_its_country_as_a_feature() -> None:
    facts = numbers.read("+19995550123")
    assert (facts.region, facts.number_type, facts.valid) == ("US", NumberType.UNASSIGNED, False)


def test_spaces_do_not_matter() -> None:
    assert numbers.read("+33 6 39 98 00 01") == numbers.read("+33639980001")


@pytest.mark.case("C33")
def test_facts_never_print_the_number() -> None:
    assert "639980001" not in repr(numbers.read("+33639980001"))


def test_prefix_is_the_number_less_four_digits() -> None:
    assert numbers.prefix("+33639980001") == "+3363998"


def test_the_cache_is_bounded() -> None:
    assert numbers.read.cache_info().maxsize == 8_192


@given(
    st.one_of(
        st.text(st.characters(exclude_categories=()), max_size=100),
        st.text(st.sampled_from("+0123456789 ()-./;ext=,٣"), max_size=30),
        st.integers(0, 10**16).map(lambda number: f"+{number}"),
    )
)
def test_any_sender_is_read_and_only_known_mobiles_pass(raw: str) -> None:
    facts = numbers.read(raw)
    reason = numbers.eligible(facts, countries=numbers.EEA_UK_CH_OVERSEAS, own=_NOBODY)
    if reason is None:
        assert facts.e164 is not None
        number = phonenumbers.parse(facts.e164)
        if _overseas_in_mainland_spelling(facts.e164):
            return
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.number_type(number) in {
            PhoneNumberType.MOBILE,
            PhoneNumberType.FIXED_LINE_OR_MOBILE,
        }
        assert phonenumbers.region_code_for_number(number) in numbers.EEA_UK_CH_OVERSEAS
        assert facts.e164 == phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _overseas_in_mainland_spelling(raw: str) -> bool:
    return len(raw) == len("+33") + 9 and raw[3:6] in numbers._OVERSEAS_BLOCKS


@given(st.integers(10**7, 10**9).map(lambda rest: f"+33{rest}"))
def test_valid_means_what_phonenumbers_means(raw: str) -> None:
    facts = numbers.read(raw)
    known = phonenumbers.is_valid_number(phonenumbers.parse(raw))
    assert facts.valid == (known or _overseas_in_mainland_spelling(raw))


@pytest.mark.parametrize(("block", "region"), numbers._OVERSEAS_BLOCKS.items())
def test_overseas_blocks_are_mobiles_of_their_territory(block: str, region: str) -> None:
    """The metadata knows mobiles in each block under the territory's own code."""
    code = phonenumbers.country_code_for_region(region)
    found = {
        phonenumbers.region_code_for_number(number)
        for middle in range(1000)
        if phonenumbers.number_type(number := phonenumbers.parse(f"+{code}{block}{middle:03d}456"))
        == PhoneNumberType.MOBILE
    }
    assert region in found
    assert numbers.read(f"+33{block}123456").region == region or block == "639"

"""Who may be answered at all, judged by the number alone, before any money is thought of.

Only a valid mobile number of a country on the list is answered. Everything else (short codes,
names as senders, landlines, premium, satellite and internet numbers, withheld and made-up ones)
either cannot read a reply, belongs to a machine, or is how attackers turn replies into money.
The facts come from Google's metadata through `phonenumbers`, which knows ranges; whether a number
is in use nobody knows.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from bot.policy import plans

_LONGEST_READ = 64
"""Characters; E.164 has 16 with its plus, sender names 11. Longer is nobody's number."""


class NumberType(StrEnum):
    """What kind of sender a number is."""

    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed_or_mobile"
    FIXED = "fixed"
    VOIP = "voip"
    PREMIUM = "premium"
    SATELLITE = "satellite"
    TOLL_FREE = "toll_free"
    SHARED_COST = "shared_cost"
    OTHER = "other"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"
    WITHHELD = "withheld"
    FICTION = "fiction"
    UNASSIGNED = "unassigned"
    INVALID = "invalid"


class Ineligible(StrEnum):
    """Why a number is not answered; stored as the reason."""

    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"
    LANDLINE = "landline"
    PREMIUM = "premium"
    SATELLITE = "satellite"
    VOIP = "voip"
    OTHER_TYPE = "other_type"
    COUNTRY = "country"
    WITHHELD = "withheld"
    OWN_NUMBER = "own_number"
    UNASSIGNED = "unassigned"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFacts:
    """What a sender's number says by itself. It never prints the number."""

    e164: str | None = field(repr=False)
    """The number in E.164, None unless it is one that could be dialled."""
    region: str | None
    """ISO 3166 country such as FR; overseas France is GP, RE and so on. None without a country.

    For an unassigned number it is the main country of its calling code.
    """
    number_type: NumberType
    valid: bool
    """In a range that is assigned for use, after the metadata."""


_OVERSEAS_FRANCE = frozenset({"BL", "GF", "GP", "MF", "MQ", "NC", "PM", "RE", "YT"})
"""BL and MF share Guadeloupe's calling code. PF and WF are left out: dear, nobody's neighbour."""
# The EU with Aland, which is Finnish and has a code of its own; then EFTA's three.
_EU = "AT AX BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
_EEA = frozenset(_EU.split()) | {"IS", "LI", "NO"}
EEA_UK_CH_OVERSEAS: frozenset[str] = _EEA | {"GB", "CH"} | _OVERSEAS_FRANCE
"""Countries answered unless the operator says otherwise. JE, GG and IM are dear and not GB."""

_WITHHELD = (
    "anonymous anonyme anonymus private prive privat restricted blocked unknown unavailable"
    " withheld inconnu unbekannt hidden masque"
)
_WITHHELD_WORDS = frozenset(_WITHHELD.split())
# Twilio writes the word on a keypad and a plus before it: ANONYMOUS is 266696687.
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_WITHHELD_NUMBERS = frozenset(word.translate(_KEYPAD) for word in _WITHHELD.split()) | {"0", "00"}

# Calling codes of no country (region 001). 979 and the rest fall to their own type below.
_SATELLITE_CODES = frozenset({870, 881, 882, 883})
_PREMIUM_CODES = frozenset({979})

# Set aside for films and examples, so nobody's: France (ARCEP 2012-0855) and the United Kingdom
# (Ofcom). The 555-01xx of +1 pass for ordinary numbers in the metadata and need no entry.
_FICTION = ("+3363998", "+447700900")

_TYPES: dict[int, NumberType] = {
    PhoneNumberType.MOBILE: NumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.FIXED_OR_MOBILE,
    PhoneNumberType.FIXED_LINE: NumberType.FIXED,
    PhoneNumberType.VOIP: NumberType.VOIP,
    PhoneNumberType.PREMIUM_RATE: NumberType.PREMIUM,
    PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
    PhoneNumberType.SHARED_COST: NumberType.SHARED_COST,
}
_ANSWERED = frozenset({NumberType.MOBILE, NumberType.FIXED_OR_MOBILE})
_REASONS: dict[NumberType, Ineligible] = {
    NumberType.SHORT_CODE: Ineligible.SHORT_CODE,
    NumberType.ALPHANUMERIC: Ineligible.ALPHANUMERIC,
    NumberType.FIXED: Ineligible.LANDLINE,
    NumberType.PREMIUM: Ineligible.PREMIUM,
    NumberType.SATELLITE: Ineligible.SATELLITE,
    NumberType.VOIP: Ineligible.VOIP,
    NumberType.WITHHELD: Ineligible.WITHHELD,
    NumberType.FICTION: Ineligible.UNASSIGNED,
    NumberType.UNASSIGNED: Ineligible.UNASSIGNED,
    NumberType.INVALID: Ineligible.INVALID,
}
_SHORT_CODE_DIGITS = range(3, 9)
_SUBSCRIBER_TAIL = 4


@lru_cache(maxsize=8_192)
def read(raw: str) -> NumberFacts:
    """Read what the network gives as sender: E.164, a short code, a name, or nothing.

    Never raises. A national number without its plus cannot be placed and is invalid; the bridge
    that knows its country writes it in E.164 first.
    """
    return _quick(raw) or _read(raw)


def _read(raw: str) -> NumberFacts:
    """The whole way, for any spelling."""
    shown = raw.strip()
    bare = shown.lstrip("+")
    if not shown or bare in _WITHHELD_NUMBERS or _says_withheld(shown):
        return _without_number(NumberType.WITHHELD)
    if len(shown) > _LONGEST_READ or not shown.isprintable():
        return _without_number(NumberType.INVALID)
    if any(character.isalpha() for character in shown):
        return _without_number(NumberType.ALPHANUMERIC)
    if not shown.startswith("+"):
        short = shown.isdecimal() and len(shown) in _SHORT_CODE_DIGITS
        return _without_number(NumberType.SHORT_CODE if short else NumberType.INVALID)
    try:
        number = phonenumbers.parse(shown)
    except phonenumbers.NumberParseException:
        return _without_number(NumberType.INVALID)
    return _classify(number)


def eligible(
    facts: NumberFacts,
    *,
    countries: frozenset[str],
    own: frozenset[str],
    answer_fiction: bool = False,
) -> Ineligible | None:
    """Say why a number is not answered, None if it may be.

    `countries` are ISO 3166 codes, `own` our own addresses in E.164: two of ours must never talk.
    `answer_fiction` takes the numbers of films for mobiles: for the simulator, demo and tests only.
    """
    if facts.e164 is not None and facts.e164 in own:
        return Ineligible.OWN_NUMBER
    if facts.number_type is NumberType.FICTION and answer_fiction:
        return None if facts.region in countries else Ineligible.COUNTRY
    if facts.number_type not in _ANSWERED:
        return _REASONS.get(facts.number_type, Ineligible.OTHER_TYPE)
    if facts.region is None or facts.region not in countries:
        return Ineligible.COUNTRY
    return None


def prefix(e164: str) -> str:
    """Give a number less its last four digits: the block of 10,000 that raids tend to share."""
    return e164[:-_SUBSCRIBER_TAIL]


def _without_number(number_type: NumberType) -> NumberFacts:
    return NumberFacts(e164=None, region=None, number_type=number_type, valid=False)


def _says_withheld(shown: str) -> bool:
    words = "".join(c if c.isalpha() else " " for c in shown.casefold()).split()
    return bool(words) and _WITHHELD_WORDS.issuperset(words)


def _quick(raw: str) -> NumberFacts | None:
    """What `_read` says of a plain valid number, at a tenth of its cost; None for all others."""
    if not plans.E164.fullmatch(raw) or raw[1:] in _WITHHELD_NUMBERS or raw.startswith(_FICTION):
        return None
    found = plans.find(raw)
    if found is None or found.code in _SATELLITE_CODES or found.code in _PREMIUM_CODES:
        return None
    number_type = _TYPES.get(found.google_type, NumberType.OTHER)
    return NumberFacts(e164=raw, region=found.region, number_type=number_type, valid=True)


def _classify(number: phonenumbers.PhoneNumber) -> NumberFacts:
    code = number.country_code or 0
    e164 = f"+{code}{phonenumbers.national_significant_number(number)}"
    if e164.startswith(_FICTION):
        country = phonenumbers.region_code_for_country_code(code)
        return NumberFacts(e164=e164, region=country, number_type=NumberType.FICTION, valid=False)
    region: str | None = phonenumbers.region_code_for_number(number)
    # One walk through the metadata for both questions: valid means to be of a known type.
    google_type = phonenumbers.number_type(number)
    valid = google_type != PhoneNumberType.UNKNOWN
    if code in _SATELLITE_CODES:
        number_type = NumberType.SATELLITE
    elif code in _PREMIUM_CODES:
        number_type = NumberType.PREMIUM
    elif valid:
        number_type = _TYPES.get(google_type, NumberType.OTHER)
    elif (overseas := _overseas(number)) is not None:
        number_type, region, valid = NumberType.MOBILE, overseas, True
    elif phonenumbers.is_possible_number(number):
        number_type = NumberType.UNASSIGNED
        region = phonenumbers.region_code_for_country_code(code)
    else:
        return _without_number(NumberType.INVALID)
    if region in {"001", "ZZ"}:
        region = None
    return NumberFacts(e164=e164, region=region, number_type=number_type, valid=valid)


# France's plan is one for all its parts, and a network that only puts 33 before the national
# number shows overseas mobiles so. By blocks of the plan (ARCEP), since the metadata of the
# overseas codes lags behind what is handed out within them.
_OVERSEAS_BLOCKS = {
    "639": "YT",
    "690": "GP",
    "691": "GP",
    "692": "RE",
    "693": "RE",
    "694": "GF",
    "696": "MQ",
    "697": "MQ",
}
_NATIONAL_DIGITS = 9


def _overseas(number: phonenumbers.PhoneNumber) -> str | None:
    """Give the territory of an overseas mobile number that is spelt with mainland France's code."""
    national = str(number.national_number)
    if number.country_code != 33 or len(national) != _NATIONAL_DIGITS:  # noqa: PLR2004 (France)
        return None
    return _OVERSEAS_BLOCKS.get(national[:3])

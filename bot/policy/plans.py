"""A cheap look at a number in E.164: the same facts as `phonenumbers` gives, or None.

`phonenumbers` takes some 100 microseconds a number, most of it on spellings that a network never
shows. Here its own metadata (the ranges of each kind in each country) are asked directly, with
the patterns compiled once a calling code. Whatever is not plainly in an assigned range is left
to `phonenumbers`, which is also the judge of every answer in the tests.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_CODE: Final = 3
_NOWHERE: Final = "001"

_Match = Callable[[str], object]


class Found(NamedTuple):
    """Calling code, ISO 3166 country and PhoneNumberType of a valid number."""

    code: int
    region: str
    google_type: int


class _Range(NamedTuple):
    """National numbers of these lengths (none named: of any) that match."""

    lengths: frozenset[int]
    match: _Match

    def holds(self, national: str) -> bool:
        return (not self.lengths or len(national) in self.lengths) and bool(self.match(national))


class _Region(NamedTuple):
    """A country within a calling code; where there is `leads`, it alone tells whose it is."""

    name: str
    leads: _Match | None
    general: _Range
    kinds: tuple[tuple[int, _Range], ...]
    any_kind: _Match
    fixed: _Range | None
    mobile: _Range | None
    same: bool


class _Plan(NamedTuple):
    """All countries of one calling code. `prefixed`: a national prefix may stand in front."""

    code: int
    prefixed: _Match | None
    regions: tuple[_Region, ...]


def find(e164: str) -> Found | None:
    """The facts of `+` and 7 to 15 digits; None where it takes `phonenumbers` to say."""
    for end in range(2, _LONGEST_CODE + 2):
        plan = _plan(e164[1:end])
        if plan is not None:
            national = e164[end:]
            # A zero or a national prefix in front is a matter of spelling.
            if national[:1] in {"", "0"} or (plan.prefixed and plan.prefixed(national)):
                return None
            return _among(plan, national)
    return None


def _among(plan: _Plan, national: str) -> Found | None:
    for region in plan.regions:
        if region.leads is not None and not region.leads(national):
            continue
        kind = _kind(region, national)
        if kind is not None:
            return Found(plan.code, region.name, kind)
        if region.leads is not None:
            return None
    return None


def _kind(region: _Region, national: str) -> int | None:
    """The order is that of `phonenumbers`: what costs comes first."""
    if not region.general.holds(national):
        return None
    # Hardly any number is of such a kind, and one look tells.
    if region.any_kind(national):
        for kind, numbers in region.kinds:
            if numbers.holds(national):
                return kind
    mobile = region.mobile is not None and region.mobile.holds(national)
    if region.fixed is not None and region.fixed.holds(national):
        both = region.same or mobile
        return PhoneNumberType.FIXED_LINE_OR_MOBILE if both else PhoneNumberType.FIXED_LINE
    return PhoneNumberType.MOBILE if mobile and not region.same else None


@functools.lru_cache(1_024)
def _plan(digits: str) -> _Plan | None:
    code = int(digits)
    names = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    found = [PhoneMetadata.metadata_for_region(name, None) for name in names if name != _NOWHERE]
    known = [metadata for metadata in found if metadata is not None]
    if not known or len(known) != len(names):
        return None
    prefix = known[0].national_prefix_for_parsing
    return _Plan(
        code=code,
        prefixed=re.compile(prefix).match if prefix else None,
        regions=tuple(_region(metadata, alone=len(names) == 1) for metadata in known),
    )


def _region(of: PhoneMetadata, *, alone: bool) -> _Region:
    kinds = (
        (PhoneNumberType.PREMIUM_RATE, of.premium_rate),
        (PhoneNumberType.TOLL_FREE, of.toll_free),
        (PhoneNumberType.SHARED_COST, of.shared_cost),
        (PhoneNumberType.VOIP, of.voip),
        (PhoneNumberType.PERSONAL_NUMBER, of.personal_number),
        (PhoneNumberType.PAGER, of.pager),
        (PhoneNumberType.UAN, of.uan),
        (PhoneNumberType.VOICEMAIL, of.voicemail),
    )
    patterns = [desc.national_number_pattern for _, desc in kinds if desc is not None]
    any_kind = "|".join(f"(?:{one})" for one in patterns if one)
    nobody = _Range(frozenset(), re.compile(r"(?!)").match)
    return _Region(
        name=of.id,
        leads=re.compile(of.leading_digits).match if of.leading_digits and not alone else None,
        general=_range(of.general_desc) or nobody,
        kinds=tuple((k, found) for k, desc in kinds if (found := _range(desc)) is not None),
        any_kind=re.compile(any_kind or r"(?!)").fullmatch,
        fixed=_range(of.fixed_line),
        mobile=_range(of.mobile),
        same=bool(of.same_mobile_and_fixed_line_pattern),
    )


def _range(desc: phonenumbers.PhoneNumberDesc | None) -> _Range | None:
    if desc is None or not desc.national_number_pattern:
        return None
    pattern = re.compile(desc.national_number_pattern)
    return _Range(frozenset(desc.possible_length), pattern.fullmatch)

"""Kinds of values and their checks, each with a sentence that says how to mend it.

A sentence is "what is wrong; what to do" and never repeats the value.
"""

from __future__ import annotations

import decimal
import ipaddress
import re
import zoneinfo
from typing import Annotated, Any, Final, cast

import phonenumbers
import pydantic

from bot.contract import address, money
from bot.policy import texts

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_ACI = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_TOKEN = re.compile(r"[!-~]{16,200}\Z")
_HOURS = re.compile(r"(\d{2})-(\d{2})\Z")
_MIDNIGHT: Final = 24
_MXID = re.compile(r"@[^\s:]+:\S+\Z")
_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^?#\s]*)?\Z")
_LISTEN = re.compile(r"([A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})\Z", re.ASCII)
_PORTS: Final = 65_535
REGIONS: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)


def _micros(value: object) -> object:
    """A decimal amount as millionths; the check for "whole number" after it never fires."""
    if isinstance(value, bool | float) or not isinstance(value, int | str | decimal.Decimal):
        raise ValueError(  # noqa: TRY004 (pydantic collects ValueErrors; others would escape)
            'must be an amount of money; write it as "0.08" or 20'
        )
    try:
        micros = money.parse(value, "XXX").micros
    except ValueError:
        raise ValueError(
            'must be a decimal amount with at most six places; write it as "0.08"'
        ) from None
    if micros < 0:
        raise ValueError("must not be negative; write the amount without a sign")
    return micros


def _number(value: object) -> object:
    """A rate may be written 1 or 0.5; it is no money, so a binary float does for it."""
    if isinstance(value, bool) or not isinstance(value, int | float | decimal.Decimal):
        raise ValueError("must be a number; write it without quotes")  # noqa: TRY004 (the same)
    return float(value)


def _country(code: str) -> str:
    """An ISO 3166 code that the numbering plans know."""
    if code not in REGIONS:
        raise ValueError("is no known country code; write two capitals such as FR")
    return code


def _currency(code: str) -> str:
    if not _CURRENCY.match(code):
        raise ValueError("is no currency code; write three capitals such as EUR")
    return code


def _language(code: str) -> str:
    if code not in texts.LANGUAGES:
        raise ValueError(f"is no language of ours; choose from {', '.join(texts.LANGUAGES)}")
    return code


def _own(value: str) -> str:
    e164 = address.Address(network=address.SMS, value=value).is_e164
    if not (e164 or _MXID.match(value) or _ACI.match(value)):
        raise ValueError(
            "is no address; write a number as + and digits without spaces, a Matrix user as "
            "@name:server, a Signal account as its ACI"
        )
    return value


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no known time zone; write an IANA name such as Europe/Paris") from None
    return name


def _token(token: str) -> str:
    if token and not _TOKEN.match(token):
        raise ValueError(
            "is no good secret; take at least 16 letters and digits, such as what openssl rand "
            "-hex 16 gives"
        )
    return token


def _public_url(url: str) -> str:
    if url and not _PUBLIC_URL.match(url):
        raise ValueError(
            "is no address of a listener; write https:// and a name, with a port or a path if the "
            "proxy needs one, without ? and #"
        )
    return url.rstrip("/")


def _listen(value: object) -> object:
    """`127.0.0.1:9180` or `[::1]:9180` as host and port; empty is None."""
    if value is None or value == "":
        return None
    found = _LISTEN.match(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > _PORTS:
        raise ValueError('is no place to listen; write it as "127.0.0.1:9180"')
    return found[1].strip("[]"), int(found[2])


def is_here(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(told: str) -> str:
    try:
        ipaddress.ip_network(told)
    except ValueError:
        raise ValueError("is no address or network; write it as 127.0.0.1 or 10.0.0.0/24") from None
    return told


def _account(name: str) -> str:
    if not _MXID.match(name):
        raise ValueError("is no account; write it as @name:server, in quotes")
    return name


def _hours(value: object) -> object:
    """`08-20` as two hours of the day; over midnight as `20-08`."""
    found = _HOURS.match(value) if isinstance(value, str) else None
    if found is None or not all(int(hour) <= _MIDNIGHT for hour in found.groups()):
        raise ValueError('must be hours of the day; write them as "08-20"')
    begin, end = map(int, found.groups())
    return (begin % _MIDNIGHT, end % _MIDNIGHT)


def _store_url(url: str) -> str:
    if not url.startswith(("sqlite:", "postgresql:", "postgresql+asyncpg:")):
        raise ValueError(
            "is no database of ours; write sqlite:FILE or postgresql://USER@HOST/DATABASE"
        )
    return url


Micros = Annotated[int, pydantic.BeforeValidator(_micros)]
Country = Annotated[str, pydantic.AfterValidator(_country)]
Currency = Annotated[str, pydantic.AfterValidator(_currency)]
Language = Annotated[str, pydantic.AfterValidator(_language)]
Number = Annotated[float, pydantic.BeforeValidator(_number)]
OwnAddress = Annotated[str, pydantic.AfterValidator(_own)]
Zone = Annotated[str, pydantic.AfterValidator(_zone)]
Account = Annotated[str, pydantic.AfterValidator(_account)]
Hours = Annotated[tuple[int, int], pydantic.BeforeValidator(_hours)]
Token = Annotated[str, pydantic.AfterValidator(_token)]
Listen = Annotated[tuple[str, int] | None, pydantic.BeforeValidator(_listen)]
Proxy = Annotated[str, pydantic.AfterValidator(_proxy)]
PublicUrl = Annotated[str, pydantic.AfterValidator(_public_url)]
StoreUrl = Annotated[str, pydantic.AfterValidator(_store_url)]
Wording = Annotated[str, pydantic.Field(min_length=1, max_length=1000)]


def setting(default: object, meaning: str, kind: str, unit: str = "", **limits: Any) -> Any:  # noqa: ANN401 (pydantic.Field is typed Any too)
    """One key: `kind` and `unit` are words for docs/settings.md."""
    extra = cast("Any", {"kind": kind, "unit": unit})
    return pydantic.Field(default=default, description=meaning, json_schema_extra=extra, **limits)


def whole(default: object, meaning: str, unit: str, **limits: Any) -> Any:  # noqa: ANN401 (the same)
    return setting(default, meaning, "whole number", unit, **limits)


def amount(default_micros: int | None, meaning: str, **limits: Any) -> Any:  # noqa: ANN401 (the same)
    return setting(default_micros, meaning, "amount", "`budget.currency`", **limits)

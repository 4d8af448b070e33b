"""Recorded floods: one JSON object a line, the world first, then each inbound SMS in its order.

    {"start": "2017-10-27T08:00:00+02:00", "timezone": "Europe/Paris", "to": "+33639980000",
     "signal": [], "sms_price_per_segment": {"currency": "EUR", "FR": "0.08", "default": "0.12"}}
    {"at": 12.5, "id": "SM1", "from": "+33639980001", "to": "+33639980000", "body": "Salut"}

Plain or gzip. Read twice: once through to the end before anything starts, so that a fault near
the end leaves nothing half done, then streamed; memory is that of one line. An error names the
line and what is expected, never what stands there: recordings hold numbers and words of people.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import gzip
import io
import json
import pathlib
import zlib
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from bot.contract import address, clock, messages, money

_GZIP: Final = b"\x1f\x8b"
LONGEST_LINE: Final = 16 * 1024 * 1024
# A hundred years: past it the calendar ends rather than the recording.
_LONGEST_S: Final = 100 * 366 * 86_400
_YEARS: Final = (1970, 9000)
_KEYS: Final = ("at", "id", "from", "to", "body")
_TEXTS: Final = _KEYS[1:]
_REMEMBERED: Final = 65_536


class TraceError(ValueError):
    """A recording that cannot be used: nothing was done. `line` is 0 for the file as a whole."""

    def __init__(self, path: pathlib.Path, line: int, expected: str) -> None:
        """`expected`: what should stand there; it repeats nothing of the recording."""
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{where}: {expected}")
        self.line = line


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Line 1. `prices`: micros a part by ISO 3166 country, `default_micros` for all others."""

    start_ms: int
    timezone: zoneinfo.ZoneInfo
    to: address.Address
    signal: frozenset[str] = dataclasses.field(repr=False)
    currency: str
    prices: Mapping[str, int]
    default_micros: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a whole recording holds: messages (the lines after the first) and its last moment."""

    world: World
    messages: int
    last_ms: int


def measure(path: pathlib.Path) -> Size:
    """Read and check every line. Raises TraceError."""
    with _opened(path) as reader:
        world = reader.world()
        last_ms, count = world.start_ms, 0
        for message_ms, _ in reader.raw(world):
            last_ms = message_ms
            count += 1
    return Size(world=world, messages=count, last_ms=last_ms)


def inbound(path: pathlib.Path, channel: str) -> Iterator[tuple[int, messages.InboundMessage]]:
    """Each message with its time in milliseconds, as `channel` would hand it in."""
    with _opened(path) as reader:
        world = reader.world()
        own: dict[str, address.Address] = {}
        for at_ms, line in reader.raw(world):
            to = line["to"]
            if to not in own:
                own[to] = address.Address(address.SMS, to)
            yield (
                at_ms,
                messages.InboundMessage(
                    channel=channel,
                    provider_id=line["id"],
                    sender=address.Address(address.SMS, line["from"]),
                    recipient=own[to],
                    received_at=clock.from_ms(at_ms),
                    text=line["body"],
                ),
            )


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[_Reader]:
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            if start == _GZIP:
                with gzip.open(file, "rb") as unpacked:
                    yield _Reader(path, unpacked)
            else:
                yield _Reader(path, file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TraceError(path, 0, f"cannot be read: {reason}") from None


class _Reader:
    """The lines of one open file, checked one by one."""

    def __init__(self, path: pathlib.Path, file: io.BufferedIOBase | gzip.GzipFile) -> None:
        self._path = path
        self._file = file
        self._number = 0
        # Addresses that were checked already: most people write more than once.
        self._fine: set[str] = set()

    def _fault(self, expected: str) -> NoReturn:
        raise TraceError(self._path, self._number, expected) from None

    def _line(self) -> str | None:
        self._number += 1
        try:
            raw = self._file.readline(LONGEST_LINE + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._fault("the gzip file is cut short or damaged; copy it again")
        if not raw:
            return None
        if len(raw) > LONGEST_LINE:
            self._fault(f"expected at most {LONGEST_LINE} bytes in a line")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self._fault("expected UTF-8")

    def _object(self, text: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 (json's own options)
        try:
            found = json.loads(text, **options)
        except (ValueError, RecursionError):
            self._fault("expected one JSON object on this line, complete")
        if type(found) is not dict:
            self._fault("expected a JSON object in braces")
        return found

    def world(self) -> World:
        """The first line."""
        text = self._line()
        if text is None:
            self._fault("expected the world (start, timezone, to, prices); the file is empty")
        found = self._object(text, parse_float=money.exact)
        signal = found.get("signal", [])
        if type(signal) is not list or not all(type(n) is str for n in signal):
            self._fault("expected signal: a list of numbers as text")
        currency, prices, default = self._prices(found)
        return World(
            start_ms=self._start(found),
            timezone=self._zone(found),
            to=self._address(self._text(found, "to")),
            signal=frozenset(signal),
            currency=currency,
            prices=prices,
            default_micros=default,
        )

    def _text(self, found: Mapping[str, Any], key: str) -> str:
        value = found.get(key)
        if type(value) is not str:
            self._fault(f"expected {key} as text")
        return value

    def _address(self, value: str) -> address.Address:
        try:
            return address.Address(address.SMS, value)
        except ValueError as error:
            self._fault(f"expected a number or a sender's name: {error}")

    def _start(self, found: Mapping[str, Any]) -> int:
        try:
            moment = dt.datetime.fromisoformat(self._text(found, "start"))
            messages.aware(moment, "start")
        except ValueError:
            self._fault("expected start: an ISO 8601 time with its offset from UTC")
        if not _YEARS[0] <= moment.year <= _YEARS[1]:
            self._fault(f"expected start: a year from {_YEARS[0]} to {_YEARS[1]}")
        return clock.to_ms(moment)

    def _zone(self, found: Mapping[str, Any]) -> zoneinfo.ZoneInfo:
        try:
            return zoneinfo.ZoneInfo(self._text(found, "timezone"))
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            self._fault("expected timezone: a name such as Europe/Paris")

    def _prices(self, found: Mapping[str, Any]) -> tuple[str, dict[str, int], int | None]:
        table = found.get("sms_price_per_segment")
        if type(table) is not dict:
            self._fault("expected sms_price_per_segment: an object of currency and countries")
        currency = self._text(table, "currency")
        try:
            money.Money(0, currency)
        except ValueError:
            self._fault("expected currency as three capitals, such as EUR")
        prices = self._by_country(table, currency)
        default = prices.pop("default", None)
        return currency, prices, default

    def _by_country(self, table: Mapping[str, Any], currency: str) -> dict[str, int]:
        prices: dict[str, int] = {}
        for country, told in table.items():
            if country == "currency":
                continue
            try:
                price = money.parse(told, currency)
            except (ValueError, TypeError):
                self._fault("expected prices as decimal amounts of major units")
            if price.micros < 0:
                self._fault("expected prices of zero or more")
            prices[country] = price.micros
        return prices

    def raw(self, world: World) -> Iterator[tuple[int, dict[str, Any]]]:
        """The messages' time in milliseconds and their line, checked."""
        before = 0.0
        while (text := self._line()) is not None:
            found = self._object(text)
            self._check(found)
            at = found["at"]
            if at < before:
                self._fault("expected at to be no earlier than on the line before")
            before = at
            yield world.start_ms + round(at * 1000), found

    def _check(self, found: dict[str, Any]) -> None:
        for key in _KEYS:
            if key not in found:
                self._fault(f"expected the keys {', '.join(_KEYS)}; {key} is missing")
        at = found["at"]
        # The comparisons are false for a NaN too.
        if type(at) not in (int, float) or not 0 <= at <= _LONGEST_S:
            self._fault("expected at: seconds from the start, a number of zero or more")
        for key in _TEXTS:
            if type(found[key]) is not str:
                self._fault(f"expected {key} as text")
        if not (0 < len(found["id"]) <= messages.MAX_ID_CHARACTERS and found["id"].isprintable()):
            self._fault(f"expected id: 1 to {messages.MAX_ID_CHARACTERS} printable characters")
        for key in ("from", "to"):
            if found[key] not in self._fine:
                self._address(found[key])
                if len(self._fine) == _REMEMBERED:
                    self._fine.clear()
                self._fine.add(found[key])

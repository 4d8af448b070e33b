"""Numbers and words made up for people of whom neither is kept.

A number is of the same country and kind, and shares its block with the same neighbours. A text
is of made-up words that stand for the keyed ones: the same words again where they were the same.
Nothing is ever sent to these numbers: a simulation has no way out.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from bot.contract import address
from bot.policy import numbers
from bot.policy.flood import words
from bot.policy.numbers import NumberType
from bot.simulate import past

SEED: Final = 2017
_TYPES: Final = {
    NumberType.MOBILE: PhoneNumberType.MOBILE,
    NumberType.FIXED_OR_MOBILE: PhoneNumberType.FIXED_LINE_OR_MOBILE,
    NumberType.FIXED: PhoneNumberType.FIXED_LINE,
    NumberType.VOIP: PhoneNumberType.VOIP,
    NumberType.PREMIUM: PhoneNumberType.PREMIUM_RATE,
    NumberType.TOLL_FREE: PhoneNumberType.TOLL_FREE,
    NumberType.SHARED_COST: PhoneNumberType.SHARED_COST,
}
_TAIL: Final = 10_000
_TRIES: Final = 300
# No word of any language: consonants alone, and no letter thrice in a row.
_LETTERS: Final = ("bcdfghjk", "lmnpqrst")
_LETTERS_OF_A_WORD: Final = 21


class Senders:
    """An address for each person, the same each time."""

    def __init__(self) -> None:
        """The same people get the same addresses in the next play."""
        self._draw = random.Random(SEED)
        self._given: dict[int, address.Address] = {}
        self._blocks: dict[tuple[object, ...], Iterator[str]] = {}
        self._used: set[str] = set()

    def of(self, line: past.Line) -> address.Address:
        """His address; who cannot be given a number of his kind is a machine's short code."""
        found = self._given.get(line.person)
        if found is None:
            found = self._given[line.person] = self._new(line)
        return found

    def _new(self, line: past.Line) -> address.Address:
        if line.network != address.SMS:
            return address.Address(line.network, self._elsewhere(line))
        kind = NumberType(line.number_type) if line.number_type else NumberType.SHORT_CODE
        # Numbers of films are people where everything is simulated.
        if kind is NumberType.FICTION and line.answerable:
            kind = NumberType.MOBILE
        number = None
        if line.country is not None and kind in _TYPES:
            number = self._number(line.country, kind, line.block or line.person)
        return address.Address(address.SMS, number or self._code())

    def _elsewhere(self, line: past.Line) -> str:
        if line.network == address.MATRIX:
            return f"@p{line.person}:example.org"
        return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))

    def _code(self) -> str:
        while True:
            code = f"3{self._draw.randrange(10**6):06}"
            if code not in self._used:
                self._used.add(code)
                return code

    def _number(self, country: str, kind: NumberType, block: object) -> str | None:
        """One of its block; None if no such number can be made up."""
        key = (country, kind, block)
        if key not in self._blocks:
            self._blocks[key] = self._block(country, kind)
        return next(self._blocks[key], None)

    def _block(self, country: str, kind: NumberType) -> Iterator[str]:
        """Numbers that share all but their last four digits."""
        example = phonenumbers.example_number_for_type(country, _TYPES[kind])
        if example is None:
            return
        e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        code = len(str(example.country_code)) + 1
        first = self._draw.randrange(_TAIL)
        start = self._start(e164, code, country, kind)
        for tail in range(_TAIL):
            found = f"{start}{(first + tail) % _TAIL:04}"
            if found not in self._used and _is(found, country, kind):
                self._used.add(found)
                yield found

    def _start(self, e164: str, code: int, country: str, kind: NumberType) -> str:
        """The example's with other digits, one that is not taken if such can be found."""
        start = e164[:-4]
        for _ in range(_TRIES):
            digits = "".join(str(self._draw.randrange(10)) for _ in e164[code:-4])
            kept = self._draw.randrange(len(digits) + 1)
            made = e164[: code + kept] + digits[kept:]
            if _is(f"{made}{e164[-4:]}", country, kind):
                start = made
                if made not in self._used:
                    break
        self._used.add(start)
        return start


def _is(found: str, country: str, kind: NumberType) -> bool:
    facts = numbers.read(found)
    return facts.region == country and facts.number_type is kind


class Words:
    """Made-up words for keyed ones; as `hashed` it gives the keyed ones back."""

    def __init__(self, hashed: Callable[[str], int]) -> None:
        """`hashed`: the installation's own, for words that were not made up here."""
        self._hashed = hashed
        self._known: dict[str, int] = {}

    def __call__(self, word: str) -> int:
        """The keyed word."""
        found = self._known.get(word)
        return self._hashed(word) if found is None else found

    def text(self, packed: bytes | None, sender: str) -> str:
        """A text whose words are these, from a sender whose block is."""
        keyed = words.unpack(packed)
        if keyed and keyed[0] & words.BLOCK:
            block = words.block(sender)
            if block is not None:
                self._known[block] = keyed[0]
            keyed = keyed[1:]
        single = [word for word in keyed if not word & words.WHOLE]
        made = [_spelt(word) for word in single]
        self._known.update(zip(made, single, strict=True))
        if keyed and keyed[-1] & words.WHOLE:
            self._known[f"={' '.join(made)}"] = keyed[-1]
        return " ".join(made)


def _spelt(word: int) -> str:
    """A keyed word in letters."""
    return "".join(_LETTERS[i % 2][(word >> 3 * i) & 7] for i in range(_LETTERS_OF_A_WORD))

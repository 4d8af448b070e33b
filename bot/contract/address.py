"""Addresses: a network and a value, masked wherever they are printed.

An address is the one thing here that can give somebody away, so `str()`, `repr()` and f-strings
never show it whole. Code that really needs the value (a bridge that sends, the vault that
encrypts) says `.value`, which is easy to search for in a review.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

SMS: Final = "sms"
SIGNAL: Final = "signal"
MATRIX: Final = "matrix"

_USUAL: Final = frozenset({SMS, SIGNAL, MATRIX})
_NETWORK = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
MAX_VALUE_CHARACTERS: Final = 320


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Address:
    """One end of a conversation.

    `network`: lower-case word (`sms`, `signal`, `matrix`, or a new one of yours).
    `value`: on `sms` an E.164 number (`+` and 7 to 15 digits), or what the network showed instead
    (a short code, an alphanumeric sender, empty for a withheld number); on `signal` an ACI; on
    `matrix` an MXID. Raises ValueError for an impossible network, a control character or an
    over-long value, without repeating the value.
    """

    network: str
    value: str

    def __post_init__(self) -> None:
        """Refuse what could never be stored or looked up again."""
        if self.network not in _USUAL and not _NETWORK.match(self.network):
            raise ValueError("network must be a lower-case word of at most 32 characters")
        if len(self.value) > MAX_VALUE_CHARACTERS:
            raise ValueError(f"address longer than {MAX_VALUE_CHARACTERS} characters")
        if not self.value.isprintable():
            raise ValueError("address holds a control character")

    @property
    def is_e164(self) -> bool:
        """Whether the value is a full international number (E.164)."""
        return bool(_E164.match(self.value))

    @property
    def masked(self) -> str:
        """What may be shown: the network, two leading characters and the length, no more."""
        shown = self.value[:2] if len(self.value) > 6 else ""  # noqa: PLR2004 (short ones say too much)
        return f"{self.network}:{shown}…({len(self.value)})"

    def __repr__(self) -> str:
        """Masked, so that a traceback or a log line cannot give anybody away."""
        return f"<{self.masked}>"

    __str__ = __repr__

"""Listens for leaks: no log line and no error may show a person's address or words."""

from __future__ import annotations

import logging
import traceback
from typing import Final

from bot.contract import address
from bot.contract.conformance import faults

CANARY_TEXT: Final = "heron7391"


class LogTap(logging.Handler):
    """Hears every line of every logger, as the operator's log would at its most talkative."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line as printed, with its traceback, and the extra fields."""
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


class Ears:
    """Collects what a bridge lets out during one check."""

    def __init__(self, person: address.Address) -> None:
        """`person` is the canary: their value must turn up nowhere."""
        self._value = person.value.lstrip("+@")
        self._tap = LogTap()
        self._errors: list[BaseException] = []
        self._level = logging.NOTSET

    def open(self) -> None:
        """Begin to hear all loggers, at their lowest level."""
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._tap)
        root.setLevel(logging.DEBUG)

    def close(self) -> None:
        """Leave logging as it was."""
        root = logging.getLogger()
        root.removeHandler(self._tap)
        root.setLevel(self._level)

    def note(self, error: BaseException | None) -> None:
        """Keep an error that came out of the bridge."""
        if error is not None:
            self._errors.append(error)

    def verify(self) -> None:
        """ConformanceError if any line or error shows a canary."""
        for line in self._tap.lines:
            self.forbid(line, "a log line")
        for error in self._errors:
            self.forbid("".join(traceback.format_exception(error)), type(error).__name__)

    def forbid(self, words: str, where: str) -> None:
        """ConformanceError if these words show a canary; the words are not repeated."""
        for what, canary in (("address", self._value), ("text", CANARY_TEXT)):
            faults.check(canary not in words, address, f"{where} shows the person's {what}")

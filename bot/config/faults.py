"""Faults of a configuration, and how pydantic's errors become lines that people can act on.

No line ever repeats a value: the wrong value may be a password pasted one line too low.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import pydantic
from pydantic_core import ErrorDetails

KeyPath = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line: `where` is file and line, variable or option; `mend` is what to do about it."""

    where: str
    key: str
    wrong: str
    mend: str = ""

    def __str__(self) -> str:
        """`antirelou.toml:12: reply.delay_min: unknown key; did you mean delay_min_s?`."""
        start = ": ".join(part for part in (self.where, self.key) if part)
        return f"{start}: {self.wrong}" + (f"; {self.mend}" if self.mend else "")


class ConfigError(Exception):
    """The configuration cannot be used; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """`str()` gives one line a fault."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def spelled(path: Iterable[str | int]) -> str:
    """A key path as people write it: `who.countries[2]`."""
    text = ""
    for step in path:
        if step == "[key]":
            continue  # pydantic's word for "the key itself is wrong"
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def meant(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word, else all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(words)}"


_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "missing": ("is missing", "add it"),
    "int_type": ("must be a whole number", "write it without quotes or fraction"),
    "bool_type": ("must be true or false", "write it without quotes"),
    "string_type": ("must be a text", "put it in quotes"),
    "list_type": ("must be a list", 'write it as ["a", "b"]'),
    "dict_type": ("must be a table", "give it keys of its own"),
    "model_type": ("must be a table", "give it keys of its own"),
    "date_type": ("must be a date", "write it as 2026-11-01, without quotes"),
    "string_pattern_mismatch": ("is no kind", "write it as simulator or sms.twilio"),
    "string_too_short": ("must not be empty", "give it a value or leave the line out"),
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
}


def _sentence(error: ErrorDetails, known: Iterable[str]) -> tuple[str, str]:
    """What is wrong, and how to mend it."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown key", meant(str(error["loc"][-1]), known)
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind in _BOUNDS:
        name, sentence = _BOUNDS[kind]
        return sentence.format(context[name]), "change the number"
    if kind == "literal_error":
        word = error["input"] if isinstance(error["input"], str) else ""
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        near = difflib.get_close_matches(word, allowed, n=1)
        return (
            f"must be one of {', '.join(allowed)}",
            f"did you mean {near[0]}?" if near else "choose one",
        )
    if kind == "value_error":
        wrong, _, mend = str(context["error"]).partition("; ")
        return wrong, mend
    # Whatever pydantic says without its input; the types above are those our models can give.
    return error["msg"], "see docs/settings.md"


def from_pydantic(
    error: pydantic.ValidationError,
    section: KeyPath,
    known: Callable[[Sequence[str]], Iterable[str]],
    where: Callable[[KeyPath], str],
) -> list[Fault]:
    """Each error as a fault; `known` gives the keys beside an unknown one, by its path."""
    found = []
    for one in error.errors(include_url=False):
        path = (*section, *one["loc"])
        words = tuple(str(step) for step in path)
        wrong, mend = _sentence(one, known(words[:-1]))
        found.append(Fault(where=where(words), key=spelled(path), wrong=wrong, mend=mend))
    return found

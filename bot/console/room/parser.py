"""From what somebody typed to what they asked for, or to a sentence that helps. Pure.

Names in English or French, with or without accents; a near miss is suggested, never guessed. An
address is refused wherever it could only be a slip: people are named by codes in the room.
"""

from __future__ import annotations

import dataclasses
import decimal
import difflib
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from bot.console.results import Words, said
from bot.console.room import commands
from bot.policy import texts
from bot.policy.flood.snapshot import Mode

SIGN: Final = "!"
_SPAN = re.compile(r"(?:(\d{1,3})[dj])?(?:(\d{1,4})h)?(?:(\d{1,5})m(?:in)?)?\Z")
_FOR: Final = frozenset({"for", "pendant", "pour"})
_PERSON = re.compile(r"#[a-z0-9]{4,8}\Z")
_CODE = re.compile(r"(?:#[a-z0-9]{4,8}|t-[a-z0-9]{4,8}|[a-z][a-z_]{2,20})\Z")
_PROMPT = re.compile(r"[a-z0-9]{4,8}\Z")
_CHANNEL = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
_ADDRESS = re.compile(r"\+?\d[\d .()-]{6,}\d\Z|@[^\s:]+:\S+\Z|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+\Z")
_LONGEST_S: Final = 30 * 86_400
_MOST_CODES: Final = 20
_MOST_DAYS: Final = 90
_MOST_LINES: Final = 50
_TEXT_CHARACTERS: Final = 1_000
_TEXT_WORDS: Final = {
    "show": "show", "voir": "show", "try": "try", "essayer": "try", "set": "set", "mettre": "set",
}  # fmt: skip
_PERIODS: Final = {"day": "day", "jour": "day", "month": "month", "mois": "month"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for. `word`: a sub-command, a mode or a period.

    `spoken`: the language that the command's name was typed in, empty if it is the same in both.
    """

    command: commands.Command
    spoken: str = ""
    channel: str | None = None
    span_s: int | None = None
    codes: tuple[str, ...] = ()
    word: str = ""
    language: str = ""
    text: str = ""
    amount: str = ""
    count: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """It could not be read; what to do instead. `address`: it held one, which must be deleted."""

    words: Words
    address: bool = False


class _Unread(Exception):
    """Raised inside; becomes a Wrong."""

    def __init__(self, en: str, fr: str, *, address: bool = False) -> None:
        super().__init__(en)
        self.wrong = Wrong(words=said(en, fr), address=address)


def parse(text: str) -> Asked | Wrong:
    """Read one message that begins with `!`; anything may be in it."""
    first, rest = _split(text.strip().removeprefix(SIGN).lstrip())
    name = _plain(first)
    command = commands.BY_WORD.get(name)
    if command is None:
        return Wrong(words=_meant(name))
    try:
        asked = _READERS[command.name](command, rest)
    except _Unread as unread:
        return unread.wrong
    spoken = "" if command.name == command.french else "fr" if name == command.french else "en"
    return dataclasses.replace(asked, spoken=spoken)


def span_s(word: str) -> int | None:
    """Seconds of `90m`, `2h`, `1d`, `1j12h`; None for anything else, nothing and over 30 days."""
    found = _SPAN.match(_plain(word))
    if not word or found is None:
        return None
    days, hours, minutes = (int(n or 0) for n in found.groups())
    seconds = days * 86_400 + hours * 3_600 + minutes * 60
    return seconds if 0 < seconds <= _LONGEST_S else None


def _split(text: str) -> tuple[str, str]:
    parts = text.split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _plain(word: str) -> str:
    """Lower case without accents."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))


def _meant(name: str) -> Words:
    near = difflib.get_close_matches(name[:20], list(commands.BY_WORD), n=1, cutoff=0.6)
    if near:
        return said(
            f"There is no such command. Did you mean !{near[0]}?",
            f"Cette commande n'existe pas. Vouliez-vous dire !{near[0]} ?",
        )
    return said("There is no such command; see !help.", "Cette commande n'existe pas ; voir !aide.")


def _usage(command: commands.Command) -> _Unread:
    return _Unread(
        f"Write: !{command.name} {command.usage.en}".rstrip(),
        f"Écrivez : !{command.french} {command.usage.fr}".rstrip(),
    )


def _words(rest: str) -> list[str]:
    """What follows, in lower case, none of it an address."""
    found = [_plain(word) for word in rest.split()]
    if any(_ADDRESS.match(word) for word in (*found, " ".join(found))):
        raise _Unread(
            "Addresses are never typed into the room: delete that message and use a code (#…).",
            "On n'écrit jamais d'adresse ici : supprimez ce message et utilisez un code (#…).",
            address=True,
        )
    return found


def _timed(command: commands.Command, words: list[str]) -> tuple[list[str], int | None]:
    """The words before `for 2h`, and its seconds."""
    if not words or span_s(words[-1]) is None:
        if any(word in _FOR for word in words):
            raise _Unread(
                "A time is written 30m, 2h or 1d, at most 30 days.",
                "Une durée s'écrit 30m, 2h ou 1j, au plus 30 jours.",
            )
        return words, None
    before = words[:-1]
    if before and before[-1] in _FOR:
        before = before[:-1]
    if any(word in _FOR for word in before):
        raise _usage(command)
    return before, span_s(words[-1])


def _none(command: commands.Command, rest: str) -> Asked:
    if _words(rest):
        raise _usage(command)
    return Asked(command=command)


def _help(command: commands.Command, rest: str) -> Asked:
    words = _words(rest)
    if len(words) > 1:
        raise _usage(command)
    return Asked(command=command, word=words[0].removeprefix(SIGN) if words else "")


def _halt(command: commands.Command, rest: str) -> Asked:
    words, seconds = _timed(command, _words(rest))
    if len(words) > 1 or any(not _CHANNEL.match(word) for word in words):
        raise _usage(command)
    if seconds is not None and command.name == "resume":
        raise _usage(command)
    return Asked(command=command, channel=words[0] if words else None, span_s=seconds)


def _mode(command: commands.Command, rest: str) -> Asked:
    words, seconds = _timed(command, _words(rest))
    if len(words) > 1 or (seconds is not None and not words):
        raise _usage(command)
    if words and words[0] not in list(Mode):
        names = ", ".join(Mode)
        raise _Unread(f"Modes are: {names}.", f"Les modes sont : {names}.")
    return Asked(command=command, word=words[0] if words else "", span_s=seconds)


def _amount(word: str) -> str:
    shown = word.replace(",", ".").removesuffix("€").removesuffix("eur")
    try:
        value = decimal.Decimal(shown)
    except decimal.InvalidOperation:
        value = decimal.Decimal("nan")
    most, places = decimal.Decimal(1_000_000), 2
    exponent = value.as_tuple().exponent
    if not value.is_finite() or abs(value) > most or not isinstance(exponent, int):
        raise _Unread("An amount is written 25 or 25.50.", "Un montant s'écrit 25 ou 25,50.")
    if -exponent > places or exponent > 0:
        raise _Unread("An amount is written 25 or 25.50.", "Un montant s'écrit 25 ou 25,50.")
    return shown


def _budget(command: commands.Command, rest: str) -> Asked:
    words = _words(rest)
    if not words:
        return Asked(command=command)
    if len(words) != 2 or words[0] not in _PERIODS:  # noqa: PLR2004 (a period and an amount)
        raise _usage(command)
    amount = _amount(words[1])
    if decimal.Decimal(amount) < 0:
        raise _usage(command)
    return Asked(command=command, word=_PERIODS[words[0]], amount=amount)


def _donate(command: commands.Command, rest: str) -> Asked:
    words = _words(rest)
    if len(words) != 1:
        raise _usage(command)
    amount = _amount(words[0])
    if not decimal.Decimal(amount):
        raise _usage(command)
    return Asked(command=command, amount=amount)


def _count(most: int) -> Callable[[commands.Command, str], Asked]:
    def read(command: commands.Command, rest: str) -> Asked:
        words = _words(rest)
        if not words:
            return Asked(command=command)
        digits = words[0].rstrip("dj")
        if len(words) > 1 or not digits.isascii() or not digits.isdecimal():
            raise _usage(command)
        return Asked(command=command, count=max(1, min(int(digits[:6]), most)))

    return read


def _codes(command: commands.Command, rest: str) -> Asked:
    words = _words(rest)
    if not words or len(words) > _MOST_CODES or not all(_CODE.match(word) for word in words):
        raise _usage(command)
    return Asked(command=command, codes=tuple(dict.fromkeys(words)))


def _one(pattern: re.Pattern[str]) -> Callable[[commands.Command, str], Asked]:
    def read(command: commands.Command, rest: str) -> Asked:
        words = _words(rest)
        if len(words) != 1 or not pattern.match(words[0]):
            raise _usage(command)
        return Asked(command=command, codes=(words[0],))

    return read


def _text(command: commands.Command, rest: str) -> Asked:
    first, after = _split(rest)
    word = _TEXT_WORDS.get(_plain(first))
    language, text = _split(after)
    language = _plain(language)
    if word is None or (word == "show" and text):
        raise _usage(command)
    if language not in texts.LANGUAGES and (language or word != "show"):
        names = ", ".join(texts.LANGUAGES)
        raise _Unread(f"Languages are: {names}.", f"Les langues sont : {names}.")
    if word != "show" and not text:
        raise _usage(command)
    return Asked(command=command, word=word, language=language, text=_bounded(text))


def _bounded(text: str) -> str:
    shown = text.strip()
    if len(shown) > _TEXT_CHARACTERS:
        raise _Unread(
            f"That is longer than {_TEXT_CHARACTERS} characters.",
            f"C'est plus long que {_TEXT_CHARACTERS} caractères.",
        )
    return shown


def _reply(command: commands.Command, rest: str) -> Asked:
    codes: list[str] = []
    while True:
        word, after = _split(rest)
        if not (_PERSON.match(_plain(word)) or re.match(r"t-[a-z0-9]{4,8}\Z", _plain(word))):
            break
        codes.append(_plain(word))
        rest = after
    if not codes:
        _words(rest[:80])
    if not codes or not rest.strip() or len(codes) > _MOST_CODES:
        raise _usage(command)
    return Asked(command=command, codes=tuple(dict.fromkeys(codes)), text=_bounded(rest))


def _captcha(command: commands.Command, rest: str) -> Asked:
    channel, answer = _split(rest)
    if not _CHANNEL.match(channel) or not answer or len(answer.split()) > 1:
        raise _usage(command)
    return Asked(command=command, channel=channel, text=answer.strip())


_READERS: Final[dict[str, Callable[[commands.Command, str], Asked]]] = {
    "help": _help,
    "pause": _halt,
    "resume": _halt,
    "mode": _mode,
    "budget": _budget,
    "donate": _donate,
    "ledger": _count(_MOST_DAYS),
    "approve": _codes,
    "drop": _codes,
    "block": _one(_PERSON),
    "unblock": _one(_PERSON),
    "why": _one(_PERSON),
    "read": _one(_CODE),
    "text": _text,
    "reply": _reply,
    "stats": _count(_MOST_DAYS),
    "reveal": _one(_PERSON),
    "captcha": _captcha,
    "log": _count(_MOST_LINES),
    "yes": _one(_PROMPT),
    "no": _one(_PROMPT),
    **dict.fromkeys(("status", "review", "sends", "erase", "export", "who"), _none),
}

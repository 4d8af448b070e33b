"""What is said as values: a title, lines and rows; then as plain text and as HTML.

Knows no command and no network. Words that a stranger wrote are only ever put in by `quote`,
which takes out what could ring, link or reorder (C22, C33).
"""

from __future__ import annotations

import dataclasses
import html as escaping
import unicodedata
from typing import Final

from bot.console.results import Words

_QUOTE_CHARACTERS: Final = 400
# A joiner that nobody sees: it takes the life out of mentions and links.
_DEFUSE: Final = "\u2060"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`rows`: pairs of a name and a value. `foot`: what may be done, set apart."""

    title: str = ""
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    code: str = ""
    foot: tuple[str, ...] = ()


def pick(words: Words, language: str) -> str:
    """One language of a sentence."""
    return words.fr if language == "fr" else words.en


def of(words: Words, language: str) -> Card:
    """A card of one sentence."""
    return Card(lines=(pick(words, language),))


def plain(card: Card) -> str:
    """For clients without HTML, and for what the phone shows on its lock screen."""
    out = [card.title] if card.title else []
    out += card.lines
    out += [f"{name}: {value}" for name, value in card.rows]
    out += [card.code] if card.code else []
    out += card.foot
    return "\n".join(out)


def html(card: Card) -> str:
    """The same words as HTML that every client shows; everything in it is escaped."""
    out = []
    if card.title:
        out.append(f"<strong>{_safe(card.title)}</strong><br>")
    out += [f"{_safe(line)}<br>" for line in card.lines]
    if card.rows:
        rows = (f"<li><em>{_safe(name)}</em>: {_safe(value)}</li>" for name, value in card.rows)
        out.append(f"<ul>{''.join(rows)}</ul>")
    if card.code:
        out.append(f"<pre><code>{escaping.escape(card.code)}</code></pre>")
    out += [f"<sub>{_safe(line)}</sub><br>" for line in card.foot]
    return "".join(out).removesuffix("<br>")


def _safe(text: str) -> str:
    return escaping.escape(text).replace("\n", "<br>")


def quote(text: str) -> str:
    """A stranger's words on one line: no control or direction characters, nothing that rings."""
    shown = "".join(
        " " if c in "\r\n\t\u2028\u2029" else c
        for c in text[:_QUOTE_CHARACTERS]
        if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs"} or c in "\r\n\t"
    )
    for mark in ("@", "://", "#", "!", "www."):
        shown = shown.replace(mark, mark[0] + _DEFUSE + mark[1:])
    more = "…" if len(text) > _QUOTE_CHARACTERS else ""
    return f"« {' '.join(shown.split())}{more} »"

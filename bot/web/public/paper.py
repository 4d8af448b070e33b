"""Card (A6) and poster (A4) as PDF, with the extra `print` (fpdf2).

The QR code leads to the page and not to a number, so that what hangs on a wall stays right when a
number rests. Fonts are embedded, as print shops want it. Nothing stands within `SAFE_MM` of an
edge: neither a printer's margin nor a cut that is 3 mm off takes any of it away.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import segno

from bot.web.public import words

if TYPE_CHECKING:
    import fpdf

_FONT: Final = "DejaVu"
_INK: Final = (28, 37, 48)
_ACCENT: Final = (29, 95, 99)
_SOFT: Final = (85, 96, 109)
_QUIET: Final = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""


class NoPrintError(Exception):
    """fpdf2 is not installed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Sizes in millimetres, type in points."""

    width: float
    height: float
    safe: float
    head: float
    text: float
    small: float
    code: float


SHEETS: Final[Mapping[str, Sheet]] = MappingProxyType(
    {
        "card": Sheet(width=105, height=148, safe=8, head=17.5, text=10.5, small=8.5, code=58),
        "poster": Sheet(width=210, height=297, safe=18, head=38, text=21, small=16, code=118),
    }
)


def made(kind: str, language: str, url: str) -> bytes:
    """One sheet as PDF. Raises NoPrintError without the extra, KeyError for another kind."""
    try:
        import fpdf  # noqa: PLC0415 (an extra)
        from fpdf import fonts  # noqa: PLC0415 (the same)
    except ImportError:
        raise NoPrintError from None
    sheet, told = SHEETS[kind], words.of(language)
    pdf = fpdf.FPDF(unit="mm", format=(sheet.width, sheet.height))
    # The time of making would be the only thing that two runs differ in, and tells of the maker.
    pdf.set_creation_date(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    pdf.set_lang(language)
    pdf.set_title(told("A number"))
    pdf.set_auto_page_break(auto=False)
    pdf.set_margin(sheet.safe)
    for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
        with resources.as_file(resources.files(__package__).joinpath("fonts", name)) as path:
            pdf.add_font(_FONT, style, str(path))
    pdf.add_page()
    _laid_out(pdf, sheet, told, url)
    made = bytes(pdf.output())
    for font in pdf.fonts.values():
        if isinstance(font, fonts.TTFFont):
            font.ttfont.close()
    return made


def _laid_out(pdf: fpdf.FPDF, sheet: Sheet, told: words.Words, url: str) -> None:
    """Head from the top, help from the bottom, the code in the middle of what is left."""
    top = sheet.safe + 2
    top = _text(pdf, sheet, top, told("Somebody insists on having your number?"), sheet.head)
    top = _text(pdf, sheet, top + 1, told("Give another one."), sheet.head, colour=_ACCENT)
    how = told(
        "It is behind this code. Whoever writes to it receives, about an hour later, one calm "
        "message: a no is a no."
    )
    call = told("No helpline. In danger, call 112.")
    shown = url.partition("://")[2].rstrip("/")
    low = sheet.height - sheet.safe - _high(pdf, sheet, call, sheet.small)
    _text(pdf, sheet, low, call, sheet.small, style="", colour=_SOFT)
    low -= sheet.text / 4 + _high(pdf, sheet, how, sheet.text)
    _text(pdf, sheet, low, how, sheet.text, style="")
    under = _high(pdf, sheet, shown, sheet.text, "B")
    side = min(sheet.code, low - top - under - 4)
    begin = top + (low - top - side - under) / 2
    _code(pdf, (sheet.width - side) / 2, begin, side, url)
    _text(pdf, sheet, begin + side, shown, sheet.text)


def _text(
    pdf: fpdf.FPDF,
    sheet: Sheet,
    top: float,
    text: str,
    size: float,
    *,
    style: str = "B",
    colour: tuple[int, int, int] = _INK,
) -> float:
    """Centred lines from `top` on; where they end."""
    pdf.set_font(_FONT, style, size)
    pdf.set_text_color(*colour)
    pdf.set_xy(sheet.safe, top)
    pdf.multi_cell(sheet.width - 2 * sheet.safe, size * 0.46, text, align="C")
    return top + _high(pdf, sheet, text, size, style)


def _high(pdf: fpdf.FPDF, sheet: Sheet, text: str, size: float, style: str = "") -> float:
    pdf.set_font(_FONT, style, size)
    width, line = sheet.width - 2 * sheet.safe, size * 0.46
    high = pdf.multi_cell(width, line, text, align="C", dry_run=True, output="HEIGHT")
    return float(high)  # type: ignore[arg-type]


def _code(pdf: fpdf.FPDF, left: float, top: float, side: float, url: str) -> None:
    """Rows of black rectangles: sharp at any size."""
    rows = [bytes(row) for row in segno.make(url, error="m", micro=False).matrix]
    one = side / (len(rows) + 2 * _QUIET)
    pdf.set_fill_color(0, 0, 0)
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            length = 1
            while x + length < len(row) and row[x + length] == row[x]:
                length += 1
            if row[x]:
                where = (left + (x + _QUIET) * one, top + (y + _QUIET) * one)
                pdf.rect(*where, length * one, one, style="F")
            x += length

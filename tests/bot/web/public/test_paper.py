"""Cards and posters: one sheet each, in seven languages, nothing near an edge."""

from __future__ import annotations

import itertools
import sys
from typing import Any, cast

import fpdf
import pytest

from bot.web.public import paper, words
from tests.bot.cli import conftest as typing_
from tests.bot.web.public import places

place = typing_.place


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", sorted(paper.SHEETS))
def test_nothing_is_near_an_edge_and_nothing_covers_anything(
    kind: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks: list[tuple[float, float]] = []
    widths: list[float] = []
    text, code = paper._text, paper._code

    def written(
        pdf: fpdf.FPDF,
        sheet: paper.Sheet,
        top: float,
        told: str,
        *how: Any,  # noqa: ANN401
        **more: Any,  # noqa: ANN401
    ) -> float:
        low = text(pdf, sheet, top, told, *how, **more)
        blocks.append((top, low))
        room = sheet.width - 2 * sheet.safe
        lines = pdf.multi_cell(room, 1, told, dry_run=True, output="LINES", align="C")
        widths.extend(pdf.get_string_width(line) for line in cast("list[str]", lines))
        return low

    def coded(pdf: fpdf.FPDF, left: float, top: float, side: float, url: str) -> None:
        code(pdf, left, top, side, url)
        blocks.append((top, top + side))
        widths.append(side)

    monkeypatch.setattr(paper, "_text", written)
    monkeypatch.setattr(paper, "_code", coded)
    made = paper.made(kind, language, "https://a-rather-long-name.example.org/a/path/to/the/page/")
    sheet = paper.SHEETS[kind]
    assert made.count(b"/Type /Page\n") == 1
    assert len(blocks) == 6
    blocks.sort()
    assert blocks[0][0] >= sheet.safe
    assert blocks[-1][1] <= sheet.height - sheet.safe + 0.01
    assert all(one[1] <= other[0] + 0.01 for one, other in itertools.pairwise(blocks))
    assert max(widths) <= sheet.width - 2 * sheet.safe
    assert max(low - top for top, low in blocks) >= (40 if kind == "card" else 90)


def test_the_code_on_paper_is_the_pages_address() -> None:
    one = paper.made("card", "fr", places.URL)
    assert one == paper.made("card", "fr", places.URL)
    assert one != paper.made("card", "fr", places.URL + "x")
    assert len(one) < 60_000


def test_fonts_are_inside_and_have_every_letter(caplog: pytest.LogCaptureFixture) -> None:
    for language in words.LANGUAGES:
        made = paper.made("poster", language, places.URL)
        assert made.count(b"/FontFile2") == 2
    assert caplog.text == ""


def test_the_commands(place: typing_.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    homeless = place.run("page", "card")
    assert homeless.exit_code == 2
    assert "page.url" in homeless.stderr
    told = place.json("page", "card", "--lang", "de", "--url", places.URL)
    assert told == {"file": "card-de.pdf", "kind": "card", "language": "de", "url": places.URL}
    assert (place.folder / "card-de.pdf").read_bytes().startswith(b"%PDF-")
    found = place.run("page", "poster", "--out", "p.pdf", "--set", f"page.url={places.URL}")
    assert found.exit_code == 0, found.stderr
    assert (place.folder / "p.pdf").exists()
    assert place.run("page", "poster", "--lang", "xx", "--url", places.URL).exit_code == 2
    monkeypatch.setitem(sys.modules, "fpdf", None)
    without = place.run("page", "poster", "--url", places.URL)
    assert without.exit_code == 1
    assert "antirelou[print]" in without.stderr
    assert "/fr/poster.html" in without.stderr

"""The page as a folder: complete, of itself only, and nothing in it that is nobody's business."""

from __future__ import annotations

import datetime as dt
import html.parser
import re
import urllib.parse
from pathlib import Path

import pytest

from bot.contract import address, bridge, clock
from bot.store import pool
from bot.web.public import export, site, words
from tests.bot.cli import conftest as typing_
from tests.bot.console import house as building
from tests.bot.web.public import places

CANARY_TEXT = "zqxcanary"
place = typing_.place


class Links(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.found.append(value)
            if name == "id" and value:
                assert value not in self.ids
                self.ids.add(value)


def exported(folder: Path) -> Path:
    files = site.Site(places.setup(), index="index.html", copied=dt.date(2026, 11, 22))
    export.write(files, places.SEEN, folder)
    return folder


def test_every_link_leads_to_a_file_of_the_folder_or_plainly_elsewhere(tmp_path: Path) -> None:
    folder = exported(tmp_path / "page")
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) == 1 + 7 * (3 + 3)
    for page in pages:
        links = Links(page.read_text())
        for link in links.found:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme:
                assert parts.scheme in {"https", "sms", "tel"}
                continue
            assert not link.startswith("/"), "only relative links work below a path"
            if parts.path:
                assert (page.parent / parts.path).resolve().is_file(), link
            else:
                assert parts.fragment in links.ids


def test_a_copy_says_of_when_it_is(tmp_path: Path) -> None:
    folder = exported(tmp_path / "page")
    for language in words.LANGUAGES:
        told = words.of(language).day(dt.date(2026, 11, 22))
        assert told in (folder / language / "index.html").read_text()
    assert "Ceci est une copie du 22 novembre 2026" in (folder / "index.html").read_text()


def test_the_next_export_takes_its_place_and_no_other_folder(tmp_path: Path) -> None:
    folder = exported(tmp_path / "page")
    (folder / "a" / "old.html").write_text("old")
    exported(folder)
    assert not (folder / "a" / "old.html").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(export.NotOursError, match="mine"):
        exported(mine)
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "page"]


async def offer(house: building.House) -> None:
    """As `run` does at its start."""
    own = bridge.OwnAddress(address=address.Address("sms", places.NUMBER))
    await house.store.write(lambda tx: pool.enter(tx, "sms", [own], 0))


@pytest.mark.case("C33", "C40")
def test_nothing_of_anybody_who_wrote_gets_into_it(place: typing_.Place) -> None:
    async def work(house: building.House) -> None:
        await offer(house)
        now_ms = building.now_ms()
        await house.write_in(building.ANNA, at_ms=now_ms, text=CANARY_TEXT)

    place.fill(work)
    before = place.run("page", "export", "one")
    assert before.exit_code == 0, before.stderr
    place.fill(
        lambda house: house.write_in(building.BERT, at_ms=clock.to_ms(dt.datetime.now(dt.UTC)))
    )
    assert place.json("page", "export", "two")["files"] >= 20
    for path in sorted((place.folder / "one").rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            for who in (building.ANNA, building.BERT):
                assert re.sub(r"\D", "", who).encode() not in re.sub(rb"\D", b"", raw)
            assert CANARY_TEXT.encode() not in raw
            # One person more or less changes not one byte.
            assert (
                raw == (place.folder / "two" / path.relative_to(place.folder / "one")).read_bytes()
            )


def test_the_command_shows_the_pool_and_a_pause(place: typing_.Place) -> None:
    place.fill(offer)
    first = place.run("page", "export", "page")
    assert first.exit_code == 0, first.stderr
    assert "open page/index.html" in first.stdout
    page = place.folder / "page" / "en" / "index.html"
    assert "going open" in page.read_text()
    assert "+33 6 39 98 00 00" in (place.folder / "page" / "a" / "en-1.html").read_text()
    assert place.run("pause").exit_code == 0
    (place.folder / "mine").mkdir()
    (place.folder / "mine" / "x").write_text("mine")
    refused = place.run("page", "export", "mine")
    assert (refused.exit_code, (place.folder / "mine" / "x").read_text()) == (1, "mine")
    told = place.json("page", "export", "page")
    assert (told["folder"], told["files"]) == ("page", 1 + 4 + 7 * 2 + 1)
    assert "going paused" in page.read_text()
    assert place.run("addresses", "rest", places.NUMBER).exit_code == 0
    assert place.json("page", "export", "page")["files"] == 1 + 4 + 7
    assert "No address is on offer" in page.read_text()

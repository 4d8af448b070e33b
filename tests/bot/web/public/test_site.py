"""Every file of the page: what stands in it, and what must not."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import re
from collections.abc import Iterator
from importlib import resources

import pytest

from bot.policy import texts
from bot.web import offering
from bot.web.public import shapes, site, state, style, words
from tests.bot.web.public import places

LIMIT = 100_000


class Read(html.parser.HTMLParser):
    """Text as a search engine takes it, attributes, and tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def named(self, *names: str) -> Iterator[str]:
        return (value for _, name, value in self.attributes if name in names)


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_page_tells_no_number_to_what_reads_text(language: str) -> None:
    page = Read(places.html(f"{language}/"))
    text = "".join(page.text)
    for value in (places.NUMBER, places.ACCOUNT):
        assert digits(value) not in digits(text)
        assert value not in places.html(f"{language}/")
        # In no link either, encoded or not.
        assert not any(digits(value) in digits(link) for link in page.named("href", "src"))
    assert places.HANDLE not in text
    # And yet a screen reader says it, in groups.
    assert "+33, 6, 39, 98, 00, 00" in page.named("aria-label")


def test_the_script_alone_can_undo_what_hides_the_number() -> None:
    page = Read(places.html())
    hidden = [base64.b64decode(value).decode().split("\n") for value in page.named("data-way")]
    assert hidden == [
        [places.NUMBER, f"sms:{places.NUMBER}"],
        [places.ACCOUNT, f"https://signal.me/#p/{places.ACCOUNT}"],
        [places.HANDLE, f"https://matrix.to/#/{places.HANDLE}"],
    ]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_without_script_a_page_of_its_own_has_it_as_text(language: str) -> None:
    assert f'href="../a/{language}-1.html"' in places.html(f"{language}/")
    plain = places.html(f"a/{language}-1.html")
    assert "+33 6 39 98 00 00" in plain
    assert f'href="sms:{places.NUMBER}"' in plain
    assert 'content="noindex' in plain
    assert "https://signal.me/#p/" in places.html(f"a/{language}-2.html")
    assert places.HANDLE in places.html(f"a/{language}-3.html")


def test_engines_may_read_that_they_may_not_and_never_what_holds_a_number() -> None:
    robots = places.html("robots.txt")
    everybody = robots.partition("User-agent: *\n")[2].partition("\n\n")[0].splitlines()
    assert everybody == ["Disallow: /a/", "Disallow: /api/", "Disallow: /phone/"]
    assert robots.rstrip().endswith("Disallow: /")
    files = site.Site(places.setup())
    for path in files.paths(places.SEEN):
        made = files.file(path, "fr", places.SEEN)
        assert made is not None
        if made.type == site.HTML:
            assert b'name="robots" content="noindex' in made.body


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(language: str) -> None:
    for path in (f"{language}/", f"{language}/card.html", f"a/{language}-1.html", ""):
        page = Read(places.html(path))
        tags = {tag for tag, _, _ in page.attributes}
        assert not tags & {"iframe", "img", "form", "object", "embed"}
        assert not {n for _, n, _ in page.attributes if n == "style" or n.startswith("on")}
        root = "" if not path else "../"
        loaded = [
            v for t, n, v in page.attributes if t in {"link", "script"} and n in {"href", "src"}
        ]
        assert loaded
        assert {one.removeprefix(root) for one in loaded} <= set(site.FIXED)
        sheets = re.findall(r"<style[^>]*>(.*?)</style>", places.html(path), re.DOTALL)
        assert sheets == ([] if "card" in path else [style.SHEET])
    assert "://" not in style.SHEET + places.html("page.js") + places.html("print.css")
    assert "url(" not in style.SHEET


def test_the_policy_allows_the_pages_own_sheet_and_no_other() -> None:
    (sheet,) = re.findall(r"<style>(.*?)</style>", places.html("fr/"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}';" in site.POLICY
    assert "unsafe" not in site.POLICY
    kept = resources.files("bot.web.public").joinpath("templates", "page.css").read_text("utf-8")
    assert sheet.split() == re.sub(r"/\*.*?\*/", "", kept, flags=re.DOTALL).split()


def test_a_full_page_with_all_it_loads_is_far_under_the_limit() -> None:
    many = tuple(("sms", f"+3363998{n:04}") for n in range(8))
    seen = dataclasses.replace(places.SEEN, offered=many)
    total = sum(len(places.html(name)) for name in ("page.js", "icon.svg"))
    for language in words.LANGUAGES:
        assert total + len(places.html(f"{language}/", seen).encode()) < LIMIT


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("tone", texts.TONES)
def test_what_he_receives_is_what_is_sent(language: str, tone: str) -> None:
    page = Read(places.html(f"{language}/", tone=tone))
    assert texts.text(language, tone) in page.text
    own = Read(places.html(f"{language}/", texts={language: "Nein <b>"}))
    assert "Nein <b>" in own.text
    # Where the collective answers in French only, the French words stand there, and say so.
    only = places.html(f"{language}/", replies=frozenset({"fr"}))
    assert f'lang="fr">{texts.text("fr")[:20]}' in only


def test_open_paused_and_not_known_are_told() -> None:
    for more, word in (
        ({}, "going open"),
        ({"paused": frozenset({"sms", "signal", "matrix"})}, "going paused"),
        ({"paused": frozenset({"sms"})}, "going partly"),
        ({"known": False}, "going unknown"),
    ):
        page = places.html("en/", dataclasses.replace(places.SEEN, **more))
        assert f'class="{word}"' in page
        assert page.count('class="tag"') == len(more.get("paused", ()))  # type: ignore[arg-type]


@pytest.mark.case("C40")
def test_the_only_figures_are_the_months_and_what_is_set() -> None:
    page = "".join(Read(places.html("en/")).text)
    small = "".join(
        Read(
            places.html(
                "en/",
                dataclasses.replace(
                    places.SEEN,
                    figure=state.Figure(month=places.SEEN.figure.month, about=None),  # type: ignore[union-attr]
                ),
            )
        ).text
    )
    assert "In October 2026 about 120 replies went out." in page
    assert "In October 2026 fewer than 50 replies went out." in small
    assert page.replace("about 120", "fewer than 50") == small


def test_an_empty_pool_says_so() -> None:
    page = places.html("en/", state.Seen())
    assert "No address is on offer" in page
    assert "<button" not in page
    assert site.Site(places.setup()).file("a/en-1.html", "en", state.Seen()) is None
    assert site.Site(places.setup()).file("a/1.vcf", "en", state.Seen()) is None


def test_the_contact_card_has_a_neutral_name_and_every_phone_reads_it() -> None:
    card = places.html("a/1.vcf")
    assert card.splitlines() == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "N:;Alex;;;",
        "FN:Alex",
        f"TEL;TYPE=CELL:{places.NUMBER}",
        "END:VCARD",
    ]
    assert card.endswith("\r\n")
    assert "antirelou" not in card
    assert f"URL:https://matrix.to/#/{places.HANDLE}" in places.html("a/3.vcf")
    assert "FN:Max\\, B" in places.html("a/1.vcf", contact_name="Max, B")


def test_print_leads_to_the_page_and_needs_to_know_where_it_is() -> None:
    card = places.html("nl/poster.html")
    assert str(offering.picture(places.URL)) in card
    assert "non.example.org/numero" in card
    assert digits(places.NUMBER) not in digits(card)
    homeless = site.Site(places.setup(url=""))
    assert homeless.file("nl/poster.html", "nl", places.SEEN) is None
    assert "poster.html" not in places.html("nl/", url="")


@pytest.mark.parametrize(
    "path",
    [
        "x",
        "fr",
        "xx/",
        "fr/other.html",
        "a/fr-0.html",
        "a/fr-4.html",
        "a/xx-1.html",
        "a/9.vcf",
        "../pyproject.toml",
        "page.html",
        "a/",
        "fr//",
        "a/fr-1.html/",
    ],
)
def test_there_is_nothing_else(path: str) -> None:
    assert site.Site(places.setup()).file(path, "fr", places.SEEN) is None


def test_what_cannot_be_drawn_is_text_and_never_something_else() -> None:
    assert shapes.drawn("+33 6é", "x") is None
    assert shapes.drawn("", "x") is None
    one, other = shapes.drawn("+33 1", "x"), shapes.drawn("+33 2", "x")
    assert one is not None
    assert one != other
    assert 'aria-label="&lt;&#34;&gt;"' in str(shapes.drawn("1", '<">'))
    seen = dataclasses.replace(places.SEEN, offered=(("matrix", "@é<b>:example.org"),))
    assert '<p class="value">@é&lt;b&gt;:example.org</p>' in places.html("fr/", seen)

"""The documents as a site: built without a warning, alone, its picture and translations current."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools import docs_floors, docs_site

CONF = (ROOT / "docs" / "conf.py").read_text("utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("docs") / "site"
    made = docs_site.build(ROOT / "docs", target)
    assert made.returncode == 0, made.stdout + made.stderr
    return target


def small(folder: Path, **pages: str) -> subprocess.CompletedProcess[str]:
    """A site of some pages under the same rules."""
    (folder / "docs").mkdir()
    (folder / "docs" / "conf.py").write_text(CONF)
    listed = "\n".join(pages)
    pages |= {"index": f"# All\n\n```{{toctree}}\n{listed}\n```\n"}
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(text)
    return docs_site.build(folder / "docs", folder / "site")


def test_every_page_is_in_it_and_in_a_list(site: Path) -> None:
    pages = {p.relative_to(ROOT / "docs").with_suffix("") for p in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 25
    assert {p for p in pages if not (site / p).with_suffix(".html").is_file()} == set()


def test_the_index_names_what_its_lists_hold() -> None:
    """A forge shows the links, the site its lists."""
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    lists = re.findall(r"```\{toctree\}\n(?::[^\n]*\n)*(.*?)```", text, re.DOTALL)
    assert re.findall(r"^- \[.*?\]\((.*?)\.md\)", text, re.MULTILINE) == " ".join(lists).split()


def test_it_loads_nothing_from_any_other_host(site: Path) -> None:
    assert list(docs_site.strangers(site)) == []
    assert len(list(site.rglob("*.css"))) > 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example.org/x.js"></script>'),
        ("a.html", '<img srcset="//cdn.example.org/x.png 2x">'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example.org/css">'),
        ("a.html", "<style>@import 'https://fonts.example.org/a';</style>"),
        ("a.html", '<p style="background: url(http://cdn.example.org/b.png)">'),
        ("a.css", "@font-face { src: url('https://fonts.example.org/f.woff2') }"),
    ],
)
def test_a_stranger_is_seen(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (found,) = docs_site.strangers(tmp_path)
    assert "example.org" in found


def test_a_link_that_a_reader_clicks_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="https://example.org">there</a><img src="b.png">')
    assert list(docs_site.strangers(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n[gone](gone.md)\n",
        "# A\n\n[no such heading](index.md#nowhere)\n",
        "# A\n\n[no such heading here](#nowhere)\n",
        "# A\n\n![no such picture](pictures/gone.png)\n",
        "# A\n\n[a file that is not there](../LICENCE)\n",
    ],
)
def test_a_dead_link_fails_the_build(tmp_path: Path, text: str) -> None:
    made = small(tmp_path, page=text)
    assert made.returncode != 0
    assert "page.md" in made.stdout + made.stderr


def test_live_links_pass_the_same_build(tmp_path: Path) -> None:
    made = small(tmp_path, page="# A\n\n## A heading\n\n[here](#a-heading), [all](index.md#all)\n")
    assert made.returncode == 0, made.stderr


def test_pages_beside_the_site_have_no_dead_links(tmp_path: Path) -> None:
    assert list(docs_site.dead(ROOT)) == []
    (tmp_path / "README.md").write_text(
        "# One\n\n## Two `words`\n\n[a](#two-words) [b](#three) [c](gone.md) [d](README.md#one)\n"
        "[e](https://example.org)\n```\n[f](in-code.md)\n```\n"
    )
    found = list(docs_site.dead(tmp_path))
    assert [line.rpartition(" ")[2] for line in found] == ["README.md", "gone.md"]
    assert "#three" in found[0]


def test_links_to_other_hosts_are_found_and_made_up_ones_left_out(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(
        "[x](https://www.whatsapp.com/legal/business-policy), https://sms.example.org/a,\n"
        "http://127.0.0.1:8080/x, http://localhost:1\n"
    )
    assert list(docs_site.outward(tmp_path)) == ["https://www.whatsapp.com/legal/business-policy"]


def test_the_picture_of_the_floors_is_current() -> None:
    drawn = docs_floors.draw(docs_floors.read(ROOT / "pyproject.toml"))
    assert docs_floors.PICTURE.read_text("utf-8") == drawn
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (floors,) = [one for one in told["tool"]["importlinter"]["contracts"] if one["id"] == "floors"]
    rooms = re.findall(r"\w+", " ".join(floors["layers"]))
    assert all(f">{room}<" in drawn for room in rooms)
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert "pictures/floors.svg" in page
    # The table beside it says the same.
    rows = dict(re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.MULTILINE))
    listed = {int(n): set(re.findall(r"`(\w+)`", cell)) for n, cell in rows.items()}
    seen = enumerate(docs_floors.read(ROOT / "pyproject.toml").floors, 1)
    assert listed == {n: set(names) for n, names in seen}


def test_a_moved_room_makes_the_picture_old(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    other = tmp_path / "pyproject.toml"
    other.write_text(text.replace('"(outbox) | (ledger)"', '"(outbox)",\n  "(ledger)"'))
    drawn = docs_floors.draw(docs_floors.read(other))
    assert drawn != docs_floors.PICTURE.read_text("utf-8")


# ---------------------------------------------------------------- README, two languages


def shape(name: str) -> dict[str, list[object]]:
    """What both must have alike: levels of headings, code, links, commands, rows."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    links = set(re.findall(r"\]\(([^)]+)\)", prose)) - {"README.md", "README.fr.md"}
    return {
        "headings": [len(one) for one in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "code": [line.partition("  #")[0].rstrip() for b in blocks for line in b.splitlines()],
        "links": sorted(links),
        "commands": sorted(set(re.findall(r"`([^`]+)`", prose))),
        "items": [len(re.findall(r"^- ", prose, re.MULTILINE))],
        "rows": [len(re.findall(r"^\|", prose, re.MULTILINE))],
    }


@pytest.mark.parametrize("part", ["headings", "code", "links", "commands", "items", "rows"])
def test_the_french_readme_says_the_same(part: str) -> None:
    assert shape("README.fr.md")[part] == shape("README.md")[part]


def test_each_readme_leads_to_the_other() -> None:
    assert "(README.fr.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "(README.md)" in (ROOT / "README.fr.md").read_text("utf-8")


# ---------------------------------------------------------------- what the pages must say


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("choose-number", ("2022-1583", "0937", "45 to 120 days", "Belgium", "Switzerland",
                           "United Kingdom", "Germany", "22 November 2026", "ot verified")),
        ("networks", ("WhatsApp", "Instagram", "Snapchat", "squatting", "0012")),
        ("protect-yourselves", ("33700", "LCEN", "§ 5 DDG", "XII.6", "pseudonym", "evidence.md")),
        ("evidence", ("does not prove", "keyed hashes", "--verify", "--with-addresses")),
        ("privacy", ("A notice to publish", "Record of processing", "how long")),
        ("money", ("cap_day", "donate", "runway", "inbound_alarm_day")),
    ],
)  # fmt: skip
def test_a_page_says_what_it_must(page: str, words: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    assert [word for word in words if word not in text] == []


def test_each_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "index.md").read_text("utf-8")
    for record in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert f"\n{record.stem}\n" in index
        text = record.read_text("utf-8")
        assert text.startswith(f"# {record.stem[:4]} "), record.name
        assert "**Status**" in text, record.name


def test_the_tool_says_what_is_wrong_and_fails() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs_floors", "--check"], cwd=ROOT, check=False, timeout=60
    )
    assert done.returncode == 0

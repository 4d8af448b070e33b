"""The documents as a site, and what must hold of it: no dead link, no other host.

    python -m tools.docs_site            builds docs/ into .cache/docs/site and looks at the result
    python -m tools.docs_site --links    asks whether the links to other hosts still lead somewhere

The second one needs the network and is no part of `make check`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent import futures
from html import parser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SITE: Final = ROOT / ".cache" / "docs" / "site"
# Markdown that a forge shows and Sphinx does not build.
BESIDE: Final = ("README.md", "README.fr.md", "CHANGELOG.md", "SECURITY.md")
_LOADS: Final = {
    "script": "src", "img": "src", "iframe": "src", "audio": "src", "video": "src",
    "source": "src", "embed": "src", "object": "data", "link": "href", "image": "href",
    "use": "href",
}  # fmt: skip
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", re.IGNORECASE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_SITE_URL = re.compile(r"https?://[^\s)>\"'`\]]+")
# Names that belong to nobody or to this machine (RFC 2606, RFC 6761).
_MADE_UP = re.compile(
    r"//(?:[\w.-]*\.)?(?:example(?:\.\w+)?|invalid|localhost|test)(?=[:/]|$)|//(?:127|192\.168|10)\."
)
_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_TIMEOUT_S: Final = 20


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Sphinx over `source`, from nothing, every warning a fault. 3 s for all pages."""
    return subprocess.run(
        [
            sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-E",
            "-d", str(target.parent / "doctrees"), str(source), str(target),
        ],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        # The date of a build is no part of it.
        env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip


class _Seen(parser.HTMLParser):
    """What a page loads by itself, and what is written in its own styles."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self.loads: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Anything with an address that a browser fetches unasked."""
        told = {name: value or "" for name, value in attrs}
        if tag == "link" and told.get("rel", "").lower() in {"canonical", "next", "prev", "author"}:
            return
        self._in_style = tag == "style"
        for name in (_LOADS.get(tag, ""), "srcset", "poster", "xlink:href"):
            if name and told.get(name) and tag != "a":
                self.loads.append(told[name])
        self.loads += _in_styles(told.get("style", ""))

    def handle_data(self, data: str) -> None:
        """A style sheet within the page."""
        if self._in_style:
            self.loads += _in_styles(data)
            self._in_style = False


def _in_styles(text: str) -> list[str]:
    return [one or other for one, other in _STYLE.findall(text)]


def strangers(site: Path) -> Iterator[str]:
    """What any page or style sheet of the site would load from another host."""
    for file in sorted(site.rglob("*")):
        if file.suffix in {".html", ".svg"}:
            seen = _Seen()
            seen.feed(file.read_text("utf-8"))
            loads = seen.loads
        elif file.suffix == ".css":
            loads = _in_styles(file.read_text("utf-8"))
        else:
            continue
        for one in loads:
            if _ELSEWHERE.match(one):
                yield f"{file.relative_to(site)}: loads {one}"


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as forges and myst make them."""
    found: set[str] = set()
    for title in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        number = sum(1 for one in found if re.fullmatch(rf"{re.escape(name)}(-\d+)?", one))
        found.add(f"{name}-{number}" if number else name)
    return found


def dead(root: Path, pages: Iterable[str] = BESIDE) -> Iterator[str]:
    """Links that lead nowhere, in pages that Sphinx does not see."""
    for name in pages:
        page = root / name
        if not page.is_file():
            continue
        for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
            if _ELSEWHERE.match(link) or link.startswith("mailto:"):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path) if path else page
            if not target.exists():
                yield f"{name}: no file {path}"
            elif (
                anchor
                and target.suffix == ".md"
                and anchor not in anchors(target.read_text("utf-8"))
            ):
                yield f"{name}: no heading #{anchor} in {path or name}"


def outward(root: Path) -> dict[str, str]:
    """Every link to another host in the documents -> a page that it stands in."""
    found: dict[str, str] = {}
    for page in sorted([*(root / "docs").rglob("*.md"), *(root / one for one in BESIDE)]):
        if page.is_file():
            for url in _SITE_URL.findall(_FENCE.sub("", page.read_text("utf-8"))):
                if not _MADE_UP.search(url):
                    found.setdefault(url.rstrip(".,;:*"), str(page.relative_to(root)))
    return found


def _answer(url: str) -> str:
    """Empty if somebody is there; a refusal of programs is an answer too."""
    request = urllib.request.Request(url, headers={"User-Agent": "antirelou-docs"})  # noqa: S310 (http or https only: _SITE_URL)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 (the same)
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in {401, 403, 405, 429} else f"{error.code}"
    except (OSError, ValueError) as error:
        return type(error).__name__


def _ask() -> int:
    known = outward(ROOT)
    with futures.ThreadPoolExecutor(4) as pool:
        answers = dict(zip(known, pool.map(_answer, known), strict=True))
    gone = {url: told for url, told in answers.items() if told}
    for url, told in gone.items():
        print(f"{known[url]}: {url}: {told}")
    print(f"{len(known)} links to other hosts, {len(gone)} do not answer")
    return 1 if gone else 0


def main() -> int:
    """Build, look, and say where it is."""
    asked = argparse.ArgumentParser(description="The documents as a site.")
    asked.add_argument("--links", action="store_true", help="ask other hosts (needs the network)")
    if asked.parse_args().links:
        return _ask()
    made = build(ROOT / "docs", SITE)
    wrong = [line for line in (made.stdout + made.stderr).splitlines() if line.strip()]
    if made.returncode == 0:
        wrong += strangers(SITE)
    wrong += dead(ROOT)
    for line in wrong:
        print(line.replace(f"{ROOT}/", ""))
    if wrong or made.returncode:
        return 1
    print(f"docs: {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())

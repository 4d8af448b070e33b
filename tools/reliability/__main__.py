"""Writes docs/reliability.md from the proofs' own figures.

    python -m tools.reliability --collect                    # .cache/reliability/*.json -> docs/
    python -m tools.reliability --write docs/reliability.md  # from docs/reliability.json

`--collect` takes over what is newer in `.cache/reliability/` and keeps the committed figures of
all other proofs. A test holds the page equal to what this renders from the committed figures.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from tools import figures
from tools.reliability import tables

HERE: Final = Path(__file__).resolve().parent
KEPT: Final = figures.ROOT / "docs" / "reliability.json"
PAGE: Final = figures.ROOT / "docs" / "reliability.md"
# In the order of the page; each may be missing, and is then said to be.
PROOFS: Final = ("dst", "soak", "places", "crash", "chaos", "sabotage", "mutants", "fuzz", "http")


# A test's name may hold the number that it is about.
_NUMBER: Final = re.compile(r"\+[0-9]{7,15}")


def collected(before: Mapping[str, Any], folder: Path = figures.FOLDER) -> dict[str, Any]:
    """The figures kept so far, with those of each proof that has run since.

    What stands there without a date gets that of its file, this machine and this commit.
    """
    out = dict(before)
    for path in sorted(folder.glob("*.json")):
        if path.stem not in PROOFS:
            continue
        day = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).date().isoformat()
        read: dict[str, Any] = json.loads(_NUMBER.sub("+…", path.read_text("utf-8")))
        out[path.stem] = {**figures.stamp(), "date": day, **read}
    return {name: out[name] for name in PROOFS if name in out}


def render(kept: Mapping[str, Any]) -> str:
    """The page."""
    loader = jinja2.FileSystemLoader(HERE)
    made = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown of our own figures)
    )
    made.globals.update(
        stamp=tables.stamp,
        figures=tables.figures,
        crash_places=tables.crash_places,
        soaked=tables.soaked,
        faults=tables.faults,
        columns=tables.columns,
        peers=tables.peers,
        sabotages=tables.sabotages,
        mutants=tables.mutants,
        promises=tables.promises,
        explained=tables.explained,
    )
    return made.get_template("page.md.j2").render(
        all=kept, kept={name: kept.get(name) for name in PROOFS}
    )


def main() -> int:
    """Collect, write, or print."""
    parser = argparse.ArgumentParser(prog="python -m tools.reliability", description=__doc__)
    parser.add_argument("--collect", action="store_true", help="take over new figures, write both")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the page there")
    told = parser.parse_args()
    kept: dict[str, Any] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    if told.collect:
        kept = collected(kept)
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        KEPT.write_text(text + "\n", encoding="utf-8")
    page = render(kept)
    target: Path | None = told.write or (PAGE if told.collect else None)
    if target is None:
        print(page, end="")
        return 0
    target.write_text(page, encoding="utf-8")
    print(f"reliability: wrote {target}, from the figures of: {', '.join(kept) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

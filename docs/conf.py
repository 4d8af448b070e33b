"""How Sphinx makes the documents a site (`make docs`). Nothing in it asks another host."""  # noqa: INP001 (Sphinx reads it by path)

from __future__ import annotations

import re

from sphinx.application import Sphinx

project = "antirelou"
author = "the people of antirelou"
extensions = ["myst_parser"]
exclude_patterns = ["examples"]
# Headings down to ### are anchors, named as on a forge, so that one link works in both places.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = "antirelou"
html_show_sphinx = False
html_copy_source = False
html_static_path: list[str] = []
# A dead link, a missing anchor and a page in no list are faults: tools/docs_site.py runs with -W.
nitpicky = True


def _outside(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Pages of the repository that are none of the site's (SECURITY.md) are files to look at."""
    source[0] = re.sub(r"\]\((\.\./[A-Z]+\.md)\)", r"](<path:\1>)", source[0])


def setup(app: Sphinx) -> None:
    """Sphinx calls it."""
    app.connect("source-read", _outside)

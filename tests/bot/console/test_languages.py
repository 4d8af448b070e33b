"""What moderators and the press read is there in both languages (decision 0013)."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.console import press_kit
from bot.policy import reasons
from bot.policy.decision import Reason
from tests.conftest import ROOT

FILES = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "bridges").rglob("*.py")])
# Called with (en, fr), or with en= and fr=.
BOTH = {"t", "said", "Words", "w"}
# The same in both languages.
ALIKE = {"messages", "mode", "Mode {}. {}"}


def template(node: ast.expr) -> str | None:
    """A sentence with {} for what is put in; None if it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values]
        return "".join(parts)
    return None


def pairs(file: Path) -> Iterator[tuple[int, str, str]]:
    """Line, English, French of each sentence that is said in both."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        told = {one.arg: one.value for one in node.keywords}
        both = node.args if name in BOTH and len(node.args) == 2 else []
        if name in BOTH and {"en", "fr"} <= told.keys():
            both = [told["en"], told["fr"]]
        found = [template(one) for one in both]
        if len(found) == 2 and found[0] is not None and found[1] is not None:
            yield node.lineno, found[0], found[1]


ALL = [(file, *one) for file in FILES for one in pairs(file)]


def test_there_are_sentences() -> None:
    assert len(ALL) > 200
    assert len({file for file, *_ in ALL}) > 15


def test_none_is_missing_or_left_in_the_other_language() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {en!r} / {fr!r}"
        for file, line, en, fr in ALL
        if bool(en.strip()) != bool(fr.strip())
        or (en == fr and en not in ALIKE and any(c.isalpha() for c in en.replace("{}", "")))
    ]
    assert wrong == []


def test_both_say_as_many_things() -> None:
    def count(text: str) -> int:
        return sum(1 for _, name, _, _ in string.Formatter().parse(text) if name is not None)

    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {en!r} / {fr!r}"
        for file, line, en, fr in ALL
        if count(en) != count(fr)
    ]
    assert wrong == []


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_has_its_words(reason: Reason) -> None:
    words = reasons.of(reason)
    assert words.en.strip()
    assert words.fr.strip()
    assert words.en != words.fr


def test_the_press_kit_is_whole_in_both() -> None:
    for key, told in press_kit._WORDS.items():
        assert set(told) == set(press_kit.LANGUAGES), key
        assert told["en"] != told["fr"]
        assert told["en"].count("{}") == told["fr"].count("{}")

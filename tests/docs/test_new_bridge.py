"""The tutorial shows the code that is tested, all of it, and names every check of the kit."""

from __future__ import annotations

import re
from pathlib import Path

from bot.contract import conformance

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs/new-bridge.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "docs/examples/filedrop/__init__.py").read_text(encoding="utf-8")
BESIDE = [
    (ROOT / "tests/docs" / name).read_text(encoding="utf-8")
    for name in ("filedrop_world.py", "test_filedrop.py")
]
SNIPPETS = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)


def words(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_the_snippets_are_the_example_from_first_line_to_last() -> None:
    shown = [line for snippet in SNIPPETS if snippet in EXAMPLE for line in words(snippet)]
    assert shown == words(EXAMPLE)


def test_the_other_snippets_are_the_harness_and_its_test() -> None:
    others = [snippet for snippet in SNIPPETS if snippet not in EXAMPLE]
    assert len(others) == len(BESIDE)
    assert all(any(snippet in text for text in BESIDE) for snippet in others)


def test_the_example_is_as_short_as_promised_and_knows_only_the_contract() -> None:
    assert len(EXAMPLE.splitlines()) < 150
    ours = re.findall(r"^(?:from|import) +((?:bot|bridges|tests|tools)\S*)", EXAMPLE, re.MULTILINE)
    assert ours == ["bot.contract"]


def test_every_check_of_the_kit_is_in_the_table() -> None:
    kit = {name for name in dir(conformance.BridgeConformance) if name.startswith("test_")}
    assert kit == set(re.findall(r"`(test_\w+)`", TUTORIAL))


def test_every_ability_of_a_harness_is_named() -> None:
    optional = {"Acknowledges", "DeliversMalformed", "Refuses", "AsksToWait"}
    optional |= {"Breaks", "Hangs", "MountsRoutes"}
    assert all(hasattr(conformance, name) and f"`{name}`" in TUTORIAL for name in optional)

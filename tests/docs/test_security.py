import re

import pytest

from bot.web import guard, limits
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
WHO = ("pest", "raid", "renter", "pumper", "web", "forger", "moderator's account", "malicious",
       "thief of the server", "provider", "state", "dependency")  # fmt: skip


def _defined() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found |= set(
            re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
        )
    return found


def test_each_test_that_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named - _defined() == set()


@pytest.mark.parametrize("who", WHO)
def test_each_attacker_has_a_chapter_that_says_what_does_not_hold(who: str) -> None:
    chapters = [one for one in PAGE.split("\n## ")[1:] if who in one.partition("\n")[0].lower()]
    assert chapters, who
    for chapter in chapters:
        assert "**Does not hold**" in chapter, who


def test_the_limits_in_the_table_are_those_of_the_code() -> None:
    told, rate = guard.Limits(), limits.Rate()
    for words in (
        f"{limits.MAX_HEADERS} headers, {limits.MAX_HEAD_BYTES // 1024} kB",
        f"{told.max_connections:,}; {told.max_by_address} by address",
        f"{told.head_s:.0f} s, {told.body_s:.0f} s, {told.read_s:.0f} s",
        f"{told.idle_s} s",
        f"= {rate.per_second:.0f}, {rate.burst} at once",
        f"{limits.REMEMBERED:,} addresses",
    ):
        assert words in PAGE, words


def test_reports_can_be_made_without_an_invented_address() -> None:
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "docs/security.md" in page
    assert re.search(r"[\w.]+@[\w.]+\.\w+", page) is None

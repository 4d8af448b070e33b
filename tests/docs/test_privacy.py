"""docs/privacy.md says what the program does."""

from __future__ import annotations

from pathlib import Path

from bot.janitor import retention
from bot.policy import settings
from bot.store import holdings


def test_the_table_is_the_programs_own(project_root: Path) -> None:
    page = (project_root / "docs" / "privacy.md").read_text(encoding="utf-8")
    assert "\n".join(holdings.markdown()) in page


def test_the_defaults_are_those_of_the_settings(project_root: Path) -> None:
    page = (project_root / "docs" / "privacy.md").read_text(encoding="utf-8")
    told = settings.Retention()
    for name, days in (
        ("inbound_days", told.inbound_days),
        ("events_days", told.events_days),
        ("seen_days", told.seen_days),
        ("persons_days", told.persons_days),
    ):
        assert any(f"`{name}`" in line and f"{days} days" in line for line in page.splitlines())
    assert f"| {retention.TEXTS_H} hours" in page
    assert f"| {retention.UNSURE_DAYS} days |" in page

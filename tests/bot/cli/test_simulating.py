from __future__ import annotations

import dataclasses
import inspect
import json
import typing

import pytest

from bot import simulate as simulation
from bot.cli import options, playing, simulating
from bot.simulate import made_words
from bot.store import tables
from tests.bot.cli.conftest import Place
from tests.bot.console import house as building

CAP = 7_000_000


@pytest.mark.parametrize(
    ("config", "overrides", "day", "month"),
    [
        (None, (), None, None),
        (None, ("budget.cap_day=7",), CAP, None),
        ("", (), None, None),
        ('[budget]\ncap_day = "7"\n', (), CAP, None),
        ('[budget]\ncap_day = "9"\n', ("budget.cap_day=7", "budget.cap_month=7"), CAP, CAP),
    ],
)
def test_only_caps_that_somebody_wrote_down_bind(
    place: Place,
    config: str | None,
    overrides: tuple[str, ...],
    day: int | None,
    month: int | None,
) -> None:
    path = place.folder / "sim.toml"
    path.write_text(config or "")
    told = options.Told(None if config is None else path, overrides)
    budget = simulating.settings(told).budget
    assert (budget.cap_day_micros, budget.cap_month_micros) == (day, month)


def test_the_environment_changes_no_figures(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIRELOU_REPLY__WINDOW_DAYS", "7")
    assert simulating.settings(options.Told(None, ())).reply.window_days == 30


def test_faults_of_settings(place: Place) -> None:
    result = place.run("simulate", "x.jsonl", "--set", "budget.cap_dya=1", "--set", "reply.x=1")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2


def test_a_recording_that_is_not_there(place: Place) -> None:
    result = place.run("simulate", "absent.jsonl")
    assert result.exit_code == 1
    assert "absent.jsonl" in result.stderr


def test_a_malformed_line_is_named_and_nothing_is_written(place: Place) -> None:
    (place.folder / "bad.jsonl").write_text("{}\n")
    result = place.run("simulate", "bad.jsonl", "--replies", "out.jsonl")
    assert result.exit_code == 1
    assert "line 1" in result.stderr
    assert not (place.folder / "out.jsonl").exists()


def test_a_made_up_flood_side_by_side_and_kept(place: Place) -> None:
    small = ("--people", "30", "--attackers", "20", "--hours", "24", "--language", "it")
    against = ("--against-set", "flood.topics=false", "--json")
    told = place.run("simulate", "--scenario", "raid", *small, "--save", "a.jsonl", *against)
    assert told.exit_code == 0, told.stderr
    first = json.loads(told.stdout)
    assert first["judged"]["people"] > 20
    assert first["against"]["judged"]["senders_by_kind"] == first["judged"]["senders_by_kind"]
    place.run("simulate", "--scenario", "raid", *small, "--save", "b.jsonl")
    assert (place.folder / "a.jsonl").read_bytes() == (place.folder / "b.jsonl").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x.jsonl", "--scenario", "raid"),
        ("x.jsonl", "--own-past"),
        ("--own-past", "--scenario", "raid"),
        ("--own-past", "--replies", "y"),
        ("--scenario", "rain"),
        ("x.jsonl", "--save", "y"),
    ],
)
def test_what_cannot_be_simulated_is_said(place: Place, arguments: tuple[str, ...]) -> None:
    result = place.run("simulate", *arguments)
    assert result.exit_code == 2
    assert result.stderr.strip()


def test_the_own_past_under_its_own_settings_and_others(installed: Place) -> None:
    told = installed.json("simulate", "--own-past")
    assert (told["trace"], told["messages"], told["replies"]) == ("the own past", 2, 2)
    assert told["cap_day"] == "20.00"
    (installed.folder / "other.toml").write_text(
        (installed.folder / "config.toml").read_text() + "[reply]\nrelease_by_hand = true\n"
    )
    found = installed.run("simulate", "--own-past", "--days", "2", "--against", "other.toml")
    assert found.exit_code == 0, found.stderr
    assert "these settings" in found.stdout
    both = installed.json("simulate", "--own-past", "--against", "other.toml")
    assert (both["replies"], both["against"]["replies"]) == (2, 0)
    assert both["against"]["pending_at_end"] == {"held": 2}


def test_without_a_past_there_is_nothing_to_play(place: Place) -> None:
    assert place.run("simulate", "--own-past").exit_code == 3

    async def nothing(house: building.House) -> None:
        assert await house.rows(tables.inbound) == []

    place.fill(nothing)
    told = place.run("simulate", "--own-past")
    assert told.exit_code == 1
    assert "--days" in told.stderr


def test_help_names_every_scenario_and_language() -> None:
    """Written down there, because the list itself is slow to import."""
    said = {
        name: typing.get_args(hint)[1].help or ""
        for name, hint in (("kinds", playing.Scenario), ("languages", playing.Language))
    }
    assert all(kind in said["kinds"] for kind in simulation.KINDS)
    assert all(f"{one}" in said["languages"] for one in made_words.LANGUAGES)


def test_the_defaults_of_the_options_are_those_of_a_flood() -> None:
    given = inspect.signature(playing.simulate).parameters
    for field in dataclasses.fields(simulation.Flood):
        if field.name in given:
            assert given[field.name].default == field.default, field.name

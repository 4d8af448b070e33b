from __future__ import annotations

import json

import pytest

from bot.cli import options, simulating
from tests.bot.cli.conftest import Place

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
    [(), ("x.jsonl", "--scenario", "raid"), ("--scenario", "rain"), ("x.jsonl", "--save", "y")],
)
def test_what_cannot_be_simulated_is_said(place: Place, arguments: tuple[str, ...]) -> None:
    result = place.run("simulate", *arguments)
    assert result.exit_code == 2
    assert result.stderr.strip()

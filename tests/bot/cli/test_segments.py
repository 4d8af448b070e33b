from __future__ import annotations

import json

import pytest

from tests.bot.cli.conftest import Place


@pytest.mark.case("C30")
@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 159 + "€", "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 153, "GSM-7", 3),
        ("ê" + "a" * 69, "UCS-2", 1),
        ("ê" + "a" * 70, "UCS-2", 2),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("", "GSM-7", 1),
    ],
)
def test_parts_for_programs(place: Place, text: str, encoding: str, parts: int) -> None:
    found = place.json("segments", text)
    assert (found["encoding"], found["parts"]) == (encoding, parts)
    assert found["prices"] is None


@pytest.mark.case("C30")
def test_the_guilty_character_and_the_price_are_named(place: Place) -> None:
    result = place.run("segments", "--price", "L’été " + "x" * 70)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "UCS-2, 2 parts, 76 units"
    assert lines[1] == "  at 2: ’ (RIGHT SINGLE QUOTATION MARK); write '"
    assert lines[2].startswith("In GSM-7, 1 part: L'été")
    assert "sms: 0.16 EUR to FR, BE" in result.stdout
    assert "signal: free everywhere" in result.stdout


@pytest.mark.case("C30")
def test_where_words_would_have_to_change(place: Place) -> None:
    found = place.json("segments", "ça → œ")
    assert found["gsm7"] is None
    assert [(g["character"], g["position"]) for g in found["guilty"]] == [
        ("ç", 0),
        ("→", 3),
        ("œ", 5),
    ]
    assert "would have to change" in place.run("segments", "ça").stdout


def test_prices_by_country_for_programs(place: Place) -> None:
    found = place.json("segments", "bonjour", "--price", "--set", 'who.countries=["FR", "CH"]')
    assert found["prices"]["sms"] == {"FR": "0.08", "CH": "0.08"}
    assert found["currency"] == "EUR"


@pytest.mark.case("C30")
@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_a_lone_half_of_a_character_does_no_harm(place: Place, language: str) -> None:
    """Bytes that are no UTF-8 come in as lone surrogates."""
    shown = place.process("segments", b"a\xffb \xf0\x9f\x98\x80", LC_ALL=language)
    assert shown.returncode == 0, shown.stderr
    assert b"LONE SURROGATE" in shown.stdout
    told = place.process("segments", "--json", b"a\xffb", LC_ALL=language)
    found = json.loads(told.stdout)
    assert (found["encoding"], found["parts"], found["units"]) == ("UCS-2", 1, 3)
    assert found["guilty"][0]["position"] == 1


def test_from_standard_input(place: Place) -> None:
    shown = place.process("segments", "-", "--json", stdin="été\n".encode())
    assert json.loads(shown.stdout)["units"] == 3
    shown = place.process("segments", "-", stdin=b"\xff\xfe")
    assert shown.returncode == 0


def test_control_characters_do_not_reach_the_terminal(place: Place) -> None:
    result = place.run("segments", "a\x1b[31mb\u202e")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_it_reads_no_settings_unless_prices_are_asked(place: Place) -> None:
    (place.folder / "config.toml").write_text("nonsense")
    assert place.run("segments", "bonjour").exit_code == 0
    assert place.run("segments", "bonjour", "--price").exit_code == 2

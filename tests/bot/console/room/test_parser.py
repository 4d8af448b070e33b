"""From what somebody typed to what they asked for; whatever it is, an answer and no exception."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.console import names
from bot.console.room import commands, parser

WORDS = st.sampled_from(
    [
        *commands.BY_WORD,
        *("for", "pendant", "2h", "1j12h", "0m", "999d", "sms", "#k7f2", "t-k7f2", "release"),
        *("day", "jour", "12,50", "-3", "1e9", "nan", "fr", "xx", "set", "try", "show", "review"),
        *("✅", "\u202e", "\u0000", "é" * 30, "@anna:example.org", "+33639980001"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!pause", ("pause", None, None)),
        ("! Pause", ("pause", None, None)),
        ("!pause sms for 2h", ("pause", "sms", 7200)),
        ("!pause 90m", ("pause", None, 5400)),
        ("!pause sms pendant 1j", ("pause", "sms", 86400)),
        ("!REPRENDRE sms", ("resume", "sms", None)),
        ("!mode review for 1d12h", ("mode", None, 129600)),
    ],
)
def test_what_is_asked_for(text: str, expected: tuple[str, str | None, int | None]) -> None:
    asked = parser.parse(text)
    assert isinstance(asked, parser.Asked)
    assert (asked.command.name, asked.channel, asked.span_s) == expected


@pytest.mark.parametrize(
    ("text", "codes", "rest"),
    [
        ("!reply #k7f2 Bonjour, ça va ?", ("#k7f2",), "Bonjour, ça va ?"),
        ("!répondre #K7F2 #abcd  Deux  mots", ("#k7f2", "#abcd"), "Deux  mots"),
        ("!reply t-k7f2 !pause", ("t-k7f2",), "!pause"),
        ("!approve t-k7f2 release #abcd", ("t-k7f2", "release", "#abcd"), ""),
        ("!text set fr Un non. STOP", (), "Un non. STOP"),
    ],
)
def test_codes_and_words(text: str, codes: tuple[str, ...], rest: str) -> None:
    asked = parser.parse(text)
    assert isinstance(asked, parser.Asked)
    assert (asked.codes, asked.text) == (codes, rest)


@pytest.mark.parametrize(
    "text",
    [
        "!pause sms signal",
        "!pause for",
        "!pause for ever",
        "!pause 0m",
        "!pause 31d",
        "!resume sms for 2h",
        "!mode loud",
        "!mode for 2h",
        "!budget day",
        "!budget week 5",
        "!budget day -5",
        "!budget day 1e5",
        "!donate",
        "!donate 0",
        "!donate 0.001",
        "!donate nan",
        "!approve",
        "!block k7f2",
        "!reply #k7f2",
        "!reply bonjour",
        "!text set xx Bonjour",
        "!text set fr",
        "!text change fr Bonjour",
        "!stats yes",
        "!yes",
        "!status now",
        "!",
        "!!",
        "!42",
        "!" + "x" * 5000,
        "!text set fr " + "x" * 1001,
    ],
)
def test_what_cannot_be_meant_is_told(text: str) -> None:
    wrong = parser.parse(text)
    assert isinstance(wrong, parser.Wrong)
    assert wrong.words.en
    assert wrong.words.fr


@pytest.mark.parametrize(
    ("text", "meant"),
    [("!puase", "pause"), ("!statuss", "status"), ("!reviw", "review"), ("!aprouve", "approuver")],
)
def test_a_near_miss_is_suggested(text: str, meant: str) -> None:
    wrong = parser.parse(text)
    assert isinstance(wrong, parser.Wrong)
    assert f"!{meant}" in wrong.words.en


@pytest.mark.parametrize(
    "text",
    [
        "!block +33639980001",
        "!block +33 6 39 98 00 01",
        "!why 0033639980001",
        "!erase @somebody:example.org",
        "!reply +33639980001 bonjour",
        "!reveal 00000000-0000-4000-8000-000000000001",
    ],
)
def test_an_address_is_refused_and_not_repeated(text: str) -> None:
    wrong = parser.parse(text)
    assert isinstance(wrong, parser.Wrong)
    assert wrong.address
    assert "39980001" not in wrong.words.en + wrong.words.fr


@given(st.text(max_size=80))
@example("!")
@example("")
def test_anything_is_answered(text: str) -> None:
    assert isinstance(parser.parse("!" + text), parser.Asked | parser.Wrong)


@given(st.lists(WORDS, max_size=7).map(" ".join))
def test_anything_like_a_command_is_answered(text: str) -> None:
    found = parser.parse("!" + text)
    if isinstance(found, parser.Asked):
        assert found.span_s is None or 0 < found.span_s <= 30 * 86_400
        assert len(found.codes) <= 20
        assert found.command.name in commands.BY_NAME


@given(st.integers(1, 30 * 24 * 60))
def test_a_span_is_read_as_it_is_written(minutes: int) -> None:
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    spelled = "".join(f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (left, "m")) if n)
    assert parser.span_s(spelled) == minutes * 60


@given(st.sampled_from(commands.TABLE), st.text(alphabet="abcdefghij", min_size=1, max_size=3))
def test_a_slip_is_never_taken_for_another_command(command: commands.Command, more: str) -> None:
    word = command.name + more
    if word not in commands.BY_WORD:
        assert isinstance(parser.parse(f"!{word}"), parser.Wrong)


def test_a_code_has_no_letter_that_a_client_draws_as_another() -> None:
    drawn = {names.letters(bytes([n]) * 5, 5) for n in range(256)}
    assert len(drawn) > 200
    assert "x" not in "".join(drawn)
    assert all(isinstance(parser.parse(f"!yes {code}"), parser.Asked) for code in drawn)

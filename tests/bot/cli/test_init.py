"""`antirelou init`: what is typed becomes settings that run, and nothing else is written."""

from __future__ import annotations

import pathlib
import stat
import tomllib

import pytest

from bot import config, registry
from bot.cli import interview
from bot.contract import first_run
from bot.policy import neighbours, numbers
from tests.bot.cli import conftest as places

SID = "AC" + "0123456789abcdef" * 2
# Country, countries, language, tone, night, day, month, public address.
FRENCH = ["fr", "", "", "", "y", "", "150,5", "https://sms.example.org/"]


def answers(*lines: str) -> str:
    return "\n".join([*lines, ""])


def choice(title: str) -> str:
    """The number of the channel whose title begins so."""
    told = [start.title for _, start in registry.beginnings()]
    (found,) = [n for n, one in enumerate(told, 1) if one.startswith(title)]
    return str(found)


def test_the_answers_become_settings_that_only_their_owner_can_read(place: places.Place) -> None:
    (place.folder / "config.toml").unlink()
    typed = answers(
        *FRENCH,
        *(choice("an account at Twilio"), "", SID, "f00dfeedbeef1234", "+447700900002", ""),
        *(choice("a number registered at Signal"), "handle", "+33639980001", "", ""),
        "",
    )
    done = place.run("init", stdin=typed)
    assert done.exit_code == 0, done.output
    path = place.folder / "config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = config.load(path)
    assert {name: one.kind for name, one in read.channels.items()} == {
        "twilio": "sms.twilio",
        "handle": "signal",
    }
    assert read.web.public_url == "https://sms.example.org"
    assert read.core.budget.cap_month_micros == 150_500_000
    assert read.core.reply.night_hold is True
    assert {"FR", "BE", "DE", "RE"} <= set(read.core.who.countries)
    assert "antirelou setup handle --config config.toml" in done.output
    # A secret is typed unseen and made anew each time.
    assert "f00dfeedbeef1234" not in done.output
    assert len(str(read.channels["handle"].table["secret"])) == 32


def test_wrong_answers_are_asked_again_and_a_channel_can_be_left_out(place: places.Place) -> None:
    typed = answers(
        *("xx", "fr", "fr zz", "fr be", "klingon", "de", "loud", "2017", ""),
        *("a lot", "5", "50", "ftp://x", ""),
        *("99", choice("prepaid credit"), "A B", "credit", "", "short", "short", "12", ""),
        *("n", ""),
    )
    done = place.run("init", "--config", "other.toml", stdin=typed)
    assert done.exit_code == 0, done.output
    read = config.load(place.folder / "other.toml")
    assert set(read.core.who.countries) == {"FR", "BE"}
    assert (read.core.reply.language, read.core.reply.tone) == ("de", "2017")
    # Left out, so the file can be tried with a made-up phone.
    assert [one.kind for one in read.channels.values()] == ["simulator"]
    for told in ("two letters each", "one of de en", "an amount: 20.00", "begin with https://"):
        assert told in done.output
    assert "channels.credit.api_key" in done.output


def test_numbers_may_be_typed_as_they_stand_on_paper(place: places.Place) -> None:
    typed = answers(
        *FRENCH,
        *(choice("an account at Twilio"), "", SID, "+44 20 secret", "+44 (0) 7700-900.002", ""),
        "",
    )
    done = place.run("init", "--config", "paper.toml", stdin=typed)
    assert done.exit_code == 0, done.output
    table = config.load(place.folder / "paper.toml").channels["twilio"].table
    assert list(table["addresses"]) == ["+447700900002"]  # type: ignore[call-overload]
    assert table["auth_token"] == "+44 20 secret", "a secret is nobody's telephone number"


def test_what_was_typed_well_is_not_asked_for_twice(place: places.Place) -> None:
    typed = answers(
        *FRENCH,
        # The account is mistyped; Enter keeps its token, and the list is typed again.
        *(choice("an account at Twilio"), "", "AC12", "f00dfeedbeef1234", "+447700900002", ""),
        *("", SID, "", "+447700900002", ""),
        "",
    )
    done = place.run("init", "--config", "twice.toml", stdin=typed)
    assert done.exit_code == 0, done.output
    table = config.load(place.folder / "twice.toml").channels["twilio"].table
    assert (table["account_sid"], table["auth_token"]) == (SID, "f00dfeedbeef1234")
    assert "f00dfeedbeef1234" not in done.output


def test_a_provider_at_our_own_port_is_told_at_once(place: places.Place) -> None:
    typed = answers(
        *FRENCH,
        *(choice("a number registered at Signal"), "", "+33639980001", "http://localhost:8080", ""),
        *("", "", "http://127.0.0.1:8090", ""),
        "",
    )
    done = place.run("init", "--config", "port.toml", stdin=typed)
    assert done.exit_code == 0, done.output
    assert "channels.signal.url: is where antirelou itself listens" in done.output
    table = config.load(place.folder / "port.toml").channels["signal"].table
    assert (table["number"], table["url"]) == ("+33639980001", "http://127.0.0.1:8090")


def test_nothing_is_written_over_and_nothing_half(place: places.Place) -> None:
    before = (place.folder / "config.toml").read_text()
    done = place.run("init", stdin=answers(*FRENCH, ""))
    assert done.exit_code == 2
    assert "config.toml exists already" in done.output
    assert (place.folder / "config.toml").read_text() == before
    gone = place.run("init", "--config", "nowhere/config.toml")
    assert gone.exit_code == 2
    assert "there is no folder nowhere" in gone.output
    # The terminal was closed in the middle.
    cut = place.run("init", "--config", "half.toml", stdin=answers(*FRENCH[:3]))
    assert cut.exit_code == 1
    assert not (place.folder / "half.toml").exists()


@pytest.mark.parametrize(
    ("kind", "start"), registry.beginnings(), ids=lambda one: getattr(one, "name", one)
)
def test_every_beginning_asks_for_all_that_its_bridge_needs(
    kind: str, start: first_run.Start, tmp_path: pathlib.Path
) -> None:
    given = {
        "account_sid": SID,
        "addresses": ["+447700900002"],
        "number": "+33639980001",
        "user": "@bot:example.org",
        "room": "!abc:example.org",
        "roster": {"@ada:example.org": "admin"},
        "homeserver": "https://matrix.example.org",
        "device_id": "phone-1",
        "url": "http://127.0.0.1:8090",
        "recipients_per_month": 200,
    }
    table = {
        one.key: one.fixed if one.fixed is not None else given.get(one.key, "0123456789abcdef")
        for one in start.questions
    }
    one = interview._Channel(start.name, kind, start, table)
    assert interview._faults(interview._joined([interview._head()], [one])) == []
    page = pathlib.Path(__file__).resolve().parents[3] / "docs" / start.page
    assert page.exists()
    # Without any one of what is asked, either the bridge has a default or it is refused.
    assert all(q.ask or q.fixed is not None for q in start.questions)


@pytest.mark.parametrize("secret", ["p\U0001f511w", 'a"b\\c', "é\x7f\t"])
def test_whatever_is_in_a_password_is_read_back_as_it_was_typed(secret: str) -> None:
    written = interview._toml({"password": secret})
    assert tomllib.loads(f"table = {written}") == {"table": {"password": secret}}


def test_neighbours_are_each_others_and_all_of_them_answered() -> None:
    for country, near in neighbours.OF.items():
        assert country in numbers.EEA_UK_CH_OVERSEAS
        assert all(country in neighbours.OF[other] for other in near)
    assert neighbours.around("FR")[:5] == ["FR", "BE", "CH", "DE", "ES"]
    assert neighbours.around("MT") == ["MT"]

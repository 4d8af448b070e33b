"""The settings: all faults at once, none of which repeats a value."""

import dataclasses
import pathlib

import pytest

from bot.contract import bridge
from bridges.signal import settings
from tests.bridges.signal import world

GOOD = world.table("http://127.0.0.1:8080/")


def faults(**more: object) -> dict[str, str]:
    with pytest.raises(bridge.SettingsError) as told:
        settings.read({**GOOD, **more}, "signal")
    return dict(told.value.faults)


def test_a_good_table() -> None:
    chosen = settings.read({**GOOD, "username": "camille.42", "state": "answering"}, "signal")
    assert chosen.url == "http://127.0.0.1:8080"
    assert chosen.own.address.value == "camille.42"
    assert chosen.own.state is bridge.State.ANSWERING
    assert chosen.way is settings.Way.WEBHOOK
    plain = settings.read(GOOD, "signal")
    assert plain.own.address.value == "+33639980000"


@pytest.mark.parametrize(
    ("way", "url"),
    [
        ("daemon", "tcp://127.0.0.1:7583"),
        ("daemon", "unix:///run/signal-cli/socket"),
        ("daemon", "http://127.0.0.1:8080"),
        ("polling", "https://signal.example.org/api"),
    ],
)
def test_good_places(way: str, url: str) -> None:
    assert settings.read({**GOOD, "transport": way, "url": url}, "signal").url == url


def test_all_faults_come_at_once_and_repeat_nothing() -> None:
    secret = "secret with spaces"
    found = faults(
        kind="sms",
        number="0639980000",
        username="nope",
        state="lent",
        secret=secret,
        url="ftp://x",
        transport="pigeon",
        profile_name="Anti-Relou",
        canary="yes",
        send_limit_s="3",
        poll_batch=2.5,
        made_up=1,
    )
    assert set(found) == {
        *("kind", "number", "username", "state", "secret", "url", "transport", "profile_name"),
        *("canary", "send_limit_s", "poll_batch", "made_up"),
    }
    told = " ".join(found.values())
    assert secret not in told
    assert "0639980000" not in told


@pytest.mark.case("C16")
@pytest.mark.parametrize("name", ["Anti-relou", "Bot", "STOP", "Robot 3", "Un non", "", "x" * 27])
def test_a_profile_that_tells_is_refused(name: str) -> None:
    assert "profile_name" in faults(profile_name=name)


@pytest.mark.parametrize(
    "url",
    ["tcp://127.0.0.1:7583", "http://", "http://user:pass@x", "http://x?y=1", "", 3, "http://[x"],
)
def test_places_that_are_none_for_the_rest_api(url: object) -> None:
    assert "url" in faults(url=url)


@pytest.mark.parametrize(
    "more",
    [{"send_limit_s": float("nan")}, {"gap_s": -1}, {"look_ups_per_minute": 11}, {"poll_s": True}],
)
def test_numbers_out_of_bounds(more: dict[str, object]) -> None:
    assert set(faults(**more)) == set(more)


def test_every_key_is_documented() -> None:
    page = (pathlib.Path(__file__).parents[3] / "docs" / "signal.md").read_text(encoding="utf-8")
    for key in settings.KEYS:
        assert f"\n| `{key}` |" in page, key
    for way in settings.Way:
        assert f"\n| `{way}`" in page, way
    for field in dataclasses.fields(settings.Settings):
        if field.name in settings.KEYS and isinstance(field.default, int | float):
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{field.name}` |")]
            shown = str(field.default).lower() if field.default is True else f"{field.default:g}"
            assert row.endswith(f"| {shown} |"), field.name

"""Every fault at once, no secret repeated."""

from __future__ import annotations

import pytest

from bot.contract import bridge
from bridges.sms.smsgate import settings
from tests.bridges.sms.smsgate import phone

GOOD = {
    "api": "phone",
    "url": "http://192.168.1.10:8080/",
    "username": "sms",
    "password": "made-up",
    "signing_key": phone.KEY,
    "addresses": [phone.OURS],
}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"api": "cloud"}, "api"),
        ({"url": "phone:8080"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "http://a:b@phone"}, "url"),
        ({"api": "server", "url": "http://sms.example.org", "device_id": "d"}, "url"),
        ({"api": "server", "url": "https://sms.example.org"}, "device_id"),
        ({"device_id": "a b"}, "device_id"),
        ({"token": "t"}, "token"),
        ({"password": 5}, "password"),
        ({"signing_key": "short"}, "signing_key"),
        ({"old_signing_key": "short"}, "old_signing_key"),
        ({"addresses": []}, "addresses"),
        ({"addresses": ["38700"]}, "addresses[0]"),
        ({"addresses": [phone.OURS, phone.OURS]}, "addresses[1]"),
        ({"addresses": [phone.OURS, phone.SECOND]}, "addresses[0].sim"),
        ({"addresses": [{"value": phone.OURS, "sim": 4}]}, "addresses[0].sim"),
        ({"addresses": [{"value": phone.OURS, "state": "gone"}]}, "addresses[0].state"),
        ({"addresses": [{"value": phone.OURS, "simm": 1}]}, "addresses[0].simm"),
        ({"price": "-1"}, "price"),
        ({"price": 0}, "price"),
        ({"plan": "mine"}, "plan"),
        ({"send_limit_s": 0}, "send_limit_s"),
        ({"ping_alarm_s": "1"}, "ping_alarm_s"),
        ({"ping_human_s": True}, "ping_human_s"),
        ({"confirmed": "rcs"}, "confirmed"),
        ({"confirmed": ["rsc"]}, "confirmed"),
        ({"kind": "sms.twilio"}, "kind"),
        ({"passwort": "x"}, "passwort"),
    ],
)
def test_a_fault_names_its_key(change: dict[str, object], key: str) -> None:
    with pytest.raises(bridge.SettingsError) as refused:
        settings.read({**GOOD, **change}, "EUR")
    assert key in [name for name, _ in refused.value.faults]
    assert "made-up" not in str(refused.value)


def test_the_base_of_each_api() -> None:
    server = {"api": "server", "device_id": "d"}
    for url, more, base in (
        ("http://192.168.1.10:8080/", {}, "http://192.168.1.10:8080"),
        ("https://a.example", server, "https://a.example/3rdparty/v1"),
        ("https://a.example/api/3rdparty/v1/", server, "https://a.example/api/3rdparty/v1"),
    ):
        assert settings.read({**GOOD, **more, "url": url}, "EUR").base == base


def test_no_secret_is_printed() -> None:
    shown = repr(settings.read(GOOD, "EUR"))
    assert phone.KEY not in shown
    assert "Basic" not in shown


def test_a_token_is_a_bearer() -> None:
    table = {k: v for k, v in GOOD.items() if k not in {"username", "password"}}
    made = settings.read({**table, "token": "abc.def"}, "EUR")
    assert made.authorization == "Bearer abc.def"

"""The table of a Twilio channel: all faults at once, no secret in any of them."""

import pytest

from bot.contract import bridge, conformance, money
from bridges.sms import twilio
from bridges.sms.twilio import settings
from tests.bridges.sms.twilio import exchange

GOOD = exchange.settings("http://127.0.0.1:1")


def faults(**change: object) -> dict[str, str]:
    with pytest.raises(bridge.SettingsError) as caught:
        settings.read({**GOOD, **change})
    return dict(caught.value.faults)


def test_a_good_table() -> None:
    made = settings.read(
        {
            **GOOD,
            "addresses": [{"value": exchange.OURS, "state": "answering"}, "+12025550100"],
            "prices": {"FR": "0.0798"},
            "webhook_secrets": ["an-older-secret"],
            "api_key_sid": "SK" + "a" * 32,
            "api_key_secret": "a-secret-of-a-key",
            "countries": ["FR", "BE"],
        }
    )
    assert [own.state for own in made.addresses] == ["answering", "offered"]
    assert made.secrets == (exchange.TOKEN, "an-older-secret")
    assert (made.username, made.password) == ("SK" + "a" * 32, "a-secret-of-a-key")
    assert made.prices == {"FR": money.Money(79_800, "USD")}


@pytest.mark.case("C36")
@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"account_sid": "AC1"}, "account_sid"),
        ({"account_sid": 5}, "account_sid"),
        ({"auth_token": ""}, "auth_token"),
        ({"auth_token": "short"}, "auth_token"),
        ({"addresses": []}, "addresses"),
        ({"addresses": ["0639980000"]}, "addresses[0]"),
        ({"addresses": ["a\x00"]}, "addresses[0]"),
        ({"addresses": [exchange.OURS, exchange.OURS]}, "addresses[1]"),
        ({"addresses": [{"value": exchange.OURS, "stat": "x"}]}, "addresses[0].stat"),
        ({"addresses": [{"value": exchange.OURS, "state": "x"}]}, "addresses[0].state"),
        ({"currency": "dollars"}, "currency"),
        ({"prices": "0.08"}, "prices"),
        ({"prices": {"FR": 0.08}}, "prices.FR"),
        ({"prices": {"FR": "80"}}, "prices.FR"),
        ({"prices": {"France": "0.08"}}, "prices.France"),
        ({"inbound_price": 1}, "inbound_price"),
        ({"countries": ["France"]}, "countries"),
        ({"api_key_sid": "SK" + "a" * 32}, "api_key_secret"),
        ({"api_key_secret": "a-secret-of-a-key"}, "api_key_sid"),
        ({"webhook_secrets": "x"}, "webhook_secrets"),
        ({"webhook_secrets": ["x"]}, "webhook_secrets"),
        ({"subaccounts": ["x"]}, "subaccounts"),
        ({"webhook_overrides": "#rc=5"}, "webhook_overrides"),
        ({"calls_count": "yes"}, "calls_count"),
        ({"voice_message_url": "http://sms.example.org/x.mp3"}, "voice_message_url"),
        ({"voice_messages_per_day": -1}, "voice_messages_per_day"),
        ({"at_provider": "burn"}, "at_provider"),
        ({"lookup": 1}, "lookup"),
        ({"lookup_price": "-1"}, "lookup_price"),
        ({"send_limit_s": 60}, "send_limit_s"),
        ({"filtered_in_a_row": True}, "filtered_in_a_row"),
        ({"base_url": "https://api.twilio.com.example.org"}, "base_url"),
        ({"base_url": "http://192.0.2.1"}, "base_url"),
        ({"acount_sid": "x"}, "acount_sid"),
        ({"kind": "twilio"}, "kind"),
    ],
)
def test_each_fault_names_its_key(change: dict[str, object], key: str) -> None:
    assert list(faults(**change)) == [key]


def test_all_at_once_and_no_secret_repeated() -> None:
    found = faults(auth_token="seven77", account_sid="ACx", send_limit_s=0, nonsense=1)
    assert set(found) == {"auth_token", "account_sid", "send_limit_s", "nonsense"}
    assert "seven77" not in str(found)


def test_a_public_url_that_is_none() -> None:
    context = bridge.Context(
        channel="sms",
        clock=conformance.FakeClock(),
        storage=conformance.FakeStorage(),
        currency="EUR",
        public_url="sms.example.org",
    )
    with pytest.raises(bridge.SettingsError, match="public_url"):
        twilio.create(GOOD, context)


def test_nothing_secret_is_printed() -> None:
    assert exchange.TOKEN not in repr(settings.read(GOOD))

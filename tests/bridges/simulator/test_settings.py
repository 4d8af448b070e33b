import pytest

from bot.contract import bridge, money
from bridges.simulator import settings

OURS = "+33639980000"


def faults(table: dict[str, object]) -> dict[str, str]:
    with pytest.raises(bridge.SettingsError) as caught:
        settings.read(table, "EUR")
    return dict(caught.value.faults)


def test_the_least_that_is_needed() -> None:
    read = settings.read({"addresses": [OURS]}, "EUR")
    assert read.network == "sms"
    assert [own.address.value for own in read.addresses] == [OURS]
    assert read.prices == {"default": money.parse("0.08", "EUR")}
    assert read.deliver_to is None
    assert read.idempotent


def test_everything_at_once() -> None:
    read = settings.read(
        {
            "kind": "simulator",
            "addresses": [OURS, {"value": "+33639980009", "state": "retired"}],
            "prices": {"FR": "0.08", "default": "0.12"},
            "deliver_to": "http://127.0.0.1:8099/phones",
            "idempotent": False,
        },
        "EUR",
    )
    assert read.addresses[1].state is bridge.State.RETIRED
    assert read.prices["default"].micros == 120_000
    assert read.deliver_to == "http://127.0.0.1:8099/phones"
    assert not read.idempotent


def test_all_faults_come_at_once_with_their_keys() -> None:
    found = faults(
        {
            "kind": "sms.twilio",
            "network": "pigeon",
            "addresses": [OURS, OURS, "0639980000", {"value": OURS, "stat": "offered"}, 7],
            "price": 0.08,
            "prices": {"FR": 1, "XX": "0.1", "BE": "-1", "CH": "0.1234567"},
            "deliver_to": "http://example.org/",
            "idempotent": "yes",
            "adresses": [],
        }
    )
    assert set(found) == {
        "kind",
        "network",
        "addresses[1]",
        "addresses[2]",
        "addresses[3]",
        "addresses[3].stat",
        "addresses[4]",
        "price",
        "prices.FR",
        "prices.XX",
        "prices.BE",
        "prices.CH",
        "deliver_to",
        "idempotent",
        "adresses",
    }
    assert "quotes" in found["price"]
    assert "0639980000" not in str(found)


@pytest.mark.parametrize("price", [1, 0.08, True, None, "cheap", "NaN", "1e400", "-0.01", ["0.08"]])
def test_a_price_is_a_decimal_in_quotes(price: object) -> None:
    assert "price" in faults({"addresses": [OURS], "price": price})


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "http://127.0.0.1.example.org/",
        "http://192.0.2.1/",
        "http://user:pw@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1",
        "127.0.0.1:80",
        8099,
    ],
)
def test_the_outside_world_is_on_this_machine(url: object) -> None:
    assert "deliver_to" in faults({"addresses": [OURS], "deliver_to": url})


def test_the_other_network_has_no_price() -> None:
    table: dict[str, object] = {"network": "signal", "addresses": ["an-aci"]}
    assert settings.read(table, "EUR").prices == {}
    assert set(faults({**table, "price": "0.08"})) == {"price"}


def test_two_prices_for_the_rest_are_one_too_many() -> None:
    both: dict[str, object] = {"addresses": [OURS], "price": "0.1", "prices": {"default": "0.2"}}
    assert set(faults(both)) == {"price"}


def test_the_built_in_phones_are_always_idempotent() -> None:
    assert set(faults({"addresses": [OURS], "idempotent": False})) == {"idempotent"}


@pytest.mark.parametrize("value", [None, [], "text", {}])
def test_an_address_is_needed(value: object) -> None:
    assert set(faults({"addresses": value})) == {"addresses"}

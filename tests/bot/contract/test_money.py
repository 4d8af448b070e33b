"""Money: whole millionths, exact in and out, and never rounded in his favour."""

from __future__ import annotations

import decimal
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import money

MICROS = st.integers(-(10**15), 10**15)


@given(MICROS)
def test_what_is_written_is_read_back(micros: int) -> None:
    amount = money.Money(micros, "EUR")
    assert money.parse(amount.decimal(), "EUR") == amount
    assert money.parse(decimal.Decimal(money.plain(micros)), "EUR") == amount


@pytest.mark.parametrize(
    ("text", "micros", "shown"),
    [
        ("0.08", 80_000, "0.08"),
        ("0.00790", 7_900, "0.0079"),
        ("12.345678", 12_345_678, "12.345678"),
        ("-0.000001", -1, "-0.000001"),
        (20, 20_000_000, "20.00"),
        ("1e2", 100_000_000, "100.00"),
        ("0.0000010000", 1, "0.000001"),
        ("0", 0, "0.00"),
        ("0.5", 500_000, "0.50"),
        ("-1.5", -1_500_000, "-1.50"),
        # Nothing is nothing, however it is written: no billion zeros are counted out.
        ("0e999999999", 0, "0.00"),
        ("999999999999.999999", 10**18 - 1, "999999999999.999999"),
    ],
)
def test_amounts_in_and_out(text: str | int, micros: int, shown: str) -> None:
    amount = money.parse(text, "EUR")
    assert (amount.micros, amount.decimal(), str(amount)) == (micros, shown, f"{shown} EUR")


@pytest.mark.parametrize("odd", [[1, [2], 10**30], (0, (1,), 1), None])
def test_what_is_no_number_is_no_money(odd: Any) -> None:  # noqa: ANN401 (wrong on purpose)
    with pytest.raises(TypeError, match="from text or integers"):
        money.parse(odd, "EUR")


def test_a_number_no_decimal_can_hold_is_told_as_such() -> None:
    assert money.exact("0.10") == decimal.Decimal("0.10")
    for text in ("1e9999999999999999999999", "0e9999999999999999999999", "1e-9999999999999999999"):
        with pytest.raises(ValueError, match="is not a decimal number"):
            money.exact(text)


@pytest.mark.parametrize("odd", [0.1, True, False, float("nan")])
def test_floats_and_truths_are_no_money(odd: Any) -> None:  # noqa: ANN401 (wrong on purpose)
    with pytest.raises(
        TypeError, match=r"^money is read from text or integers, never from a float$"
    ):
        money.parse(odd, "EUR")
    with pytest.raises(TypeError, match=r"^money is an integer of millionths$"):
        money.Money(odd, "EUR")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not a decimal amount"),
        ("1,5", "'1,5' is not a decimal amount"),
        ("one" + "e" * 40, f"'one{'e' * 37}' is not a decimal amount"),
        ("nan", "'nan' is not a finite amount"),
        ("nan" + "1" * 40, f"'nan{'1' * 37}' is not a finite amount"),
        ("Infinity", "'Infinity' is not a finite amount"),
        ("0.0000001", "'0.0000001' has more than six decimal places"),
        ("0." + "1" * 40, f"'0.{'1' * 38}' has more than six decimal places"),
        ("1e-999999999", "'1e-999999999' has more than six decimal places"),
        ("1e999999999", "'1e999999999' is too large an amount"),
        ("1000000000000", "'1000000000000' is too large an amount"),
        ("1" * 50, f"'{'1' * 40}' is too large an amount"),
    ],
)
def test_what_is_no_exact_amount_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        money.parse(text, "EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "€", "", "EUR\n"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    with pytest.raises(ValueError, match=r"^currency must be three capital letters \(ISO 4217\)$"):
        money.Money(1, currency)


@given(MICROS, MICROS, st.integers(0, 50))
def test_sums_are_exact(one: int, other: int, count: int) -> None:
    total = money.Money(one, "EUR") + money.Money(other, "EUR").times(count)
    assert total.micros == one + other * count


def test_two_currencies_do_not_add() -> None:
    with pytest.raises(ValueError, match="USD"):
        money.Money(1, "EUR") + money.Money(1, "USD")


@pytest.mark.case("C31")
@given(MICROS, st.integers(1, 10**9))
def test_a_conversion_is_never_under_and_less_than_a_millionth_over(micros: int, rate: int) -> None:
    turned = money.Rate(currency="USD", micros=rate, dated="2026-01-05").convert(
        money.Money(micros, "USD"), "EUR"
    )
    exact = Fraction(abs(micros) * rate, money.MICROS)
    assert turned.currency == "EUR"
    assert exact <= abs(turned.micros) < exact + 1
    assert turned.micros * micros >= 0


@pytest.mark.case("C31")
def test_a_rate_is_for_one_currency() -> None:
    rate = money.Rate(currency="USD", micros=950_000, dated="2026-01-05")
    with pytest.raises(ValueError, match="GBP"):
        rate.convert(money.Money(1, "GBP"), "EUR")


def test_no_amount_is_larger_than_a_column() -> None:
    for micros in (money.MAX_MICROS, -money.MAX_MICROS):
        assert money.Money(micros, "EUR").micros == micros
        with pytest.raises(ValueError, match=r"^money must fit into 63 bits of millionths$"):
            money.Money(micros + (1 if micros > 0 else -1), "EUR")


def test_a_conversion_of_large_sums_is_exact() -> None:
    # 2**53 + 1 is the first whole number that a float cannot hold.
    rate = money.Rate(currency="USD", micros=money.MICROS, dated="2026-11-22")
    told = money.Money((1 << 53) + 1, "USD")
    assert rate.convert(told, "EUR") == money.Money((1 << 53) + 1, "EUR")

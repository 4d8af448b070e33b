"""Small things that stand in every message's way: counting parts, deciding."""

from __future__ import annotations

from collections.abc import Iterator

import phonenumbers

from bench import forms, measure
from bot.contract import messages, segments
from bot.policy import decision, numbers, settings, texts

TEXT = texts.text("fr")
RULES = settings.Reply()


def bench(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Microseconds of one call, beside the same number of calls that encode the text."""
    times = 2_000 if quick else 50_000

    def encode() -> None:
        for _ in range(times):
            TEXT.encode()

    def count() -> None:
        for _ in range(times):
            segments.count(TEXT)

    def decide() -> None:
        for i in range(times):
            decision.decide(_facts(i), RULES)

    for name, work in (("segments of a reply", count), ("decision alone", decide)):
        told(name)
        ours_s, plain_s = measure.in_turns(work, encode, quick=quick)
        yield measure.Result(
            name=name,
            figure=f"{ours_s / times * 1e6:.2f} µs",
            ratio=ours_s / plain_s,
            reference="str.encode of the reply",
            detail={"us": ours_s / times * 1e6, "reference_us": plain_s / times * 1e6},
        )

    told("numbers")
    yield from _numbers(quick=quick)


def _numbers(*, quick: bool) -> Iterator[measure.Result]:
    """The cheap path beside the library that judges it; every number is new."""
    told = [forms.number(place) for place in range(500 if quick else 5_000)]

    def cheap() -> None:
        numbers.read.cache_clear()
        for one in told:
            numbers.read(one)

    def library() -> None:
        for one in told:
            parsed = phonenumbers.parse(one)
            phonenumbers.is_valid_number(parsed)
            phonenumbers.number_type(parsed)
            phonenumbers.region_code_for_number(parsed)
            phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    ours_s, theirs_s = measure.in_turns(cheap, library, quick=quick)
    yield measure.Result(
        name="number: validity, type, country, E.164",
        figure=f"{ours_s / len(told) * 1e6:.1f} µs",
        ratio=ours_s / theirs_s,
        reference=f"phonenumbers: {theirs_s / len(told) * 1e6:.0f} µs",
        detail={"us": ours_s / len(told) * 1e6, "reference_us": theirs_s / len(told) * 1e6},
    )


def _facts(i: int) -> decision.Facts:
    return decision.Facts(
        at_ms=1_509_084_000_000 + i,
        kind=messages.Kind.TEXT,
        wish=None,
        machine=False,
        ineligible=None,
        opted_out=False,
        blocked=False,
        blocked_until_ms=0,
        pending=False,
        draw=0.5,
    )

"""The running program: its start, and messages over HTTP, as the table's lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench import durable, intake, measure, remembering, startup


def starting(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """From exec to the first HTTP answer."""
    told("starting and ending")
    found = startup.measure(2 if quick else startup.ROUNDS)
    yield measure.Result(
        name="start of run to its first answer",
        figure=f"{found['start_s']:.2f} s",
        ratio=found["start_s"] / found["reference_s"],
        reference=f"importing the three big libraries: {found['reference_s']:.2f} s",
        detail=found,
    )


def taking_in(quick: bool, told: measure.Told) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Messages a second over HTTP, stored durably before the answer, a million people known."""
    found = intake.measure(quick=quick, told=told)
    for connections in intake.CONNECTIONS:
        for who in (intake.TUTORIAL, intake.LIMIT, intake.PLAIN):
            yield _line(found, who, connections)
    yield measure.Result(
        name="processor a message taken in",
        figure=f"{found['ours_busy_us_64']:,.0f} µs",
        ratio=found["ours_busy_us_64"] / found["limit_busy_us_64"],
        reference=f"the machine's limit: {found['limit_busy_us_64']:,.0f} µs",
        detail={},
    )
    yield measure.Result(
        name="database a message, half of new people",
        figure=f"{found['database_bytes_a_message']:,.0f} bytes",
        ratio=None,
        reference=f"{found['messages']:,} messages",
        detail={},
    )
    yield from remembering.of_people(found)
    killed = durable.measure(told)
    yield measure.Result(
        name="acknowledged before kill -9 and not stored",
        figure=str(killed["missing"]),
        ratio=None,
        reference=f"{killed['acknowledged']:,} acknowledged, {killed['kills']} kills",
        detail={**killed},
    )


def _line(found: dict[str, Any], who: str, connections: int) -> measure.Result:
    """Ours to one of the others."""

    def said(whose: str) -> str:
        rate = found[f"{whose}_per_s_{connections}"]
        p50, p99 = (found[f"{whose}_{p}_ms_{connections}"] for p in ("p50", "p99"))
        return f"{rate:,.0f} messages/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms"

    return measure.Result(
        name=f"intake over HTTP, {connections} connections",
        figure=said(intake.OURS),
        ratio=found[f"to_{who}_{connections}"],
        reference=f"{who}: {said(who)} (messages/s, to it)",
        detail=found if who == intake.TUTORIAL else {},
    )

"""The running program: its start, and messages over HTTP, as the table's lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench import durable, intake, measure, startup


def starting(quick: bool) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """From exec to the first HTTP answer."""
    told = startup.measure(2 if quick else startup.ROUNDS)
    yield measure.Result(
        name="start of run to its first answer",
        figure=f"{told['start_s']:.2f} s",
        ratio=told["start_s"] / told["reference_s"],
        reference=f"importing the three big libraries: {told['reference_s']:.2f} s",
        detail=told,
    )


def taking_in(quick: bool) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Messages a second over HTTP, stored durably before the answer, a million people known."""
    told = intake.measure(quick=quick)
    for connections in intake.CONNECTIONS:
        for who in (intake.TUTORIAL, intake.LIMIT):
            yield _line(told, who, connections)
    yield measure.Result(
        name="processor a message taken in",
        figure=f"{told['ours_busy_us_64']:,.0f} µs",
        ratio=told["ours_busy_us_64"] / told["limit_busy_us_64"],
        reference=f"the machine's limit: {told['limit_busy_us_64']:,.0f} µs",
        detail={},
    )
    for name, key in (("at rest", "memory_at_rest_mb"), ("after the load", "memory_after_mb")):
        yield measure.Result(
            name=f"memory {name}, a million people",
            figure=f"{told[key]:.0f} MB",
            ratio=None,
            reference="-",
            detail={},
        )
    yield measure.Result(
        name="database a message, half of new people",
        figure=f"{told['database_bytes_a_message']:,.0f} bytes",
        ratio=None,
        reference=f"{told['messages']:,} messages",
        detail={},
    )
    killed = durable.measure()
    yield measure.Result(
        name="acknowledged before kill -9 and not stored",
        figure=str(killed["missing"]),
        ratio=None,
        reference=f"{killed['acknowledged']:,} acknowledged, {killed['kills']} kills",
        detail={**killed},
    )


def _line(told: dict[str, Any], who: str, connections: int) -> measure.Result:
    """Ours to one of the others."""

    def said(whose: str) -> str:
        rate = told[f"{whose}_per_s_{connections}"]
        p50, p99 = (told[f"{whose}_{p}_ms_{connections}"] for p in ("p50", "p99"))
        return f"{rate:,.0f} messages/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms"

    return measure.Result(
        name=f"intake over HTTP, {connections} connections",
        figure=said(intake.OURS),
        ratio=told[f"to_{who}_{connections}"],
        reference=f"{who}: {said(who)} (messages/s, to it)",
        detail=told if who == intake.TUTORIAL else {},
    )

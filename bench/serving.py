"""The running program: its start, and messages over HTTP, as the table's lines."""

from __future__ import annotations

from collections.abc import Iterator

from bench import intake, measure, startup


def starting(quick: bool) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """From exec to the first HTTP answer."""
    told = startup.measure(2 if quick else startup.ROUNDS)
    yield measure.Result(
        name="start of run to its first answer",
        figure=f"{told['start_s']:.2f} s",
        ratio=told["start_s"] / told["reference_s"],
        reference="importing the three big libraries",
        detail=told,
    )


def taking_in(quick: bool) -> Iterator[measure.Result]:  # noqa: FBT001 (every bench is called so)
    """Messages a second over HTTP, stored durably before the answer."""
    if quick:
        return
    told = intake.measure()
    for connections in intake.CONNECTIONS:
        ours, theirs = (
            told[f"messages_per_s_{connections}"],
            told[f"reference_per_s_{connections}"],
        )
        yield measure.Result(
            name=f"intake over HTTP, {connections} connections",
            figure=f"{ours:,.0f} messages/s",
            ratio=theirs / ours,
            reference="one commit a message, Starlette",
            detail=told,
        )

"""The webhook: a secret in its path, stored before it answers, nothing asked meanwhile."""

import asyncio
import json

import pytest

from bot.contract import bridge
from bot.contract.conformance import asgi, fakes
from tests.bridges.signal import envelopes, world
from tests.bridges.signal.test_sends import turn

RAW = json.dumps(envelopes.notification(envelopes.text(world.HIM, "salut", 1_000))).encode()


async def call(route: bridge.Route, path: str, **more: object) -> tuple[int, bytes]:
    answer = await asgi.call(route.app, path, **more)  # type: ignore[arg-type]
    return answer.status, answer.body


@pytest.mark.case("C10")
async def test_a_stranger_always_gets_the_same() -> None:
    door = fakes.FakeIntake()
    async with world.bench() as (_, made):
        (route,) = made.routes(door)
        assert route.path == "/signal/signal/"
        right = route.path + world.SECRET
        for path in (
            *(route.path, right[:-1], right + "x", right.upper(), route.path + "../" + "x" * 5_000),
            route.path + "é\x00",
        ):
            assert await call(route, path, body=RAW) == (403, b"")
        assert door.accepted == []
        assert await call(route, right, method="GET") == (405, b"")
        assert await call(route, right, body=RAW) == (200, b"")
        assert await call(route, right + "/", body=RAW) == (200, b"")
        assert len(door.stored) == 1


@pytest.mark.case("C10")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"3", b"null"])
async def test_no_event_is_refused(body: bytes) -> None:
    door = fakes.FakeIntake()
    async with world.bench() as (_, made):
        assert await world.post(made.routes(door), body) == 400
        assert door.knocks == 0


@pytest.mark.case("C10")
async def test_a_body_without_end_is_refused() -> None:
    async with world.bench() as (_, made):
        assert await world.post(made.routes(fakes.FakeIntake()), b" " * 1_000_001) == 413


@pytest.mark.case("C07")
async def test_while_nothing_can_be_stored_the_answer_waits() -> None:
    clock, door = fakes.FakeClock(), fakes.FakeIntake()
    async with world.bench(lent=world.context(clock)) as (side, made):
        door.refuse(5)
        posting = asyncio.create_task(world.post(made.routes(door), RAW))
        await turn(clock, posting.done)
        assert posting.result() == 200
        assert (door.refused, len(door.accepted)) == (5, 1)
        # Nothing was asked of the neighbour, which waits for our answer.
        assert side.asked == []
        door.refuse(10_000)
        posting = asyncio.create_task(world.post(made.routes(door), RAW))
        await turn(clock, posting.done, 10)
        assert posting.result() == 503


async def test_what_comes_before_the_door_is_open_waits() -> None:
    clock = fakes.FakeClock()
    async with world.bench("polling", lent=world.context(clock)) as (side, made):
        assert list(made.routes(fakes.FakeIntake())) == []
        side.waiting.append(envelopes.text(world.HIM, "salut", 1_000))
        door = fakes.FakeIntake()
        door.refuse(3)
        task = asyncio.create_task(made.listen(door))
        await turn(clock, lambda: len(door.accepted) == 1)
        query = dict(next(one.query for one in side.asked if "receive" in one.path))
        assert query["ignore_attachments"] == "true"
        assert query["send_read_receipts"] == "false"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

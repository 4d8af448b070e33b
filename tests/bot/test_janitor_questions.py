from __future__ import annotations

import asyncio
import inspect

import pytest

from bot import outbox
from bot.contract import address
from bot.janitor import questions
from tests.bot.store import rows

NUMBER = "+33639980001"


async def test_what_a_bridge_says_raises_or_keeps_for_itself() -> None:
    async def says() -> int:
        return 7

    async def raises() -> int:
        raise LookupError

    async def hangs() -> int:
        await asyncio.Event().wait()
        return 7

    assert await questions.answer(says(), 1.0) == 7
    assert isinstance(await questions.answer(raises(), 1.0), LookupError)
    assert isinstance(await questions.answer(hangs(), 0.0), TimeoutError)


async def test_a_chore_that_is_ended_ends_its_question() -> None:
    ended = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(questions.answer(hangs(), 60.0))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_chore_that_is_ended_at_once_leaves_no_question_behind() -> None:
    async def says() -> int:
        return 7

    question = says()
    task = asyncio.create_task(questions.answer(question, 60.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # One that nobody ever awaited would warn when it is thrown away.
    assert inspect.getcoroutinestate(question) == inspect.CORO_CLOSED


def test_whom_a_reply_is_for() -> None:
    row = {"id": 5, "network": "sms", "address_enc": rows.KEYS.seal(NUMBER, outbox.place(5))}
    assert questions.recipient(rows.KEYS, row) == address.Address("sms", NUMBER)
    assert questions.recipient(rows.KEYS, {**row, "id": 6}) is None
    assert questions.recipient(rows.KEYS, {**row, "address_enc": None}) is None

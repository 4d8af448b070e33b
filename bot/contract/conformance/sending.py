"""Checks of the way out: one outcome of four, one message in the world, no surprises."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar, Final

from bot.contract import bridge, money, outcomes
from bot.contract.conformance import faults, harness, stage

_SEND = bridge.Bridge.send
# Between the limit that a bridge states and the moment the kit calls it late.
_GRACE: Final = 1.5
_GRACE_S: Final = 0.5


class Sends:
    """The part of the suite in which we answer."""

    harness: ClassVar[type[harness.Harness]]

    async def test_sends_exactly_one(self) -> None:
        async with stage.set_up(self.harness) as on:
            reply = on.reply()
            quote = on.bridge.quote(reply.recipient, reply.text)
            outcome = await on.send()
            if not isinstance(outcome, outcomes.Accepted):
                faults.fail(outcomes, f"a plain send gave {type(outcome).__name__}")
            faults.check(bool(outcome.provider_id), outcomes.Accepted, "provider_id is empty")
            await on.pace.until(lambda: bool(on.world.sent()), _SEND, "the world saw nothing sent")
            await on.pace.quiet()
            seen = on.world.sent()
            faults.check(len(seen) == 1, _SEND, f"the world saw {len(seen)} messages, not one")
            told = (seen[0].recipient, seen[0].text)
            faults.check(
                told == (reply.recipient.value, reply.text),
                _SEND,
                "the world saw another recipient or text",
            )
            if quote is not None and outcome.price is not None:
                _within(quote.price, outcome.price)

    async def test_one_reply_id_reaches_the_person_once(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not on.bridge.idempotent:
                faults.skip("the bridge does not claim to be idempotent")
            rule = bridge.Bridge.idempotent
            for _ in range(2):
                await on.send(1)
                await on.send(1)
                await on.restart()
            await on.pace.quiet()
            seen = len(on.world.sent())
            faults.check(
                seen == 1, rule, f"idempotent is True, but one reply_id was seen {seen} times"
            )
            await on.send(2)
            await on.pace.until(
                lambda: len(on.world.sent()) == seen + 1, rule, "another reply_id was not sent"
            )

    async def test_a_refusal_is_rejected(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.world, harness.Refuses):
                faults.skip("the harness has no refuse_next()")
            on.world.refuse_next()
            outcome = await on.send()
            rule = outcomes.Rejected
            if not isinstance(outcome, outcomes.Rejected):
                faults.fail(rule, f"a refusal for good gave {type(outcome).__name__}")
            faults.check(not on.world.sent(), rule, "Rejected, but the world saw it")
            faults.check(bool(outcome.reason), rule, "the reason is empty")
            on.ears.forbid(outcome.reason, "the reason")

    async def test_a_wait_is_not_now(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.world, harness.AsksToWait):
                faults.skip("the harness has no wait_next()")
            on.world.wait_next()
            asked_at = on.pace.clock.now()
            outcome = await on.send()
            rule = outcomes.NotNow
            if not isinstance(outcome, outcomes.NotNow):
                faults.fail(rule, f"being asked to wait gave {type(outcome).__name__}")
            at = outcome.retry_at
            faults.check(at.utcoffset() is not None, rule, "retry_at is not an aware datetime")
            faults.check(at > asked_at, rule, "retry_at is not in the future")
            faults.check(not on.world.sent(), rule, "NotNow, but the world saw it")
            on.ears.forbid(outcome.reason, "the reason")

    async def test_a_broken_answer_is_unknown(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.world, harness.Breaks):
                faults.skip("the harness has no break_next()")
            on.world.break_next()
            outcome = await on.send()
            if not isinstance(outcome, outcomes.Unknown):
                faults.fail(outcomes, f"an answer nobody can read gave {type(outcome).__name__}")
            on.ears.forbid(outcome.reason, "the reason")

    async def test_a_hanging_network_ends_by_the_time_limit(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.world, harness.Hangs):
                faults.skip("the harness has no hang_next()")
            on.world.hang_next()
            limit = on.world.time_limit_s * _GRACE + _GRACE_S
            virtual, real = on.pace.clock.monotonic(), time.monotonic()
            sending = asyncio.create_task(on.bridge.send(on.reply()))
            in_time = await on.pace.wait(
                # A bridge may count by the context's clock or by the loop's: both must be over.
                lambda: (
                    sending.done()
                    or min(on.pace.clock.monotonic() - virtual, time.monotonic() - real) > limit
                ),
                limit + on.world.patience_s,
            )
            finished = in_time and sending.done()
            sending.cancel()
            faults.check(finished, _SEND, "send() is still waiting after its time limit")
            outcome = stage.judged(faults.ended(sending))
            if not isinstance(outcome, outcomes.Unknown):
                faults.fail(outcomes, f"a network that hung gave {type(outcome).__name__}")

    async def test_cancelling_a_send_is_safe(self) -> None:
        async with stage.set_up(self.harness) as on:
            if isinstance(on.world, harness.Hangs):
                on.world.hang_next()
            sending = asyncio.create_task(on.bridge.send(on.reply(1)))
            await asyncio.sleep(0)
            asked = sending.cancel()
            await on.pace.until(sending.done, _SEND, "send() goes on after it was cancelled")
            how = faults.ended(sending)
            on.ears.note(how.error)
            if how.error is not None:
                faults.fail(_SEND, f"cancelled, send() raised {type(how.error).__name__}")
            faults.check(how.cancelled or not asked, _SEND, "send() swallowed its cancellation")
            outcome = await on.send(2)
            faults.check(
                isinstance(outcome, outcomes.Accepted),
                _SEND,
                f"the send after a cancelled one gave {type(outcome).__name__}",
            )
            await on.pace.quiet()
            faults.check(len(on.world.sent()) in {1, 2}, _SEND, "a cancelled send was doubled")

    async def test_close_may_come_twice(self) -> None:
        async with stage.set_up(self.harness) as on:
            for _ in range(2):
                how = await on.run(on.bridge.close(), bridge.Bridge.close)
                how.got(bridge.Bridge.close, "close()")


def _within(bound: money.Money, price: money.Money) -> None:
    """The price told at the send keeps to the quote, where both are in one currency."""
    if bound.currency == price.currency:
        faults.check(
            price.micros <= bound.micros, bridge.Bridge.quote, "the price is above the quote"
        )

"""The kit finds what is broken: the tutorial's bridge, spoilt in one place at a time."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.contract import address, bridge, conformance, intake, messages, money, outcomes
from docs.examples import filedrop
from tests.docs import filedrop_world

Spoilt = type[filedrop.FileDrop]


class AcksEarly(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        done = self._settings.folder / "done" / path.name
        path.replace(done)
        message = filedrop.parse(
            path.stem, done.read_bytes(), self.channel, self.addresses[0].address
        )
        await door.accept([message])


class AcksTheRefused(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        try:
            await super()._take(path, door)
        except intake.NotStoredError:
            path.replace(self._settings.folder / "done" / path.name)


class NeverAcks(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        message = filedrop.parse(
            path.stem, path.read_bytes(), self.channel, self.addresses[0].address
        )
        await door.accept([message])


class Raises(filedrop.FileDrop):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        raise OSError("disk")


class RaisesWithTheAddress(filedrop.FileDrop):
    async def listen(self, door: intake.Intake) -> None:
        try:
            await super().listen(door)
        except asyncio.CancelledError:
            raise bridge.BridgeDownError(filedrop_world.FileDropWorld.person.value) from None


class LogsTheAddress(filedrop.FileDrop):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        logging.getLogger(__name__).debug("to %s", reply.recipient.value)
        return await super().send(reply)


class LogsTheText(filedrop.FileDrop):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        logging.getLogger(__name__).info("sent", extra={"words": reply.text})
        return await super().send(reply)


class Naive(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        class Twice:
            async def accept(self, batch: list[messages.InboundMessage], **_: Any) -> None:  # noqa: ANN401
                # The constructor refuses it, so this one goes behind its back.
                for message in batch:
                    naive = message.received_at.replace(tzinfo=None)
                    object.__setattr__(message, "received_at", naive)
                await door.accept(batch)

        await super()._take(path, Twice())  # type: ignore[arg-type]


class NewIdEachTime(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        await super()._take(path.rename(path.with_stem(uuid.uuid4().hex)), door)


class OneIdForAll(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        await super()._take(path.rename(path.with_stem("same")), door)


class DiesOfNonsense(filedrop.FileDrop):
    async def _take(self, path: Path, door: intake.Intake) -> None:
        message = filedrop.parse(
            path.stem, path.read_bytes(), self.channel, self.addresses[0].address
        )
        await door.accept([message])
        path.replace(self._settings.folder / "done" / path.name)


class SendsTwice(filedrop.FileDrop):
    def _write(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        unique = messages.OutboundReply(
            reply_id=uuid.uuid4().hex,
            channel=reply.channel,
            sender=reply.sender,
            recipient=reply.recipient,
            text=reply.text,
            valid_until=reply.valid_until,
        )
        return super()._write(unique)


class SendsNothing(filedrop.FileDrop):
    def _write(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return outcomes.Accepted(provider_id="x")


class FloatMoney(filedrop.FileDrop):
    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return messages.Quote(price=0.08, parts=1)  # type: ignore[arg-type]


class FloatMicros(filedrop.FileDrop):
    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        return messages.Quote(price=money.Money(0.08, "EUR"), parts=1)  # type: ignore[arg-type]


class ChangingQuote(filedrop.FileDrop):
    asked = 0

    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        self.asked += 1
        return messages.Quote(price=money.Money(self.asked, "EUR"), parts=1)


class ReachesEverybody(filedrop.FileDrop):
    def reaches(self, recipient: address.Address) -> bool:
        return True


class SwallowsCancellation(filedrop.FileDrop):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        try:
            return await super().send(reply)
        except asyncio.CancelledError:
            return outcomes.Unknown(reason="cancelled")


class ListensForEver(filedrop.FileDrop):
    async def listen(self, door: intake.Intake) -> None:
        for _ in range(3):
            try:
                await super().listen(door)
            except asyncio.CancelledError:
                continue


class LaterIsPast(filedrop.FileDrop):
    def _write(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        at = self._context.clock.now() - dt.timedelta(seconds=1)
        return outcomes.NotNow(reason="busy", retry_at=at)


class LaterIsNaive(filedrop.FileDrop):
    def _write(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        at = self._context.clock.now().replace(tzinfo=None) + dt.timedelta(days=1)
        return outcomes.NotNow(reason="busy", retry_at=at)


class NoOutcome(filedrop.FileDrop):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        return None  # type: ignore[return-value]


class GivesUp(filedrop.FileDrop):
    async def listen(self, door: intake.Intake) -> None:
        return


class ClosesOnce(filedrop.FileDrop):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


def sabotaged(kind: Spoilt) -> conformance.BridgeConformance:
    class World(filedrop_world.FileDropWorld):
        patience_s = 0.4

        def create(self, settings: Mapping[str, object], context: bridge.Context) -> bridge.Bridge:
            return kind(filedrop.read(settings), context)

    class Suite(conformance.BridgeConformance):
        harness = World

    return Suite()


Check = Callable[[conformance.BridgeConformance], Any]
Kit = conformance.BridgeConformance


@pytest.mark.parametrize(
    ("kind", "check", "says"),
    [
        (AcksEarly, Kit.test_acknowledges_only_what_is_stored, "before accept.. returned"),
        (AcksTheRefused, Kit.test_what_was_not_stored_comes_again, "although accept.. raised"),
        (NeverAcks, Kit.test_acknowledges_only_what_is_stored, "never acknowledged"),
        (Raises, Kit.test_sends_exactly_one, "raised OSError"),
        (RaisesWithTheAddress, Kit.test_hands_in_what_arrives, "raised BridgeDownError"),
        (LogsTheAddress, Kit.test_sends_exactly_one, "log line shows the person's address"),
        (LogsTheText, Kit.test_sends_exactly_one, "log line shows the person's text"),
        (Naive, Kit.test_hands_in_what_arrives, "received_at is not aware"),
        (NewIdEachTime, Kit.test_ids_are_unique_and_stable, "another provider_id"),
        (OneIdForAll, Kit.test_ids_are_unique_and_stable, "share a provider_id"),
        (DiesOfNonsense, Kit.test_survives_nonsense, r"listen.. raised \w*Error"),
        (SendsTwice, Kit.test_one_reply_id_reaches_the_person_once, "was seen 4 times"),
        (SendsNothing, Kit.test_sends_exactly_one, "the world saw nothing"),
        (FloatMoney, Kit.test_quotes_whole_money_and_the_same_again, "price is a float"),
        (FloatMicros, Kit.test_quotes_whole_money_and_the_same_again, "raised TypeError"),
        (ChangingQuote, Kit.test_quotes_whole_money_and_the_same_again, "something else"),
        (ReachesEverybody, Kit.test_reaches_only_its_own_network, "says True"),
        (SwallowsCancellation, Kit.test_cancelling_a_send_is_safe, "swallowed its cancellation"),
        (ListensForEver, Kit.test_hands_in_what_arrives, "goes on after it was cancelled"),
        (LaterIsPast, Kit.test_a_wait_is_not_now, "not in the future"),
        (LaterIsNaive, Kit.test_a_wait_is_not_now, "not an aware datetime"),
        (NoOutcome, Kit.test_sends_exactly_one, "returned NoneType"),
        (GivesUp, Kit.test_hands_in_what_arrives, "returned by itself"),
        (ClosesOnce, Kit.test_close_may_come_twice, "raised RuntimeError"),
    ],
)
async def test_a_spoilt_bridge_fails_by_name(kind: Spoilt, check: Check, says: str) -> None:
    with pytest.raises(conformance.ConformanceError, match=says) as caught:
        await check(sabotaged(kind))
    # The rule it broke is quoted, and the failure itself gives nobody away.
    assert "says: " in str(caught.value)
    assert filedrop_world.FileDropWorld.person.value not in str(caught.value)

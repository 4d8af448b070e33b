"""The kit passes a bridge that can everything, and names what a broken one does wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
import sys
import unittest
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import pytest

from bot.contract import address, bridge, conformance, intake, messages, money, outcomes
from tests.bot.contract import memory_bridge

Kit = conformance.BridgeConformance
Broken = type[memory_bridge.MemoryBridge]


class TestMemory(conformance.BridgeConformance):
    harness = memory_bridge.MemoryWorld


class WaitsForEver(memory_bridge.MemoryBridge):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        await asyncio.Event().wait()
        return outcomes.Unknown(reason="never")


class ResendsWhatHung(memory_bridge.MemoryBridge):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        first = await super().send(reply)
        return first if isinstance(first, outcomes.Accepted) else await super().send(reply)


class SaysRejectedForUnknown(memory_bridge.MemoryBridge):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        outcome = await super().send(reply)
        if isinstance(outcome, outcomes.Unknown):
            return outcomes.Rejected(reason="timeout")
        return outcome


class TellsWhoInTheReason(memory_bridge.MemoryBridge):
    async def send(self, reply: messages.OutboundReply) -> outcomes.Outcome:
        outcome = await super().send(reply)
        if isinstance(outcome, outcomes.Rejected):
            return outcomes.Rejected(reason=f"landline {reply.recipient.value}")
        return outcome


class DearerThanQuoted(memory_bridge.MemoryBridge):
    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        quote = super().quote(recipient, text)
        return quote and messages.Quote(price=money.Money(1, "EUR"), parts=quote.parts)


class CountsOnePart(memory_bridge.MemoryBridge):
    def quote(self, recipient: address.Address, text: str) -> messages.Quote | None:
        quote = super().quote(recipient, text)
        return quote and messages.Quote(price=quote.price, parts=1)


class AnswersBeforeItStored(memory_bridge.MemoryBridge):
    async def take(self, body: bytes, door: intake.Intake) -> int:
        self.later = asyncio.create_task(super().take(body, door))
        return 200


class FallsOverNonsense(memory_bridge.MemoryBridge):
    async def take(self, body: bytes, door: intake.Intake) -> int:
        if body[:1] not in b"{[n":
            raise UnicodeError("no JSON")
        return await super().take(body, door)


class WelcomesNonsense(memory_bridge.MemoryBridge):
    async def take(self, body: bytes, door: intake.Intake) -> int:
        return await super().take(body, door) and 200


class CrookedPath(memory_bridge.MemoryBridge):
    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        return [bridge.Route(path="memory", app=super().routes(door)[0].app)]


class OtherwiseByItsPost(memory_bridge.MemoryBridge):
    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        async def post(_fields: bridge.Fields, _query: bytes, _body: bytes) -> bridge.Answer:
            return bridge.Answer(status=200, body=b"ok")

        (route,) = super().routes(door)
        return [bridge.Route(path=route.path, app=route.app, post=post)]


class SamePath(memory_bridge.MemoryBridge):
    def routes(self, door: intake.Intake) -> Sequence[bridge.Route]:
        return [*super().routes(door), *super().routes(door)]


class SweepsUnderNewIds(memory_bridge.MemoryBridge):
    async def sweep(self, door: intake.Intake, since: dt.datetime) -> int:
        for number, event in enumerate(self.provider.listed.values()):
            at = event.at.isoformat()
            message = self.message(f"swept-{number}", event.sender.value, event.text, at)
            await door.accept([message])
        return len(self.provider.listed)


class NeverWell(memory_bridge.MemoryBridge):
    async def health(self) -> bridge.Health:
        await asyncio.Event().wait()
        return bridge.Health(condition=bridge.Condition.UP)


class KnowsTheUnsent(memory_bridge.MemoryBridge):
    async def fetch_status(self, sent: bridge.SentReply) -> messages.DeliveryReceipt | None:
        now = self.context.clock.now()
        return messages.DeliveryReceipt(channel=self.channel, at=now, reply_id=sent.reply_id)


class FindsOthers(memory_bridge.MemoryBridge):
    async def look_up(
        self, addresses: Sequence[address.Address]
    ) -> Mapping[address.Address, address.Address | None]:
        return {memory_bridge.OWN: None}


class HasNoAddress(memory_bridge.MemoryBridge):
    def __init__(self, provider: memory_bridge.Network, context: bridge.Context) -> None:
        super().__init__(provider, context)
        self.addresses = ()


def broken(kind: Broken, **more: object) -> conformance.BridgeConformance:
    world = type("World", (memory_bridge.MemoryWorld,), {"kind": kind, **more})
    suite: conformance.BridgeConformance = type("Suite", (Kit,), {"harness": world})()
    return suite


Check = Callable[[conformance.BridgeConformance], Any]


@pytest.mark.parametrize(
    ("kind", "check", "says"),
    [
        (WaitsForEver, Kit.test_a_hanging_network_ends_by_the_time_limit, "after its time limit"),
        (WaitsForEver, Kit.test_sends_exactly_one, "the call did not end"),
        (ResendsWhatHung, Kit.test_a_broken_answer_is_unknown, "gave Accepted"),
        (SaysRejectedForUnknown, Kit.test_a_broken_answer_is_unknown, "gave Rejected"),
        (TellsWhoInTheReason, Kit.test_a_refusal_is_rejected, "shows the person's address"),
        (DearerThanQuoted, Kit.test_sends_exactly_one, "above the quote"),
        (CountsOnePart, Kit.test_quotes_the_parts_of_a_text, "counts 1 parts"),
        (AnswersBeforeItStored, Kit.test_acknowledges_only_what_is_stored, "before accept"),
        (FallsOverNonsense, Kit.test_routes_are_sound_and_refuse_nonsense, "raised UnicodeError"),
        (WelcomesNonsense, Kit.test_routes_are_sound_and_refuse_nonsense, "with 200"),
        (CrookedPath, Kit.test_routes_are_sound_and_refuse_nonsense, "does not start with /"),
        (
            OtherwiseByItsPost,
            Kit.test_routes_are_sound_and_refuse_nonsense,
            "answers otherwise by its post",
        ),
        (SamePath, Kit.test_routes_are_sound_and_refuse_nonsense, "share a path"),
        (SweepsUnderNewIds, Kit.test_sweeps_find_what_was_missed, "two provider_ids"),
        (NeverWell, Kit.test_health_answers_in_time, "did not end"),
        (KnowsTheUnsent, Kit.test_status_of_a_reply_nobody_sent, "nobody sent"),
        (FindsOthers, Kit.test_look_up_answers_for_whom_it_was_asked, "somebody else"),
        (HasNoAddress, Kit.test_says_who_it_is, "no address of our own"),
    ],
)
async def test_a_broken_bridge_fails_by_name(kind: Broken, check: Check, says: str) -> None:
    with pytest.raises(conformance.ConformanceError, match=says) as caught:
        await check(broken(kind))
    assert "says: " in str(caught.value)


async def test_settings_that_stop_at_the_first_fault_are_refused() -> None:
    def create(
        world: memory_bridge.MemoryWorld, settings: Mapping[str, object], context: bridge.Context
    ) -> bridge.Bridge:
        for key in settings:
            if key != "kind":
                raise bridge.SettingsError([(key, "is no setting")])
        return memory_bridge.MemoryBridge(world.provider, context)

    with pytest.raises(conformance.ConformanceError, match="leaves out"):
        await broken(
            memory_bridge.MemoryBridge, create=create
        ).test_settings_faults_come_all_at_once()


async def test_what_the_harness_cannot_do_is_skipped_in_sight() -> None:
    suite = broken(memory_bridge.MemoryBridge, hang_next=None)
    with pytest.raises(unittest.SkipTest, match="no hang_next"):
        await suite.test_a_hanging_network_ends_by_the_time_limit()


async def test_the_clock_wakes_sleepers_in_order_at_their_moments() -> None:
    clock = conformance.FakeClock()
    nap = clock.sleep
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await nap(seconds)
        seen.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(2.5)
        assert seen == [("a", 1.0), ("b", 2.0)]
        assert clock.now() == conformance.FakeClock().now() + dt.timedelta(seconds=2.5)
        await clock.advance(1)
    assert seen[-1] == ("c", 3.0)


async def test_the_intake_refuses_as_often_as_told_and_keeps_no_cursor_of_it() -> None:
    door = conformance.FakeIntake()
    door.refuse(1)
    with pytest.raises(intake.NotStoredError):
        await door.accept([], channel="c", cursor="1")
    assert await door.cursor("c") is None
    await door.accept([], channel="c", cursor="2")
    assert (await door.cursor("c"), door.refused, door.knocks) == ("2", 1, 2)


async def test_storage_forgets_what_is_put_as_none() -> None:
    storage = conformance.FakeStorage()
    await storage.put("k", "v")
    assert await storage.get("k") == "v"
    await storage.put("k", None)
    assert await storage.get("k") is None


async def test_call_gives_the_application_one_request() -> None:
    async def echo(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        body = (await receive())["body"]
        headers = [(b"X-Path", scope["path"].encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    answer = await conformance.call(echo, "/x", body=b"hello")
    assert (answer.status, answer.headers["x-path"], answer.body) == (201, "/x", b"hello!")


def test_the_kit_needs_no_pytest_and_the_contract_no_kit() -> None:
    code = (
        "import sys, bot.contract.bridge; assert 'bot.contract.conformance' not in sys.modules;"
        "import bot.contract.conformance; assert 'pytest' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

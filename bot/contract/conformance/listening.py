"""Checks of the way in: what is handed in, when it is acknowledged, what survives."""

from __future__ import annotations

from typing import ClassVar

from bot.contract import bridge, intake, messages
from bot.contract.conformance import faults, harness, stage

_LISTEN = bridge.Bridge.listen
_ACCEPT = intake.Intake.accept
_REFUSALS = 2


class Listens:
    """The part of the suite in which people write to us."""

    harness: ClassVar[type[harness.Harness]]

    async def test_hands_in_what_arrives(self) -> None:
        async with stage.set_up(self.harness) as on:
            on.listen()
            message = await _arrival(on, "e1")
            rule = messages.InboundMessage
            own = {mine.address for mine in on.bridge.addresses}
            faults.check(message.channel == stage.CHANNEL, rule, "the channel is another")
            faults.check(message.sender == on.world.person, rule, "the sender is somebody else")
            faults.check(message.recipient in own, rule, "the recipient is not one of `addresses`")
            faults.check(
                message.received_at.utcoffset() is not None, rule, "received_at is not aware"
            )
            await on.stop()

    async def test_ids_are_unique_and_stable(self) -> None:
        async with stage.set_up(self.harness) as on:
            on.listen()
            ids = {(await _arrival(on, event)).provider_id for event in ("e1", "e2", "e3")}
            rule = messages.InboundMessage
            faults.check(len(ids) == 3, rule, "two events share a provider_id")  # noqa: PLR2004
            on.deliver(on.inbound("e1"))
            await on.pace.quiet()
            await on.restart()
            on.listen()
            on.deliver(on.inbound("e2"))
            await on.pace.quiet()
            faults.check(
                set(on.door.stored) == ids,
                rule,
                "a redelivered event came in under another provider_id",
            )
            await on.stop()

    async def test_acknowledges_only_what_is_stored(self) -> None:
        async with stage.set_up(self.harness) as on:
            network = _acknowledging(on)
            on.door.hold()
            on.listen()
            on.deliver(on.inbound("e1"))
            await on.pace.until(lambda: on.door.knocks > 0, _LISTEN, "an event was not handed in")
            await on.pace.quiet()
            early = network.acknowledged("e1")
            faults.check(not early, _ACCEPT, "acknowledged before accept() returned")
            on.door.release()
            await on.pace.until(
                lambda: network.acknowledged("e1"), _ACCEPT, "stored but never acknowledged"
            )
            await on.stop()

    async def test_what_was_not_stored_comes_again(self) -> None:
        async with stage.set_up(self.harness) as on:
            network = _acknowledging(on)
            on.door.refuse(_REFUSALS)
            on.listen()
            on.deliver(on.inbound("e1"))
            for turn in range(1, _REFUSALS + 1):
                await on.pace.until(
                    lambda turn=turn: on.door.refused >= turn,  # type: ignore[misc]  # binds now
                    intake.NotStoredError,
                    "what was not stored is not handed in again",
                )
                faults.check(
                    not (network.acknowledged("e1") and not on.door.accepted),
                    intake.NotStoredError,
                    "acknowledged although accept() raised NotStoredError",
                )
                await network.retry()
            await on.pace.until(
                lambda: bool(on.door.accepted) and network.acknowledged("e1"),
                intake.NotStoredError,
                "refused at first, it was never stored and acknowledged",
            )
            await on.stop()

    async def test_what_came_while_away_is_handed_in(self) -> None:
        async with stage.set_up(self.harness) as on:
            network = _acknowledging(on)
            on.door.refuse(1)
            on.listen()
            on.deliver(on.inbound("e1"))
            await on.pace.until(lambda: on.door.refused > 0, _LISTEN, "an event was not handed in")
            await on.restart()
            on.listen()
            await network.retry()
            await on.pace.until(
                lambda: bool(on.door.accepted), _ACCEPT, "lost at a restart before it was stored"
            )
            await on.stop()

    async def test_listen_ends_when_cancelled_and_starts_again(self) -> None:
        async with stage.set_up(self.harness) as on:
            for event in ("e1", "e2"):
                on.listen()
                await _arrival(on, event)
                await on.stop()
            on.listen()
            await on.stop()

    async def test_survives_nonsense(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.world, harness.DeliversMalformed):
                faults.skip("the harness has no deliver_malformed()")
            on.listen()
            on.begin(on.world.deliver_malformed())
            await on.pace.quiet()
            real = await _arrival(on, "e1")
            await on.pace.quiet()
            odd = [message for message in on.door.accepted if message.text != real.text]
            faults.check(not odd, _LISTEN, "something malformed was handed in")
            await on.stop()


def _acknowledging(on: stage.Stage) -> harness.Acknowledges:
    if not isinstance(on.world, harness.Acknowledges):
        faults.skip("the harness has no acknowledged(): this network knows none")
    return on.world


async def _arrival(on: stage.Stage, event_id: str) -> messages.InboundMessage:
    """Deliver one event and wait until it is handed in with its own text."""
    event = on.inbound(event_id)
    on.deliver(event)

    def found() -> list[messages.InboundMessage]:
        return [message for message in on.door.accepted if message.text == event.text]

    await on.pace.until(
        lambda: bool(found()), _LISTEN, "an event was not handed in with the text it had"
    )
    return found()[0]

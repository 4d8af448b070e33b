"""Checks of the optional protocols, for bridges that have them."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from bot.contract import address, bridge, messages
from bot.contract.conformance import asgi, faults, harness, stage

HEALTH_S: Final = 5.0
_NONSENSE: Final = b'\x00\xff{"'
_CLIENT_ERRORS: Final = range(400, 500)


class Extras:
    """The part of the suite for what a bridge may do on top."""

    harness: ClassVar[type[harness.Harness]]

    async def test_routes_are_sound_and_refuse_nonsense(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.BringsRoutes):
                faults.skip("the bridge brings no routes")
            routes = list(on.bridge.routes(on.door))
            paths = [route.path for route in routes]
            rule = bridge.Route
            rooted = all(path.startswith("/") for path in paths)
            faults.check(rooted, rule, "a path does not start with /")
            faults.check(len(set(paths)) == len(paths), rule, "two routes share a path")
            for route in routes:
                faults.check(callable(route.app), rule, f"the app of {route.path} is not callable")
                how = await on.run(
                    asgi.call(
                        route.app,
                        route.path,
                        body=_NONSENSE,
                        headers={"content-type": "application/json"},
                    ),
                    rule,
                )
                said = how.got(rule, f"{route.path}, given nonsense,")
                faults.check(
                    said.status in _CLIENT_ERRORS,
                    rule,
                    f"{route.path} answers nonsense with {said.status}",
                )
                if route.post is not None:
                    fields = ((b"host", b"testserver"), (b"content-type", b"application/json"))
                    short = await on.run(route.post(fields, b"", _NONSENSE), rule)
                    told = short.got(rule, f"the post of {route.path}, given nonsense,")
                    faults.check(
                        (told.status, told.body) == (said.status, said.body),
                        rule,
                        f"{route.path} answers otherwise by its post ({told.status})",
                    )
            faults.check(not on.door.accepted, rule, "nonsense was handed in by a route")

    async def test_sweeps_find_what_was_missed(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.SweepsInbound):
                faults.skip("the bridge cannot sweep")
            rule = bridge.SweepsInbound.sweep
            since = on.pace.clock.now() - dt.timedelta(hours=1)
            event = on.inbound("e1")
            on.deliver(event)
            await on.pace.quiet()
            for _ in range(2):
                how = await on.run(on.bridge.sweep(on.door, since), rule)
                listed: object = how.got(rule, "sweep()")
                faults.check(
                    isinstance(listed, int) and listed > 0, rule, "sweep() listed no message"
                )
            found = [m for m in on.door.accepted if m.text == event.text]
            faults.check(bool(found), rule, "the missed event was not handed in")
            ids = {message.provider_id for message in found}
            faults.check(len(ids) == 1, rule, "two sweeps gave one event two provider_ids")

    async def test_health_answers_in_time(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.ReportsHealth):
                faults.skip("the bridge does not report health")
            rule = bridge.ReportsHealth.health
            virtual, real = on.pace.clock.monotonic(), time.monotonic()
            how = await on.run(on.bridge.health(), rule)
            health: object = how.got(rule, "health()")
            # By the slower of the two clocks: a bridge may count by either.
            took = min(on.pace.clock.monotonic() - virtual, time.monotonic() - real)
            if not isinstance(health, bridge.Health):
                faults.fail(rule, f"health() returned {type(health).__name__}")
            faults.check(took <= HEALTH_S, rule, "health() took more than five seconds")
            faults.check(
                health.last_event_at is None or health.last_event_at.utcoffset() is not None,
                bridge.Health,
                "last_event_at is not an aware datetime",
            )
            on.ears.forbid(health.detail, "Health.detail")

    async def test_status_of_a_reply_nobody_sent(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.FetchesStatus):
                faults.skip("the bridge cannot ask what became of a reply")
            rule = bridge.FetchesStatus.fetch_status
            lost = bridge.SentReply(
                reply_id="f" * 32,
                provider_id=None,
                recipient=on.world.person,
                sent_at=on.pace.clock.now(),
            )
            how = await on.run(on.bridge.fetch_status(lost), rule)
            answer = how.got(rule, "fetch_status()")
            faults.check(answer is None, rule, "there is a receipt for a reply nobody sent")

    async def test_look_up_answers_for_whom_it_was_asked(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.LooksUpIdentities):
                faults.skip("the bridge looks up nobody")
            rule = bridge.LooksUpIdentities.look_up
            asked = [address.Address(address.SMS, "+33639980001")]
            answers: object = (await on.run(on.bridge.look_up(asked), rule)).got(rule, "look_up()")
            if not isinstance(answers, Mapping):
                faults.fail(rule, f"look_up() returned {type(answers).__name__}")
            faults.check(set(answers) <= set(asked), rule, "somebody else was looked up too")
            faults.check(
                all(a is None or a.network == on.bridge.network for a in answers.values()),
                rule,
                "an answer is of another network",
            )

    async def test_finds_what_is_missing_without_raising(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.ChecksItself):
                faults.skip("the bridge does not check itself")
            rule = bridge.ChecksItself.check
            self._findings(on, (await on.run(on.bridge.check(), rule)).got(rule, "check()"), rule)
            faults.check(not on.door.accepted, rule, "check() handed something in")

    async def test_shows_what_setting_up_would_do(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.SetsUp):
                faults.skip("the bridge sets nothing up")
            rule = bridge.SetsUp.set_up
            shown = await on.run(on.bridge.set_up(apply=False), rule)
            self._findings(on, shown.got(rule, "set_up()"), rule)

    def _findings(self, on: stage.Stage, found: object, rule: object) -> None:
        if not isinstance(found, Sequence) or not found:
            faults.fail(rule, "no finding came, not even a good one")
        for one in found:
            if not isinstance(one, bridge.Finding):
                faults.fail(rule, f"a finding is a {type(one).__name__}")
            faults.check(bool(one.about and one.sentence), rule, "a finding says nothing")
            bad = one.verdict is not bridge.Verdict.GOOD
            faults.check(bool(one.mend) or not bad, rule, f"{one.about} has no mend")
            on.ears.forbid(f"{one.about} {one.sentence} {one.mend}", "Finding")

    async def test_a_reason_for_release_is_a_sentence(self) -> None:
        async with stage.set_up(self.harness) as on:
            if not isinstance(on.bridge, bridge.WantsRelease):
                faults.skip("the bridge knows no reason to wait for a moderator")
            rule = bridge.WantsRelease.release_reason
            reason = on.bridge.release_reason()
            faults.check(reason is None or bool(reason.strip()), rule, "the reason is empty")

    async def test_receipts_belong_to_this_channel(self) -> None:
        async with stage.set_up(self.harness) as on:
            on.listen()
            await on.send()
            await on.pace.quiet()
            await on.stop()
            for receipt in on.door.taken_receipts:
                rule = messages.DeliveryReceipt
                faults.check(receipt.channel == stage.CHANNEL, rule, "a receipt of another channel")
                faults.check(receipt.at.utcoffset() is not None, rule, "`at` is not aware")

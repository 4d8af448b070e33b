"""signal-cli-rest-api and Signal behind it, in memory; the real bridge in front, by webhook."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from bot.contract import address, bridge, clock
from bridges.signal import bridge as real
from bridges.signal import pace, rest, settings
from tests.dst import outside, people, wire

SECRET: Final = "a-secret-of-the-path-0123"
OURS: Final = people.OURS[people.SIGNAL]
_TABLE: Final[Mapping[str, object]] = {
    "number": OURS,
    "secret": SECRET,
    "url": "http://127.0.0.1:8081",
    "canary": False,
    "gap_s": 3,
}


class Signal(outside.Network):
    """One account. Webhooks are called once: what we do not take then is lost, as in life."""

    in_hand_s = pace.PATIENCE_S

    def __init__(self, world: outside.Outside, channel: str = people.SIGNAL) -> None:
        super().__init__(world, channel)
        self._stamps: dict[int, outside.Call] = {}
        self._users = {n for n in range(40) if world.draw.random() < 0.5}

    async def make(self, context: bridge.Context) -> bridge.Bridge:
        made = real.create(settings.read(_TABLE, context.channel), context)
        assert isinstance(made._transport, rest.Rest)
        made._transport._http._opened = wire.Session(self._asked)  # type: ignore[assignment]
        return made

    # ------------------------------------------------------------ what it is asked

    async def _asked(self, asked: wire.Asked) -> wire.Told:
        if asked.method == "POST" and asked.path == "/v2/send":
            return await self._send(asked.json)
        await self.world.question("Signal is asked")
        if asked.path == "/v1/about":
            return wire.Told(json={"version": "0.100", "mode": "json-rpc"})
        if asked.path == "/v1/accounts":
            return wire.Told(json=[OURS])
        if asked.path.startswith("/v1/search/"):
            return self._search(asked)
        return wire.Told(json=[]) if asked.method == "GET" else wire.Told(status=204, raw=b"")

    async def _send(self, told: Mapping[str, object]) -> wire.Told:
        recipients = told["recipients"]
        assert isinstance(recipients, list)
        name = str(recipients[0])
        network = address.SMS if name.startswith("+") else address.SIGNAL
        # Signal knows nothing of our ids: to one person one message, so he is its name.
        call = self.world.call(self, f"signal to {name}", address.Address(network, name), 0)
        return await self.world.treat(self, call)

    def _search(self, asked: wire.Asked) -> wire.Told:
        # Once it was challenged nobody is looked up for a day: the rest of the run.
        if self.world.fault("look_up_challenged", 0.4 if self.world.deadly else 0.1):
            told_: dict[str, object] = {"error": "rate limit", "challenge_tokens": ["a-captcha"]}
            return wire.Told(status=429, json=told_)
        if self.world.fault("look_up_limited", 0.2):
            self.world.unanswered("Signal is asked", "look_up_limited")
            return wire.Told(status=429, json={"error": "rate limit"})
        told = [
            {"number": number, "registered": int(number[-4:]) in self._users}
            for number in asked.query["numbers"].split(",")
        ]
        return wire.Told(json=told)

    def take(self, call: outside.Call, number: int) -> None:
        stamp = clock.to_ms(self.world.clock.true())
        while stamp in self._stamps:
            stamp += 1
        call.provider_id, call.price = str(stamp), 0
        self._stamps[stamp] = call
        if self.world.fault("news_lost", 0.2):
            call.met.add("news_lost")
            return
        for n in range(1 + self.world.fault("news_twice", 0.2)):
            self._receipt(self.world.draw.uniform(0, 3_000), call, stamp, again=n > 0)

    def good(self, call: outside.Call) -> wire.Told:
        return wire.Told(status=201, json={"timestamp": call.provider_id})

    def refusal(self, *, of_account: bool) -> wire.Told:
        if of_account:
            return wire.Told(status=400, json={"error": "Authorization failed (401)"})
        return wire.Told(status=400, json={"error": "Invalid recipient"})

    # ------------------------------------------------------------ what it calls

    async def early(self, call: outside.Call) -> bool:
        return await self._post(self._delivered(call, int(str(call.provider_id))))

    def _receipt(self, delay_s: float, call: outside.Call, stamp: int, *, again: bool) -> None:
        async def act() -> None:
            well = await self._post(self._delivered(call, stamp))
            self.world.effects["news_twice"] += well and again

        self.world.later(delay_s, act)

    def _delivered(self, call: outside.Call, stamp: int) -> dict[str, object]:
        told = {"isDelivery": True, "timestamps": [stamp]}
        return {**self._from(call.to, None), "receiptMessage": told}

    def _from(self, who: address.Address, number: address.Address | None) -> dict[str, object]:
        now_ms = clock.to_ms(self.world.clock.true())
        aci = (
            who.value if who.network == address.SIGNAL else people.aci_of(int(who.value[-4:])).value
        )
        shown = number.value if number else who.value if who.network == address.SMS else None
        return {
            "source": shown or aci,
            "sourceNumber": shown,
            "sourceUuid": aci,
            "sourceDevice": 1,
            "timestamp": now_ms,
            "serverReceivedTimestamp": now_ms,
        }

    def write(self, letter: people.Letter, acked: Callable[[people.Letter], None]) -> None:
        letter.wrote = self.world.written(letter)
        envelope = {
            **self._from(letter.sender, letter.alias),
            "dataMessage": {"message": letter.text, "timestamp": 0, "attachments": []},
        }
        # Its own name of a message is who, which device, when.
        envelope["timestamp"] = envelope["serverReceivedTimestamp"] = clock.to_ms(letter.wrote)

        async def deliver(*, again: bool = False) -> None:
            letter.handed = True
            self.read_out(letter)
            if await self._post(envelope):
                acked(letter)
                self.world.effects["delivered_twice"] += again
            else:
                self.world.faults["webhook_given_up"] += 1
                letter.met.add("webhook_given_up")
            if self.world.fault("delivered_twice", 0.15):
                self.world.later(self.world.draw.uniform(0, 5_000), lambda: deliver(again=True))

        self.world.later(self.lateness(letter, 0, 900), deliver)

    def bound(self, letter: people.Letter) -> bool:
        return letter.acked_s is not None

    async def _post(self, envelope: Mapping[str, object]) -> bool:
        body = json.dumps({"envelope": envelope, "account": OURS}).encode()
        path = f"/signal/{self.channel}/{SECRET}"
        return await self.world.knock(
            self.channel, path, body, {"content-type": "application/json"}
        )

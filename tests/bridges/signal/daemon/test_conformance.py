"""The kit on the bridge above the daemon: a socket file, HTTP, and polling."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.contract import address, bridge, conformance
from bridges import signal
from tests.bridges.signal import envelopes, world
from tests.bridges.signal.daemon import desk
from tests.peers import signal_cli_fake, signal_cli_http

ODD: tuple[object, ...] = (
    3,
    None,
    {},
    {"envelope": {"sourceUuid": 7}},
    {"envelope": {"dataMessage": []}},
)


class OverSocketFile:
    """What was told comes by a subscription; nothing of it comes twice."""

    way = "daemon"
    person = address.Address(address.SIGNAL, world.HIM)
    patience_s = 5.0
    quiet_s = 0.2
    time_limit_s = 1.0

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.side = self.make()
        self.events: list[object] = []
        self.faults: list[str] = []

    def make(self) -> signal_cli_fake.FakeDaemon:
        return signal_cli_fake.FakeDaemon(Path(self.folder.name) / "s")

    async def open(self) -> None:
        await self.side.__aenter__()
        self.side.envelope = lambda number: self.events[number]
        self.side.before, self.side.after = self.before, self.after

    async def close(self) -> None:
        await self.side.__aexit__()
        self.folder.cleanup()

    def settings(self) -> Mapping[str, object]:
        # A send right after another waits within the bridge; a longer gap is test_sends' affair.
        return world.table(self.side.url, self.way, gap_s=1)

    def create(self, settings: Mapping[str, object], lent: bridge.Context) -> bridge.Bridge:
        return signal.create(settings, lent)

    async def deliver(self, inbound: conformance.Inbound) -> None:
        stamp = envelopes.stamp(inbound.event_id)
        self.post(envelopes.text(inbound.sender.value, inbound.text, stamp))

    def post(self, event: object) -> None:
        self.events.append(event)
        self.side.post(len(self.events) - 1)

    async def deliver_malformed(self) -> None:
        for event in ODD:
            self.post(event)

    def sent(self) -> Sequence[conformance.Sent]:
        return [conformance.Sent(recipient=to, text=text) for to, text in self.side.sent]

    def refuse_next(self) -> None:
        self.faults.append("unregistered")

    def wait_next(self) -> None:
        self.faults.append("limited")

    def break_next(self) -> None:
        self.faults.append("break")

    def hang_next(self) -> None:
        self.faults.append("hang")

    def before(self, client: signal_cli_fake.Client, method: str, params: object) -> None:
        kinds = {
            "unregistered": (-1, "UNREGISTERED_FAILURE"),
            "limited": (-5, "RATE_LIMIT_FAILURE"),
        }
        if method == "send" and self.faults and self.faults[0] in kinds:
            code, kind = kinds[self.faults.pop(0)]
            raise signal_cli_fake.Trouble(code, "Failed to send message", [{"type": kind}])

    def after(self, client: signal_cli_fake.Client, method: str, raw: bytes) -> bytes:
        if method != "send" or not self.faults or self.faults[0] not in {"break", "hang"}:
            return raw
        if self.faults.pop(0) == "break":
            return b"nonsense\n"
        # A hang may be meant for a send that was cancelled before it came here.
        return b"" if self.side.sent[-1][1].endswith(" 1") else raw


class TestOverSocketFile(conformance.BridgeConformance):
    harness = OverSocketFile


class ByPolling(OverSocketFile):
    """What an answer held is gone from Signal."""

    way = "daemon-polling"


class TestByPolling(conformance.BridgeConformance):
    harness = ByPolling


class OverHttp(OverSocketFile):
    """Events as a stream."""

    def make(self) -> signal_cli_fake.FakeDaemon:
        return signal_cli_http.FakeHttp()


class TestOverHttp(conformance.BridgeConformance):
    harness = OverHttp


def test_the_three_reach_the_same_account() -> None:
    assert desk.NUMBER == envelopes.OURS

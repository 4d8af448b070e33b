"""Sends and questions: every fault of the daemon becomes one of the transport's own words."""

import asyncio
import random
import uuid

import pytest

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges.signal import transport
from bridges.signal.transport import Verdict
from tests.bridges.signal.daemon import desk
from tests.peers import signal_cli_fake, signal_cli_http

ACI = "11111111-1111-4111-8111-000000001110"
TROUBLES = [(-5, "limited"), (-4, "untrusted"), (-3, "unsure"), (-32602, "gone")]


def refusing(code: int, words: str = "x", **one: object) -> object:
    def before(client: object, method: str, params: object) -> None:
        results = [{"type": "RATE_LIMIT_FAILURE", **one}] if one else None
        raise signal_cli_fake.Trouble(code, words, results)

    return before


async def test_a_send_reaches_the_aci_once(fake: signal_cli_fake.FakeDaemon) -> None:
    async with desk.opened(fake.url) as daemon:
        answer = await daemon.send(ACI, "bonjour")
    assert answer.verdict is Verdict.TAKEN
    assert answer.timestamp_ms
    assert fake.delivered == {ACI: 1}
    assert fake.asked == [
        ("send", {"account": desk.NUMBER, "recipient": [ACI], "message": "bonjour"})
    ]


@pytest.mark.case("C28")
@pytest.mark.parametrize(("code", "verdict"), TROUBLES)
async def test_an_error_is_named(fake: signal_cli_fake.FakeDaemon, code: int, verdict: str) -> None:
    fake.before = refusing(code)  # type: ignore[assignment]
    async with desk.opened(fake.url) as daemon:
        answer = await daemon.send(ACI, "bonjour")
    assert answer.verdict == verdict
    assert not fake.delivered


@pytest.mark.case("C28")
async def test_a_captcha_is_handed_on_and_its_solution_in(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    fake.before = refusing(-5, token="tok", retryAfterSeconds=86_400)  # type: ignore[assignment]
    async with desk.opened(fake.url) as daemon:
        answer = await daemon.send(ACI, "bonjour")
        looked = await daemon.search(["+33639981111"])
        fake.before = lambda *_: None
        assert await daemon.solve("tok", "signalcaptcha://right")
        assert not await daemon.solve("tok", "signalcaptcha://wrong")
    assert answer == transport.Answer(
        verdict=Verdict.LIMITED, challenge="tok", retry_after_s=86_400, reason=answer.reason
    )
    assert (looked.limited, looked.challenge, looked.accounts) == (True, "tok", {})


async def test_questions(fake: signal_cli_fake.FakeDaemon) -> None:
    fake.identities = [
        {"uuid": ACI, "trustLevel": "UNTRUSTED"},
        {"uuid": "x", "trustLevel": "TRUSTED"},
    ]
    async with desk.opened(fake.url) as daemon:
        assert await daemon.about() == transport.About(
            version="0.13.19", mode="daemon", accounts=1, ours=True
        )
        found = await daemon.search(["+33639981111", "+33639982222"])
        assert found.accounts["+33639981111"].aci == signal_cli_fake.ACI.format(1111)
        assert found.accounts["+33639982222"] == transport.Account(registered=False)
        assert await daemon.untrusted() == 1
        assert await daemon.trust(ACI)
        assert await daemon.untrusted() == 0
        assert not await daemon.trust(str(uuid.UUID(int=7)))
        assert await daemon.profile_name() == "."
        assert await daemon.set_profile_name(".")
        assert await daemon.go_covert()
        assert (await daemon.note_to_self("x")).verdict is Verdict.TAKEN
        assert daemon.routes(desk.Keeping()) == ()
    covert = dict(fake.asked)["updateConfiguration"]
    assert (covert["readReceipts"], covert["typingIndicators"]) == (False, False)
    assert fake.delivered == {desk.NUMBER: 1}


async def test_nobody_there_means_certainly_not_sent(fake: signal_cli_fake.FakeDaemon) -> None:
    async with desk.opened(fake.url) as daemon:
        await fake.stop()
        assert (await daemon.send(ACI, "x")).verdict is Verdict.AWAY
        with pytest.raises(transport.AwayError):
            await daemon.about()
        found = await daemon.findings()
        assert [one.verdict for one in found] == [bridge.Verdict.FAULT]
        fake.start()
        assert (await daemon.send(ACI, "x")).verdict is Verdict.TAKEN
    assert fake.delivered == {ACI: 1}


async def test_a_hanging_send_ends_in_time_and_the_next_gets_a_new_connection(
    fake: signal_cli_fake.FakeDaemon,
) -> None:
    moment = fakes.FakeClock()
    fake.after = lambda _client, method, raw: b"" if method == "send" else raw
    async with desk.opened(fake.url, moment, send_limit_s=30.0) as daemon:
        sending = asyncio.ensure_future(daemon.send(ACI, "x"))
        await desk.until(lambda: bool(fake.delivered))
        await moment.advance(29)
        assert not sending.done()
        await moment.advance(2)
        assert (await sending).verdict is Verdict.UNSURE
        fake.after = lambda _client, _method, raw: raw
        assert (await daemon.send(ACI, "x")).verdict is Verdict.TAKEN
        await desk.until(lambda: fake.clients[0].ended == "ours")
    assert len(fake.clients) == 2


@pytest.mark.parametrize("reply", [b"nonsense\n", b'{"jsonrpc"', b"[" * 5000 + b"\n", b"\xff\n"])
async def test_an_unreadable_answer_is_unsure(
    fake: signal_cli_fake.FakeDaemon, reply: bytes
) -> None:
    def after(client: signal_cli_fake.Client, method: str, raw: bytes) -> bytes:
        asyncio.get_running_loop().call_later(0.05, client.cut, "cut")
        return reply

    fake.after = after
    async with desk.opened(fake.url) as daemon:
        assert (await daemon.send(ACI, "x")).verdict is Verdict.UNSURE
    assert fake.delivered == {ACI: 1}


async def test_a_cancelled_send_leaves_nothing_behind(fake: signal_cli_fake.FakeDaemon) -> None:
    fake.after = lambda _client, _method, _raw: b""
    async with desk.opened(fake.url) as daemon:
        async with desk.running(daemon.send(ACI, "x")):
            await desk.until(lambda: bool(fake.delivered))
        fake.after = lambda _client, _method, raw: raw
        assert (await daemon.about()).ours


class Faulty:
    """Random faults, before the send (nothing goes out) and after it (it may have)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def before(self, client: signal_cli_fake.Client, method: str, params: object) -> None:
        fault = self.random.randrange(12)
        if method != "send" or fault > 5:
            return
        if fault == 5:
            client.cut("cut")
        code = (-5, -4, -3, -1, -32603, -1)[fault]
        raise signal_cli_fake.Trouble(code, "Failed to send message")

    def after(self, client: signal_cli_fake.Client, method: str, raw: bytes) -> bytes:
        match self.random.randrange(10) if method == "send" else -1:
            case 0:
                client.cut("cut")
                return b""
            case 1:
                return raw + raw
            case 2:
                return b"nonsense\n"
            case 3:
                asyncio.get_running_loop().call_later(0.02, client.cut, "cut")
                return raw[: len(raw) // 2]
        return raw


async def test_a_thousand_sends_under_random_faults(fake: signal_cli_fake.FakeDaemon) -> None:
    """TAKEN went out once; what is certainly not sent did not; UNSURE at most once."""
    faulty = Faulty(4)
    fake.before, fake.after = faulty.before, faulty.after
    certain = {Verdict.LIMITED, Verdict.UNTRUSTED, Verdict.REFUSED, Verdict.AWAY, Verdict.GONE}
    names = [signal_cli_fake.ACI.format(n) for n in range(1000)]
    gate = asyncio.Semaphore(8)
    async with desk.opened(fake.url, send_limit_s=20.0) as daemon:

        async def one(name: str) -> Verdict:
            async with gate:
                return (await daemon.send(name, "x")).verdict

        verdicts = dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))
    assert {Verdict.TAKEN, Verdict.UNSURE, Verdict.LIMITED} <= set(verdicts.values())
    for name, verdict in verdicts.items():
        sent = fake.delivered[name]
        assert sent <= 1
        assert (verdict is not Verdict.TAKEN) or sent == 1
        assert (verdict not in certain) or sent == 0


async def test_http_calls() -> None:
    async with signal_cli_http.FakeHttp() as fake, desk.opened(fake.url) as daemon:
        assert (await daemon.about()).ours
        assert (await daemon.send(ACI, "x")).verdict is Verdict.TAKEN
        fake.before = refusing(-5, token="tok")  # type: ignore[assignment]
        assert (await daemon.send(ACI, "x")).challenge == "tok"
        fake.before = lambda *_: None
        fake.after = lambda _client, _method, _raw: b"nonsense"
        assert (await daemon.send(ACI, "x")).verdict is Verdict.UNSURE
        fake.rpc_status = 404
        assert (await daemon.send(ACI, "x")).verdict is Verdict.AWAY
    assert fake.delivered[ACI] == 3  # the 404 is the fake's own: a real one does nothing


async def test_http_time_limit_and_nobody_there() -> None:
    moment = fakes.FakeClock()
    async with signal_cli_http.FakeHttp() as fake:
        async with desk.opened(fake.url, moment, send_limit_s=30.0) as daemon:
            waits = asyncio.Event()

            async def hang(client: object, params: object) -> object:
                await waits.wait()
                return {}

            fake._do_send = hang  # type: ignore[assignment,method-assign]
            sending = asyncio.ensure_future(daemon.send(ACI, "x"))
            await desk.until(lambda: bool(fake.asked))
            await moment.advance(31)
            assert (await sending).verdict is Verdict.UNSURE
            waits.set()
        url = fake.url
    async with desk.opened(url) as daemon:
        assert (await daemon.send(ACI, "x")).verdict is Verdict.AWAY

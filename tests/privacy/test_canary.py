"""A made-up number and sentence go through the real program, and are looked for byte by byte."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import sqlite3
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from typer import testing

from bot import cli
from tests.bridges.signal import envelopes
from tests.bridges.sms.smsgate import phone
from tests.bridges.sms.twilio import exchange
from tests.e2e import program
from tests.privacy import canary

SECRET = "0123456789abcdef0123456789abcdef"
JSON = {"content-type": "application/json"}
OTHER = "+33639980002"
TWILIO, SIGNAL = "+447700900002", "+447700900003"
AWAY = "http://127.0.0.1:9"
CHANNELS = f"""
[channels.tw]
kind = "sms.twilio"
account_sid = "{exchange.ACCOUNT}"
auth_token = "{exchange.TOKEN}"
addresses = ["{TWILIO}"]
base_url = "{AWAY}"
countries = []
send_limit_s = 2

[channels.gate]
kind = "sms.smsgate"
api = "phone"
url = "{AWAY}"
username = "sms"
password = "of-a-test"
signing_key = "{phone.KEY}"
device_id = "{phone.DEVICE}"
addresses = ["+33639980001"]

[channels.sig]
kind = "signal"
number = "{SIGNAL}"
secret = "{SECRET}"
url = "{AWAY}"
"""
COMMANDS = (
    *(["status"], ["status", "--json"], ["check", "--offline"], ["review", "--replies"]),
    *(
        ["review", "--json"],
        ["ledger"],
        ["forecast"],
        ["mode"],
        ["why", "1"],
        ["why", "2", "--json"],
    ),
    *(["keys", "show"], ["addresses"], ["why", "--address", canary.NUMBER]),
    *(["approve", canary.NUMBER], ["block", canary.NUMBER + "x"], ["block", canary.NUMBER]),
    ["erase", canary.NUMBER],
    ["export", OTHER, "--proved-otherwise", "a test"],
    ["export", OTHER, "--proved-otherwise", f"asked by {canary.NUMBER}"],
)
PATHS = (
    *("/", "/api/channels", "/health", f"/{canary.NUMBER}", f"/?from={canary.NUMBER}"),
    *(f"/twilio/tw/in?From={urllib.parse.quote(canary.NUMBER)}", f"/signal/sig/{canary.ACI}"),
    *("/fr", "/robots.txt", "/metrics"),
)


class Living:
    """The program with a channel of each kind, and all that it ever showed."""

    def __init__(self, folder: Path, channels: str = CHANNELS) -> None:
        self.house = program.Program(folder, f"{AWAY}/")
        self.admin = program.free_port()
        self.config = folder / "config.toml"
        self.shown: dict[str, bytes] = {}
        level = self.config.read_text().replace('level = "warning"', 'level = "debug"')
        admin = (
            f'[web]\nadmin_listen = "127.0.0.1:{self.admin}"\npublic_url = "https://a.example.org"'
        )
        self.config.write_text(level.replace("[web]", admin, 1) + channels)
        self.config.chmod(0o600)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.house.url + path, data=body, headers=headers) as answer,
        ):
            self.shown[f"answer {len(self.shown)} of {path[:12]}"] = await answer.read()
            return answer.status

    async def get(self, base: str, path: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(base + path) as answer:
            head = "\n".join(f"{k}: {v}" for k, v in answer.headers.items()).encode()
            self.shown[f"page {len(self.shown)}"] = head + await answer.read()

    async def types(self, number: int, words: list[str]) -> None:
        typed = [*words, "--config", str(self.config)]
        # In a thread: commands have an event loop of their own.
        result = await asyncio.to_thread(testing.CliRunner().invoke, cli.app, typed)
        self.shown[f"command {number} {words[0]}"] = result.output.encode()

    def keep_files(self, when: str) -> None:
        """All files that are there now, but for the settings."""
        for path in self.house.folder.rglob("*"):
            if path.is_file() and path != self.config:
                self.shown[f"{when}: {path.name}"] = path.read_bytes()


async def written(living: Living) -> None:
    """By every network, well-formed and not."""
    form = {
        "AccountSid": exchange.ACCOUNT,
        "MessageSid": "SM" + "0" * 31 + "1",
        "SmsSid": "SM" + "0" * 31 + "1",
        "From": canary.NUMBER,
        "To": TWILIO,
        "Body": canary.WORDS,
        "NumMedia": "0",
        "NumSegments": "1",
    }
    url = "https://a.example.org/twilio/tw/in"
    body = urllib.parse.urlencode(form).encode()
    assert await living.post("/twilio/tw/in", body, exchange.signed(url, form)) == 200
    wrong = {**exchange.signed(url, form), "x-twilio-signature": canary.WORDS.encode().hex()}
    assert await living.post("/twilio/tw/in", body, wrong) == 403
    await living.post("/twilio/tw/in", body[:-40] + b"%zz&From=" + canary.NUMBER.encode(), wrong)
    now = dt.datetime.now(dt.UTC)
    told = phone.received(
        canary.WORDS,
        at=now,
        sender=canary.NUMBER,
        phoneNumber=canary.NUMBER,
        recipient="+33639980001",
    )
    event = json.dumps(told).encode()
    assert await living.post("/sms/gate/events", event, phone.signature(event, now)) == 200
    await living.post("/sms/gate/events", event[:-9], phone.signature(event[:-9], now))
    await living.post("/sms/gate/events", event, phone.signature(event, now, "another-key"))
    at_ms = int(now.timestamp() * 1000)
    raw = envelopes.text(canary.ACI, canary.WORDS, at_ms, number=canary.NUMBER)
    envelope = json.dumps(envelopes.notification({**raw, "account": SIGNAL})).encode()
    assert await living.post(f"/signal/sig/{SECRET}", envelope) < 300
    await living.post(f"/signal/sig/{SECRET}", envelope[:-5])
    odd = envelopes.data(canary.ACI, at_ms + 5, {"message": {"not": canary.WORDS}})
    await living.post(f"/signal/sig/{SECRET}", json.dumps(odd).encode())
    await living.post("/signal/sig/wrong", envelope)
    for sender, message_id in ((canary.NUMBER, "c1"), (OTHER, "o1")):
        told = {"id": message_id, "from": sender, "text": canary.WORDS}
        path = "/phone/sms/api/messages"
        assert await living.post(path, json.dumps(told).encode(), JSON) == 200
    await living.post("/phone/sms/api/messages", json.dumps({"from": canary.NUMBER}).encode(), JSON)
    await living.post(f"/{canary.NUMBER}", canary.WORDS.encode())


async def quiet(path: Path) -> bool:
    """Whether nothing waits to be sent: refused, unknown, or put off by an hour."""
    query = (
        "SELECT count(*) FROM replies WHERE state = 'sending' OR "
        "(state = 'scheduled' AND attempts = 0)"
    )
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        return bool(connection.execute(query).fetchone()[0] == 0)


@pytest.fixture
async def living(tmp_path: Path) -> AsyncIterator[Living]:
    made = Living(tmp_path)
    async with program.ended(made.house):
        yield made


@pytest.mark.slow
@pytest.mark.case("C33")
async def test_the_canary_is_found_nowhere(living: Living) -> None:
    house = living.house
    await house.start()
    await house.ready()
    await written(living)
    for path in PATHS:
        await living.get(house.url, path)
    await program.until("each reply to be tried", lambda: quiet(house.database))
    for path in ("/health", "/metrics"):
        await living.get(f"http://127.0.0.1:{living.admin}", path)
    for number, words in enumerate(COMMANDS):
        await living.types(number, list(words))
    await living.types(99, ["backup", str(house.folder / "b.db")])
    assert (house.folder / "b.db").is_file(), living.shown["command 99 backup"]
    living.keep_files("alive")
    await house.terminate(20)
    living.keep_files("ended")
    assert any(name.endswith("antirelou.log") for name in living.shown)
    assert any(name.endswith("-wal") for name in living.shown)
    log = living.shown["ended: antirelou.log"]
    assert b'"level": "debug"' in log
    with contextlib.closing(sqlite3.connect(house.database)) as connection:
        (n,) = connection.execute("SELECT count(*) FROM inbound").fetchone()
        channels = {row[0] for row in connection.execute("SELECT channel FROM inbound")}
    assert channels == {"tw", "gate", "sig", "sms"}
    assert n >= 5
    assert canary.places(living.shown) == []


@pytest.mark.parametrize("shape", sorted(canary.shapes()))
def test_each_shape_would_be_found(shape: str) -> None:
    """A planted leak of each kind."""
    needle = canary.shapes()[shape]
    planted = {"log": b'{"event": "x", "n": "' + needle + b'"}', "clean": b"nothing"}
    assert f"log: {shape}" in canary.places(planted)
    assert not [one for one in canary.places(planted) if one.startswith("clean")]


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b'{"from":"', b"From="])
def test_base64_is_seen_at_every_alignment(before: bytes) -> None:
    for plain in (canary.NUMBER.encode(), b"kanarikanari"):
        coded = base64.b64encode(before + plain + b'","text":"salut"}')
        assert [one for one in canary.places({"log": coded}) if "base64" in one]

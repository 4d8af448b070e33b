"""The canary through seven.io's bridge in the real rooms, and through `simulate`."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer import testing

from bot import build, cli, logs
from bot.contract import bridge
from bot.policy import settings
from bot.store import database, keyvalue, schema
from tests.bot.simulate import recordings
from tests.bridges.sms.seven import gateway
from tests.fakes import world
from tests.privacy import canary

CORE = settings.Core(who=settings.Who(answer_fiction=True))
PUBLIC = "https://sms.example.org"
HOURS_S = 7_200.0
# One of each kind of answer.
FAULTS = ("", "code-11", "bare-900", "http-401", "cut-before", "http-502-after", "nonsense-after")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the process logs, at debug level, as `run` has it."""
    out, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    hook = sys.unraisablehook
    logs.setup("debug", "json", out)
    yield out
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook, sys.unraisablehook = before[2], before[3], hook
    structlog.reset_defaults()


async def opened(
    folder: Path, side: gateway.Gateway
) -> tuple[build.Rooms, bridge.AsgiApp, world.Clock]:
    """The rooms on a real file, and where seven.io posts its events."""
    store = database.Store(folder / "bot.db")
    await store.open()
    keys = await schema.prepare(store, folder / "keys")
    moment = world.Clock()
    context = bridge.Context(
        channel="sms",
        clock=moment,
        storage=keyvalue.KeyValue(store, "sms"),
        currency="EUR",
        public_url=PUBLIC,
    )
    made = side.create(side.table(), context)
    rooms = build.rooms(store=store, core=CORE, keys=keys, bridges={"sms": made}, moment=moment)
    (route,) = made.routes(rooms.intake)
    return rooms, route.app, moment


def event(moment: world.Clock, number: int, **more: object) -> dict[str, object]:
    told = gateway.received(canary.WORDS, str(number), sender=canary.NUMBER[1:])
    told["data"] |= {"time": str(int(moment.now().timestamp())), **more}
    return told


@pytest.mark.slow
@pytest.mark.case("C33")
@pytest.mark.parametrize("fault", FAULTS)
async def test_by_seven_it_is_found_nowhere(tmp_path: Path, log: io.StringIO, fault: str) -> None:
    side = gateway.Gateway()
    await side.open()
    rooms, app, moment = await opened(tmp_path, side)
    shown: dict[str, bytes] = {}
    try:
        good = event(moment, 1)
        raw = json.dumps(good).encode()
        statuses = []
        for told, key in ((good, gateway.KEY), (good, "another"), (raw[:-7], gateway.KEY)):
            answer = await gateway.post(app, told, at=moment.now(), key=key)
            shown[f"answer {len(shown)}"] = answer.body
            statuses.append(answer.status)
        odd = event(moment, 2, text={"not": canary.WORDS})
        statuses.append((await gateway.post(app, odd, at=moment.now())).status)
        assert statuses == [200, 403, 403, 403]
        side.faults.append(fault)
        await moment.advance(HOURS_S)
        await rooms.dispatcher.step()
        assert not side.faults, "nothing was sent"
        report = gateway.report("NOTDELIVERED", "77000000001", foreign_id=canary.WORDS)
        await gateway.post(app, report, at=moment.now())
        for chore in ("ask", "tidy", "sweep", "forget"):
            await rooms.janitor.step(chore)
        way = rooms.bridges["sms"]
        assert isinstance(way, bridge.ReportsHealth)
        shown["health"] = repr(await way.health()).encode()
        shown |= {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name.startswith("bot.db")}
    finally:
        await rooms.bridges["sms"].close()
        await rooms.store.close()
        await side.close()
    shown["log"] = log.getvalue().encode()
    assert '"level": "debug"' in log.getvalue()
    assert any(name.endswith("-wal") for name in shown)
    assert canary.places(shown) == []


GOOD = recordings.line(1.5, canary.NUMBER, canary.WORDS)
BAD = (
    {**GOOD, "at": canary.WORDS},
    {**GOOD, "id": 7, "body": canary.WORDS},
    {**GOOD, "from": canary.NUMBER + "\x00"},
    {**GOOD, "to": canary.NUMBER},
    {**GOOD, "body": [canary.WORDS]},
    {canary.WORDS: canary.NUMBER},
)


@pytest.mark.case("C33")
@pytest.mark.parametrize("bad", [None, *BAD])
def test_simulate_shows_nothing_of_it(tmp_path: Path, bad: dict[str, object] | None) -> None:
    many = [recordings.line(60.0 * n, recordings.film(100 + n), "Salut") for n in range(1, 4)]
    path = recordings.write(tmp_path / "trace.jsonl", [GOOD, *many, *([bad] if bad else [])])
    shown: dict[str, bytes] = {}
    for words in ([], ["--json"]):
        told = testing.CliRunner().invoke(cli.app, ["simulate", str(path), *words])
        shown[f"simulate {words}"] = told.output.encode()
        assert told.exit_code == (0 if bad is None else 1)
        assert told.output
    assert canary.places(shown) == []

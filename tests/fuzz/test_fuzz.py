"""A share of `make fuzz`, and each input that once broke something."""

import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bot import config
from bot.contract import address
from bot.contract.conformance import fakes
from bot.simulate import trace
from bot.web import direct, posts
from bridges.matrix import places
from bridges.matrix import wire as matrix
from tools.fuzz import __main__ as fuzz
from tools.fuzz import corpus, hooks, mutate, readers, target, wire

INPUTS = {"cli": 40, "trace": 150, "twilio": 100, "connection": 200}
NAMES = [one.name for one in fuzz.targets(pathlib.Path("none"))]


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", NAMES)
async def test_odd_inputs_break_nothing_and_leave_no_unsigned_row(
    name: str, tmp_path: pathlib.Path
) -> None:
    counts = await fuzz.tried(fuzz.targets(tmp_path, [name]), 20_171_027, INPUTS.get(name, 400))
    told = counts[name].told()
    assert (told["exceptions"], told["rows"]) == (0, 0), told["first"]
    assert told["refused"]
    assert counts[name].inputs > counts[name].refused or name == "cli"


@pytest.mark.parametrize("one", [readers.Envelopes(), readers.Matrix(), readers.Commands()])
def test_the_same_with_examples_that_shrink(one: Any) -> None:  # noqa: ANN401 (a target)
    @hypothesis.settings(max_examples=40)
    @hypothesis.given(draw=st.randoms(use_true_random=False))
    def tried(draw: Any) -> None:  # noqa: ANN401 (hypothesis's own Random)
        ran = one.one(draw)
        with pytest.raises(StopIteration) as done:
            ran.send(None)
        assert done.value.value.rows == 0

    tried()


async def test_a_reader_that_breaks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "broken"

        async def one(self, draw: Any) -> target.Tried:  # noqa: ANN401 (random.Random)
            if draw.random() < 0.5:
                raise KeyError("x")
            return target.Tried(rows=1, signed=False)

    counts = await fuzz.tried([Broken()], 1, 50)
    assert counts["broken"].exceptions + counts["broken"].rows == 50
    assert 0 < counts["broken"].rows < 50
    assert not fuzz.show(counts, 1, 0.0)
    assert json.loads(target.written(counts))["broken"]["inputs"] == 50


async def test_a_webhook_without_its_check_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The targets can tell: a hook whose secret everybody knows stores unsigned rows."""
    hook = hooks.all_of()[1]
    assert isinstance(hook, hooks.Hook)
    sealed = hook._sealed
    monkeypatch.setattr(hook, "_sealed", lambda body, _key, draw: sealed(body, hooks.KEY, draw))
    counts = await fuzz.tried([hook], 3, 60)
    assert counts["smsgate"].rows > 0
    assert not fuzz.show(counts, 3, 0.0)


async def is_seen(broken: target.Target) -> bool:
    """Whether any of a thousand inputs finds the fault."""
    count = target.Count()
    for number in range(1_000):
        await target.attempt(broken, 1, number, count)
        if count.exceptions:
            return True
    return False


@pytest.mark.parametrize(
    ("name", "laxer"),
    [
        ("_LENGTH", re.compile(rb"[+0-9]{1,7}\Z")),
        ("_FIELD", re.compile(rb"([!-9;-~ ]+): ?([ -\xff]*)", re.DOTALL)),
        ("_NOT_HERE", frozenset()),
        ("_ONCE", ()),
    ],
)
async def test_a_connection_that_frames_otherwise_is_seen(
    name: str, laxer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, name, laxer)
    monkeypatch.setattr(posts, "_known", {})
    assert await is_seen(wire.Connection())


async def test_a_connection_that_loses_its_place_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def more(self: direct.Connection, turn: direct.Turn, data: bytes) -> None:
        """Whatever follows the body is the body."""
        self._body += data
        if len(self._body) >= turn.head.length:
            self._answer(turn)

    monkeypatch.setattr(direct.Connection, "_more", more)
    assert await is_seen(wire.Connection())


def test_an_input_can_be_made_again_alone() -> None:
    first, again = (target.drawn("x", 7, 11) for _ in range(2))
    made = [mutate.json_of(draw, corpus.MATRIX) for draw in (first, again)]
    assert made[0] == made[1]
    assert made[0] != mutate.json_of(target.drawn("x", 7, 12), corpus.MATRIX)


def test_the_command_writes_its_figures(tmp_path: pathlib.Path) -> None:
    asked = [sys.executable, "-m", "tools.fuzz", "--inputs", "5", "--only", "commands"]
    asked += ["--json", str(tmp_path / "fuzz.json")]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "fuzz.json").read_text())["commands"]
    assert (told["inputs"], told["exceptions"], told["rows"]) == (5, 0, 0)


# ---------------------------------------------------------------- found by fuzzing


def _place() -> places.Place:
    return places.Place(room_id="!r:example.org", joined={"@a:example.org"})


@pytest.mark.parametrize(
    "event",
    [
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": [{}]}},
        {"type": "m.room.create", "state_key": "", "content": {"additional_creators": [{}]}},
        {"type": "m.room.create", "state_key": "", "content": {"room_version": "9" * 5_000}},
        {"type": "m.room.power_levels", "state_key": "",
         "content": {"users": {"@a:example.org": float("inf")}}},
        {"type": "m.room.message", "content": {"msgtype": ["m.text"], "body": "x"}},
        {"type": {"m": 1}, "content": {}},
        {"type": "m.room.member", "state_key": "@b:example.org", "event_id": "\ud800" * 300,
         "content": {"membership": "join"}},
    ],
)  # fmt: skip
@pytest.mark.case("C22")
def test_no_event_of_a_stranger_stops_the_timeline(event: dict[str, Any]) -> None:
    whole = {"event_id": "$e", "sender": "@b:example.org", "origin_server_ts": 1, **event}
    place = _place()
    told = matrix.changes(whole, place, fakes.NOON)
    assert place.member("@a:example.org").joined
    heard = matrix.Heard(event=whole)
    assert matrix.read(heard, place, "@us:example.org") is None
    own = address.Address(address.MATRIX, "@us:example.org")
    assert matrix.contact(heard, channel="m", own=own, now=fakes.NOON) is None
    # Who joined is told, however odd the name of the event.
    assert len(told) == (event["type"] == "m.room.member")


@pytest.mark.parametrize(
    "text", ["a = " + "9" * 5_000, "a = " + "[" * 3_000, "a = 1e999999999999999999999"]
)
@pytest.mark.case("C36")
def test_odd_toml_is_a_fault_of_the_file(text: str, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(config.ConfigError, match=r"a\.toml: "):
        config.load(file, environ={})
    value = text.removeprefix("a = ")
    with pytest.raises(config.ConfigError, match="must be"):
        config.load(None, overrides=[f"web.port={value}"], environ={})


@pytest.mark.parametrize("file", ["\ud800", "a\x00b"])
def test_a_secrets_file_with_an_odd_name_is_a_fault(file: str) -> None:
    with pytest.raises(config.ConfigError, match="cannot be read"):
        config.load(None, environ={"ANTIRELOU_CHANNELS__SMS__TOKEN_FILE": file})


@pytest.mark.parametrize(
    ("line", "changed", "expected"),
    [
        (1, {"id": "a\x00b"}, "printable"),
        (1, {"id": "\ud800"}, "printable"),
        (0, {"start": "9999-12-31T00:00:00+00:00"}, "year"),
        (0, {"sms_price_per_segment": {"currency": "EUR", "FR": [1, [2], 10**30]}}, "prices"),
        (0, {"start": "0001-01-01T00:00:00+14:00"}, "year"),
    ],
)
def test_what_cannot_be_read_is_told_when_it_is_measured(
    line: int, changed: dict[str, object], expected: str, tmp_path: pathlib.Path
) -> None:
    lines = [dict(one) for one in corpus.TRACE]
    lines[line] |= changed
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join(mutate.dumped(one) for one in lines))
    with pytest.raises(trace.TraceError, match=expected):
        trace.measure(file)

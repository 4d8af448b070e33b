from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from bot import simulate
from bot.policy import settings
from bot.simulate import made, trace
from tests.bot.simulate import recordings

GOOD = recordings.line(1.5, recordings.film(1), "Salut")


def _raw(path: Path, *lines: object) -> Path:
    """The world's line as it should be, then these; bytes and text go in as they are."""
    out = [json.dumps(recordings.WORLD).encode()]
    for one in lines:
        text = one if isinstance(one, str | bytes) else json.dumps(one)
        out.append(text.encode() if isinstance(text, str) else text)
    path.write_bytes(b"\n".join(out) + b"\n")
    return path


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("{", "one JSON object"),
        ('{"at": 1', "one JSON object"),
        ("[1]", "in braces"),
        ("", "one JSON object"),
        ("[" * 100_000, "one JSON object"),
        (b'{"at": 1, "body": "\xff"}', "UTF-8"),
        ({k: v for k, v in GOOD.items() if k != "body"}, "body is missing"),
        ({k: v for k, v in GOOD.items() if k != "at"}, "at is missing"),
        ({**GOOD, "at": "1"}, "expected at"),
        ({**GOOD, "at": True}, "expected at"),
        ({**GOOD, "at": None}, "expected at"),
        ({**GOOD, "at": -0.1}, "expected at"),
        ({**GOOD, "at": float("nan")}, "expected at"),
        ({**GOOD, "at": float("inf")}, "expected at"),
        ({**GOOD, "at": 1e300}, "expected at"),
        ({**GOOD, "at": 1.4}, "no earlier"),
        ({**GOOD, "id": 7}, "expected id"),
        ({**GOOD, "id": ""}, "expected id"),
        ({**GOOD, "id": "x" * 300}, "expected id"),
        ({**GOOD, "from": None}, "expected from"),
        ({**GOOD, "from": "a\x00b"}, "number or a sender's name"),
        ({**GOOD, "from": "9" * 400}, "number or a sender's name"),
        ({**GOOD, "to": 3}, "expected to"),
        ({**GOOD, "body": ["x"]}, "expected body"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, bad: object, expected: str) -> None:
    path = _raw(tmp_path / "t.jsonl", GOOD, bad, GOOD)
    with pytest.raises(simulate.TraceError, match=expected) as caught:
        trace.measure(path)
    assert caught.value.line == 3
    assert "line 3" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("start", "yesterday", "start"),
        ("start", "2017-10-27T08:00:00", "offset"),
        ("start", 3, "start"),
        ("timezone", "Mars/Olympus", "timezone"),
        ("timezone", "../etc/passwd", "timezone"),
        ("timezone", None, "timezone"),
        ("to", 5, "expected to"),
        ("signal", "x", "signal"),
        ("signal", [1], "signal"),
        ("sms_price_per_segment", None, "sms_price_per_segment"),
        ("sms_price_per_segment", {"FR": "0.08"}, "currency"),
        ("sms_price_per_segment", {"currency": "euro"}, "expected"),
        ("sms_price_per_segment", {"currency": "EUR", "FR": "dear"}, "decimal"),
        ("sms_price_per_segment", {"currency": "EUR", "FR": "-0.1"}, "zero or more"),
        ("sms_price_per_segment", {"currency": "EUR", "FR": "0.00000001"}, "decimal"),
        ("sms_price_per_segment", {"currency": "EUR", "FR": True}, "decimal"),
    ],
)
def test_a_bad_world_is_line_one(tmp_path: Path, key: str, value: object, expected: str) -> None:
    path = recordings.write(tmp_path / "t.jsonl", [GOOD], **{key: value})
    with pytest.raises(simulate.TraceError, match=expected) as caught:
        trace.measure(path)
    assert caught.value.line == 1


def test_an_empty_and_a_missing_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    with pytest.raises(simulate.TraceError, match=r"line 1.*empty"):
        trace.measure(empty)
    with pytest.raises(simulate.TraceError, match="cannot be read"):
        trace.measure(tmp_path / "missing.jsonl")


@pytest.mark.parametrize("kept", [0.4, 0.9, 0.999])
def test_a_gzip_that_was_cut_short(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "t.jsonl.gz"
    made.write(path, made.Plan(people=50, pests=1, pest_messages=5), 1)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(simulate.TraceError, match="cut short or damaged"):
        trace.measure(path)


def test_a_gzip_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    packed = recordings.write(tmp_path / "t.jsonl.gz", [GOOD])
    renamed = tmp_path / "t.jsonl"
    renamed.write_bytes(packed.read_bytes())
    assert trace.measure(renamed).messages == 1


def test_nothing_is_half_done_by_a_fault_at_the_end(tmp_path: Path) -> None:
    said = [(float(i), recordings.film(i), "Salut") for i in range(1, 50)]
    path = recordings.write(tmp_path / "t.jsonl", said)
    with path.open("a") as file:
        file.write("{broken\n")
    goal = tmp_path / "replies.jsonl"
    goal.write_text("from before\n")
    told: list[int] = []
    with pytest.raises(simulate.TraceError, match="line 51"):
        simulate.run(
            path, settings.Core(), replies=goal, progress=lambda done, _all: told.append(done)
        )
    assert goal.read_text() == "from before\n"
    assert told == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["replies.jsonl", "t.jsonl"]


def test_an_error_repeats_neither_number_nor_words(tmp_path: Path) -> None:
    bad = json.dumps(recordings.line(1, recordings.film(77), "canary words")) + ","
    path = _raw(tmp_path / "t.jsonl", bad)
    with pytest.raises(simulate.TraceError) as caught:
        trace.measure(path)
    assert "canary" not in str(caught.value)
    assert "0077" not in str(caught.value)


def test_prices_may_be_numbers_and_stay_exact(tmp_path: Path) -> None:
    price = {"currency": "EUR", "FR": 0.07, "default": 1}
    path = recordings.write(tmp_path / "t.jsonl", [], sms_price_per_segment=price)
    world = trace.measure(path).world
    assert world.prices == {"FR": 70_000}
    assert world.default_micros == 1_000_000


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(people: int) -> int:
        path = tmp_path / f"{people}.jsonl"
        made.write(path, made.Plan(people=people, pests=0, stops=0, robots=0), 3)
        tracemalloc.start()
        try:
            trace.measure(path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(4_000) < peak(400) + 800_000


@hypothesis.given(st.binary(max_size=200))
@hypothesis.example(b"\x1f\x8b")
def test_bytes_at_random_are_a_trace_error_or_a_trace(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.jsonl"
    path.write_bytes(json.dumps(recordings.WORLD).encode() + b"\n" + data)
    try:
        size = trace.measure(path)
    except simulate.TraceError as error:
        found = error.line - 1
    else:
        found = size.messages
    assert found <= data.count(b"\n") + 1


def test_plain_and_packed_are_read_alike(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "t.jsonl", [GOOD])
    packed = tmp_path / "t.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    one = list(trace.inbound(path, "sms"))
    assert one == list(trace.inbound(packed, "sms"))
    assert one[0][1].text == "Salut"

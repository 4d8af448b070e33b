"""Bytes to answers, events and findings: what needs no connection."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.contract import bridge
from bridges.signal import transport
from bridges.signal.daemon import findings, jsonrpc, outcome, place, sse
from bridges.signal.transport import Verdict
from tests.bridges.signal.daemon import desk

THEIRS = "+33639980002"


def failed(*kinds: str, token: str | None = None, wait_s: int | None = None) -> object:
    one = {"token": token, "retryAfterSeconds": wait_s, "recipientAddress": {"number": THEIRS}}
    return {"response": {"timestamp": 1, "results": [{**one, "type": kind} for kind in kinds]}}


@pytest.mark.case("C28")
@pytest.mark.parametrize(
    ("code", "words", "data", "verdict"),
    [
        (
            -5,
            "Failed to send message due to rate limiting",
            failed("RATE_LIMIT_FAILURE"),
            "limited",
        ),
        (-1, "Failed to send message", failed("RATE_LIMIT_FAILURE"), "limited"),
        (-4, "Failed to send message due to untrusted identities", None, "untrusted"),
        (-4, "", failed("IDENTITY_FAILURE"), "untrusted"),
        # signal-cli calls every failure that it does not know an identity failure.
        (-1, "Failed to send message", failed("IDENTITY_FAILURE"), "unsure"),
        (-1, "Failed to send message", failed("UNREGISTERED_FAILURE"), "unregistered"),
        (-1, "Failed to send message", failed("NETWORK_FAILURE"), "unsure"),
        (-1, "Failed", failed("NETWORK_FAILURE", "UNREGISTERED_FAILURE"), "unsure"),
        (-1, "Failed to send message", failed("INVALID_PRE_KEY_FAILURE"), "unsure"),
        (-1, "Failed to send message", None, "unsure"),
        (-1, f"The user {THEIRS} is not registered.", None, "unregistered"),
        (-1, f"User {desk.NUMBER} is not registered.", None, "gone"),
        (-1, "Invalid phone number", None, "refused"),
        (-1, "Sending empty message is not allowed", None, "refused"),
        (-3, "Connection closed!", None, "unsure"),
        (-32602, "Specified account does not exist", None, "gone"),
        (-32601, "Method not implemented", None, "refused"),
        (-32603, "x [401] Authorization failed! (AuthorizationFailedException)", None, "gone"),
        (-32603, "StatusCode: 499 (DeprecatedVersionException)", None, "outdated"),
        (-32603, "[429] Rate limit exceeded: 429 (RateLimitException)", None, "limited"),
        (-32603, "Failed to send message: Connection closed! (IOException)", None, "unsure"),
        (-99, "who knows", None, "unsure"),
    ],
)
def test_what_a_failed_send_means(code: int, words: str, data: object, verdict: str) -> None:
    answer = outcome.refused(jsonrpc.RefusedError(code, words, data), desk.NUMBER)
    assert answer.verdict == verdict
    assert THEIRS not in answer.reason
    assert answer.timestamp_ms is None


@pytest.mark.case("C28")
def test_a_challenge_brings_its_token_and_its_wait() -> None:
    data = failed("RATE_LIMIT_FAILURE", token="tok-1", wait_s=86_400)
    answer = outcome.refused(jsonrpc.RefusedError(-5, "", data), desk.NUMBER)
    assert (answer.challenge, answer.retry_after_s) == ("tok-1", 86_400)
    plain = outcome.refused(
        jsonrpc.RefusedError(-5, "", failed("RATE_LIMIT_FAILURE", wait_s=-1)), desk.NUMBER
    )
    assert plain.challenge is None
    assert plain.retry_after_s


@hypothesis.given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_result_is_taken_for_sent_without_a_timestamp(result: object) -> None:
    assert outcome.taken(result).verdict is Verdict.UNSURE
    assert outcome.taken({"timestamp": 5, "results": result}) == transport.Answer(
        verdict=Verdict.TAKEN, timestamp_ms=5
    )


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b"5", b"null", b"[" * 100_000, b'{"id":5,"result":1}', b'{"id":"1"}'),
        *(b'{"id":null,"error":{"code":-32700,"message":"x"}}', b"\xff\xfe", b'{"method":5}'),
    ],
)
def test_a_line_that_is_none_of_ours_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested|neither"):
        jsonrpc.read(line)


def test_an_error_shows_no_words_of_the_daemon() -> None:
    error = jsonrpc.RefusedError(-1, f"The user {THEIRS} is not registered.", {"x": THEIRS})
    assert THEIRS not in f"{error} {error!r}"


@hypothesis.given(st.text(min_size=1))
def test_a_request_is_one_line_whatever_the_text(text: str) -> None:
    line = jsonrpc.request("1", "send", {"message": text})
    assert line.count(b"\n") == 1
    assert json.loads(line)["params"]["message"] == text


@hypothesis.given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1)), st.integers(1, 9))
def test_events_come_out_whole_however_they_are_cut(texts: list[str], size: int) -> None:
    told = [json.dumps({"t": text}).encode() for text in texts]
    stream = b":\n" + b"".join(b"event:receive\ndata:" + one + b"\n\n:\n" for one in told)
    reader = sse.Reader()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == told


def test_an_event_without_end_is_refused() -> None:
    reader = sse.Reader()
    for _ in range(15):
        assert not reader.feed(b"x" * 65_536)
    with pytest.raises(sse.EventTooLongError):
        reader.feed(b"x" * 131_072)


def test_places() -> None:
    assert place.read("unix:///run/signal-cli/socket") == place.Place(path="/run/signal-cli/socket")
    assert place.read("tcp://127.0.0.1:7583") == place.Place(host="127.0.0.1", port=7583)
    assert place.read("http://127.0.0.1:8080/").url == "http://127.0.0.1:8080"
    with pytest.raises(ValueError, match="neither"):
        place.read("ftp://x")


GOOD = [
    "signal-cli",
    "--trust-new-identities",
    "always",
    "daemon",
    "--socket",
    "/run/x",
    "--receive-mode=manual",
    "--no-receive-stdout",
    "--ignore-attachments",
]


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (GOOD, {"start of the daemon"}),
        ([], {"start of the daemon"}),
        ([w for w in GOOD if w != "--receive-mode=manual"], {"--receive-mode"}),
        ([*GOOD, "--receive-mode", "on-start"], {"--receive-mode"}),
        ([w for w in GOOD if w != "--ignore-attachments"], {"--ignore-attachments"}),
        ([w for w in GOOD if w != "--no-receive-stdout"], {"--no-receive-stdout"}),
        ([w for w in GOOD if w != "always"], {"--trust-new-identities"}),
        ([*GOOD, "--send-read-receipts"], {"--send-read-receipts"}),
        (["daemon"], {"--receive-mode", "--ignore-attachments", "--trust-new-identities"}
         | {"--no-receive-stdout"}),
    ],
)  # fmt: skip
def test_how_a_daemon_was_started_is_looked_at(words: list[str], about: set[str]) -> None:
    found = findings.started(words)
    assert {one.about for one in found} == about
    if words is GOOD:
        assert found[0].verdict is bridge.Verdict.GOOD
    else:
        assert all(one.verdict is not bridge.Verdict.GOOD and one.mend for one in found)

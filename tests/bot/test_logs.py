"""A canary number, handle, text and secret, pushed through every path into the log (C33)."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable

import pytest
import structlog

from bot import logs
from bot.contract import bridge

NUMBER = "+33639981234"
SPACED = "+33 6 39 98 12 34"
NATIONAL = "06 39 98 12 34"
MXID = "@pest.er:matrix.example.org"
MAIL = "pest.er@example.org"
ACI = "7e3d0c1a-93b7-4c55-8a51-0a5f2b9d4e11"
# Put together, so that it stands nowhere in this file: words of a source are let through.
TEXT = "je te vois {}".format("purple-canary")
SECRET = "hunter2-token"
CANARIES = (NUMBER, NUMBER[1:], SPACED, NATIONAL, "pest.er", ACI, "purple-canary", SECRET)
REPLY = "9f86d081884c7d659a2feaa0c55ad015"

pytestmark = pytest.mark.case("C33")


@pytest.fixture(params=["json", "console"])
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    logs.setup("debug", request.param, stream)
    return stream


def check_clean(out: io.StringIO, *wanted: str) -> str:
    written = out.getvalue()
    assert written
    for canary in CANARIES:
        assert canary not in written
    for words in wanted:
        assert words in written
    return written


@pytest.mark.parametrize(
    "written",
    [NUMBER, NUMBER[1:], SPACED, NATIONAL, "0033639981234", "%2B33639981234", f"+33(0){NUMBER[3:]}",
     "+1 (202) 555-0123", "+33-6-39-98-12-34", "tel:+447700900123", f"sms:{NUMBER};x",
     "5550123", MXID, MAIL, ACI, ACI.upper(), "a33639981234b"],
)  # fmt: skip
def test_addresses_are_masked_wherever_they_stand(written: str) -> None:
    masked = logs.mask(f"from {written}, at last")
    assert masked.startswith("from ")
    assert masked.endswith(", at last")
    assert written not in masked
    assert sum(character.isdigit() for character in masked) < 4


@pytest.mark.parametrize(
    "plain",
    [REPLY, "2026-11-22T04:48:23.123456Z", "2026-11-22 04:48:23+01:00", "2026-11-22", "12:30:45",
     "127.0.0.1:8080", "sqlite:antirelou.db", "0.08 EUR", "inbox.py:33", "123456"],
)  # fmt: skip
def test_reply_ids_and_times_stay(plain: str) -> None:
    assert logs.mask(f"see {plain} there") == f"see {plain} there"


def test_own_lines_hide_telling_keys_and_mask_the_rest(out: io.StringIO) -> None:
    log = structlog.get_logger("test")
    log.debug(
        f"asked by {NUMBER}",  # noqa: G004 (what must not happen, happens)
        text=TEXT,
        sender=NUMBER,
        auth_token=SECRET,
        raw=TEXT.encode(),
        note=f"{MXID} and {MAIL}",
        nested={"body": TEXT, "list": [NUMBER, {"to": NUMBER}], NUMBER: 1},
        plain=33639981234,
        error=ValueError(TEXT),
        reply=REPLY,
        due_ms=1763786903123,
        parts=2,
    )
    check_clean(out, REPLY, "1763786903123", "ValueError", "[number]", logs.HIDDEN)


def test_context_variables_are_masked_too(out: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(sender=NUMBER, about=f"to {SPACED}"):
        structlog.get_logger().info("bound")
    check_clean(out, "bound")


def test_tracebacks_keep_places_and_lose_words_and_locals(out: io.StringIO) -> None:
    def reads(words: str) -> None:
        held = words + NUMBER
        try:
            raise KeyError(held)  # noqa: TRY301 (a chain is wanted)
        except KeyError as error:
            raise ValueError(f"cannot read {held}") from error

    try:
        reads(TEXT)
    except ValueError:
        structlog.get_logger().exception("ours")
        logging.getLogger("library").exception("could not send")
    group = ExceptionGroup(TEXT, [ValueError(TEXT), OSError(28, TEXT)])
    structlog.get_logger().error("group", exc_info=group)
    written = check_clean(out, "could not send", "in reads", "KeyError", "No space left")
    assert written.count("ValueError") >= 3


def test_our_own_errors_keep_their_words(out: io.StringIO) -> None:
    error = bridge.BridgeDownError(f"daemon away, {NUMBER}")
    structlog.get_logger().error("down", exc_info=error)
    check_clean(out, "BridgeDownError: daemon away, [number]")


@pytest.mark.parametrize("name", ["aiohttp.server", "nio.client", "twilio.http_client", "x.y"])
def test_library_lines_keep_their_own_words_only(out: io.StringIO, name: str) -> None:
    library = logging.getLogger(name)
    library.warning("from %s: %r after %d tries, id %d", NUMBER, TEXT, 3, 33639981234)
    library.error("named %(sender)s", {"sender": TEXT})
    library.error(f"made of {TEXT}")
    library.error(TEXT)
    library.error("%s", ValueError(TEXT))
    library.error("too few %s %s", TEXT)
    library.error("the wrong kind %d", TEXT)
    library.error("more", extra={"body": TEXT, "sender": NUMBER}, stack_info=True)
    check_clean(out, "after 3 tries", "[hidden] at test_logs.py")


def test_loud_libraries_are_silent_below_warning(out: io.StringIO) -> None:
    structlog.get_logger().debug("something")
    for name in ("twilio.http_client", "aiohttp.access", "uvicorn.access", "sqlalchemy.engine.x"):
        logging.getLogger(name).info("POST /Messages")
        logging.getLogger(name).debug("POST /Messages")
    assert "Messages" not in check_clean(out, "something")


def test_servers_own_lines_are_shown_masked(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Listening on %s:%d for %s", "127.0.0.1", 80, NUMBER)
    check_clean(out, "Listening on 127.0.0.1:80 for [number]")


@pytest.mark.parametrize("name", ["uvicorn.error", "alembic.runtime.migration"])
@pytest.mark.parametrize(
    ("level", "shown"), [("debug", ["i", "w"]), ("info", ["w"]), ("warning", ["w"]), ("error", [])]
)
def test_servers_chatter_is_for_debugging_and_their_warnings_are_not(
    name: str, level: str, shown: list[str]
) -> None:
    stream = io.StringIO()
    logs.setup(level, "json", stream)
    logging.getLogger(name).info("i")
    logging.getLogger(name).warning("w")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == shown


def test_levels_hold(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logs.setup("warning", "json", stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("loud", "warning")
    assert told["timestamp"].endswith("Z")
    assert capsys.readouterr() == ("", "")


def test_uncaught_errors_and_warnings_go_through_the_masks(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ValueError(TEXT + NUMBER)
    sys.excepthook(ValueError, error, None)
    told = threading.ExceptHookArgs((ValueError, error, None, None))
    threading.excepthook(told)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(TEXT, UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    written = check_clean(out, "uncaught")
    assert written.count("uncaught") == 2
    assert capsys.readouterr() == ("", "")


def test_a_lost_task_is_told_without_its_words(out: io.StringIO) -> None:
    async def lose() -> None:
        async def fail() -> None:
            raise ValueError(TEXT)

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(fail())
        await asyncio.wait({task})
        loop.call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": task.exception(),
             "future": task}
        )  # fmt: skip

    asyncio.run(lose())
    check_clean(out, "ValueError", "in fail")


def test_a_broken_stream_does_not_print_the_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError

    logs.setup("info", "json", Broken())
    logging.getLogger("library").error("for %s", NUMBER)
    assert capsys.readouterr() == ("", "")


def test_setting_up_twice_writes_once() -> None:
    stream = io.StringIO()
    call: Callable[[], None] = lambda: logs.setup("info", "json", stream)  # noqa: E731 (twice the same)
    call()
    call()
    logging.getLogger("library").error("once")
    assert stream.getvalue().count("once") == 1

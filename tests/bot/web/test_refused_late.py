"""Uvicorn refuses what it can no longer refuse: a body that turns out broken after the answer."""

import pytest

from tests.bot.web.wired import Hook, Parser, connected, made, turns

CHUNKED = b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.case("C10")
@pytest.mark.parametrize("parser", ["h11", "httptools"])
@pytest.mark.parametrize("begun", [b"GET /api/channels", b"HEAD /hook", b"POST /hook"])
async def test_a_body_that_is_no_body_ends_the_connection_and_raises_nothing(
    begun: bytes, parser: Parser
) -> None:
    """Both were found by tools/fuzz; what is raised here would be a traceback in the log."""
    one, wire = connected(made(Hook(), parser, short=True))
    one.data_received(begun + CHUNKED)
    await turns()
    one.data_received(b"no length of a chunk\r\n")
    await turns()
    assert wire.closed
    assert wire.written.startswith(b"HTTP/1.1 ")
    one.connection_lost(None)

"""A short share of `make fuzz`."""

import random
import re
import urllib.parse

import hypothesis
import hypothesis.strategies as st
import pytest

from bridges.sms.twilio import wire
from tools import fuzz_webhook

SHARE = 1_500


@pytest.mark.case("C10")
async def test_odd_requests_leave_no_row_and_no_exception() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    try:
        counts = await fuzz_webhook.run(SHARE, seed)
    except fuzz_webhook.Fault as fault:
        pytest.fail(f"seed {seed}: {fault}")
    assert counts.total() == SHARE
    assert counts["200, signed"] > 0
    assert counts["200, unsigned"] == 0


@pytest.mark.case("C10")
@hypothesis.given(st.binary(max_size=300))
def test_bytes_are_a_form_or_a_wire_error(body: bytes) -> None:
    try:
        form = wire.parse(body)
    except wire.WireError:
        return
    assert all(name and "\x00" not in name + value for name, value in form.pairs)


pairs = st.lists(
    st.tuples(st.text(min_size=1, max_size=9), st.text(max_size=30)), min_size=1, max_size=30
)


@hypothesis.given(pairs)
def test_what_is_encoded_is_read_back_with_repeats_and_blanks(told: list[tuple[str, str]]) -> None:
    hypothesis.assume(not any("\x00" in name + value for name, value in told))
    assert list(wire.parse(urllib.parse.urlencode(told).encode()).pairs) == told


@pytest.mark.case("C10")
def test_the_limits() -> None:
    fits = b"&".join(b"f%d=" % n for n in range(wire.MAX_FIELDS))
    assert len(wire.parse(fits).pairs) == wire.MAX_FIELDS
    for body in (fits + b"&one=more", b"a=" + b"x" * wire.MAX_BODY_BYTES, b"", b"a=%00"):
        with pytest.raises(wire.WireError):
            wire.parse(body)


def _by_the_library(body: bytes) -> list[tuple[str, str]] | None:
    """As Python's own decoder reads it; None for what is no form."""
    fields = body.split(b"&")
    well = all(b"=" in one and not one.startswith(b"=") for one in fields)
    if not well or re.search(rb"%(?![0-9A-Fa-f]{2})|%00", body):
        return None
    apart = (one.replace(b"+", b" ").partition(b"=") for one in fields)
    try:
        return [(_plain(name), _plain(value)) for name, _, value in apart]
    except UnicodeDecodeError:
        return None


def _plain(raw: bytes) -> str:
    return urllib.parse.unquote_to_bytes(raw).decode("utf-8")


_PIECES = (
    rb"a = & + % \ \x41 %41 %5C %5cn %c3%a9 %C3 %A9 %F0%9F%98%80 %1E %1e %3D %26 %2B %00 %0a N1"
)


@hypothesis.given(st.lists(st.sampled_from(_PIECES.split()), max_size=12).map(b"".join))
@hypothesis.example(b"a=%1Eb%3Dc&d%3De=f")
@hypothesis.example(b"a=\\%5C\\x41\\n%41")
def test_a_form_is_what_the_library_reads_or_no_form(body: bytes) -> None:
    try:
        found = list(wire.parse(body).pairs)
    except wire.WireError:
        found = None
    assert found == _by_the_library(body)

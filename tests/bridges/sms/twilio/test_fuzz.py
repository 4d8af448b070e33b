"""A short share of `make fuzz`."""

import random
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

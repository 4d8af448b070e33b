"""What the daemon's answer to a send or a look-up means. Pure; in doubt UNSURE.

Read in signal-cli 0.13.19 (SendMessageResultUtils, JsonSendMessageResult): a send to one person
that did not succeed is an error whose `data.response.results` name the failure. It asks whether
there was a network failure before it asks for others, and calls every failure it does not know
`IDENTITY_FAILURE`: only error -4 says that it was one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bridges.signal import answers, transport
from bridges.signal.daemon import jsonrpc
from bridges.signal.transport import Verdict

_TOKEN_CHARACTERS_MAX: Final = 1024
_WAIT_MAX_S: Final = 30 * 86_400
_NOT_REGISTERED = re.compile(r"\bis not registered", re.IGNORECASE)
# Found by CommandUtil and SendCommand before anything is sent.
_WRONG = re.compile(r"is not allowed|\binvalid\b|no recipients|cannot specify", re.IGNORECASE)
_NEVER_DONE: Final = frozenset(
    {jsonrpc.INVALID_REQUEST, jsonrpc.METHOD_NOT_FOUND, jsonrpc.PARSE_ERROR}
)


def taken(result: object) -> transport.Answer:
    """A send that the daemon calls good: `{"timestamp": ms, "results": [...]}`."""
    match result:
        case {"timestamp": int(stamp)} if not isinstance(stamp, bool) and stamp > 0:
            # An answer without error has a success among its results.
            return transport.Answer(verdict=Verdict.TAKEN, timestamp_ms=stamp)
    return answers.unsure("an answer without a timestamp")


def refused(error: jsonrpc.RefusedError, number: str) -> transport.Answer:
    """A send that failed. `number`: our own account."""
    failures = {str(one.get("type")) for one in results(error.data)}
    if error.code == jsonrpc.RATE_LIMIT or failures == {"RATE_LIMIT_FAILURE"}:
        return limited(error)
    if error.code == jsonrpc.UNTRUSTED_KEY:
        return _final(Verdict.UNTRUSTED)
    if "NETWORK_FAILURE" in failures:
        return answers.unsure("a network failure, perhaps after it went out")
    if failures == {"UNREGISTERED_FAILURE"}:
        return _final(Verdict.UNREGISTERED)
    if failures:
        # With one recipient no other failure is certain; several are not ours.
        return answers.unsure("failed for a reason that may come after the send")
    return _worded(error, number)


def limited(error: jsonrpc.RefusedError) -> transport.Answer:
    """Patience, with the captcha's token and the wait that Signal told, if it told them."""
    challenge = token(error.data)
    plain = answers.limited(challenge)
    waits = [one.get("retryAfterSeconds") for one in results(error.data)]
    told = [s for s in waits if isinstance(s, int) and 0 < s <= _WAIT_MAX_S]
    return transport.Answer(
        verdict=Verdict.LIMITED,
        challenge=challenge,
        retry_after_s=max(told) if told else plain.retry_after_s,
        reason=plain.reason,
    )


def is_limit(error: jsonrpc.RefusedError) -> bool:
    """Whether a look-up failed because Signal asks for patience."""
    return error.code == jsonrpc.RATE_LIMIT or (
        error.code in {jsonrpc.IO_ERROR, jsonrpc.INTERNAL_ERROR} and answers.is_limit(error.words)
    )


def token(data: object) -> str | None:
    """The first captcha token among a failed command's results."""
    for one in results(data):
        told = one.get("token")
        if isinstance(told, str) and 0 < len(told) <= _TOKEN_CHARACTERS_MAX and told.isprintable():
            return told
    return None


def results(data: object) -> Iterator[Mapping[str, object]]:
    """The single results in `data` of an error: `{"response": {"results": [...]}}`."""
    match data:
        case {"response": {"results": list(listed)}} | {"response": list(listed)}:
            yield from (one for one in listed if isinstance(one, Mapping))


def _worded(error: jsonrpc.RefusedError, number: str) -> transport.Answer:
    """Without results nothing but the code and the words tell what happened."""
    if error.code == jsonrpc.INVALID_PARAMS:
        # "Specified account does not exist": the only reason the daemon has for this code.
        return transport.Answer(verdict=Verdict.GONE, reason="the daemon has no such account")
    if (trouble := answers.trouble(error.words, number)) is not None:
        return _final(trouble)
    if is_limit(error):
        return limited(error)
    by_user = error.code == jsonrpc.USER_ERROR
    if by_user and _NOT_REGISTERED.search(error.words):
        return _final(Verdict.UNREGISTERED)
    if error.code in _NEVER_DONE or (by_user and _WRONG.search(error.words)):
        return _final(Verdict.REFUSED)
    return answers.unsure("failed, perhaps after it went out")


def _final(verdict: Verdict) -> transport.Answer:
    return transport.Answer(verdict=verdict, reason=str(verdict))

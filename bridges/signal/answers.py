"""What signal-cli-rest-api's answer to a send means: pure; in doubt UNSURE.

Facts: PROVIDERS.md, "Signal", and ../shared/contracts/signal-rest-observed-*.txt, where both
versions' answers are recorded. A 400 may be a network fault told as text, after the message went
out; so only the texts that are known to come before anything was sent are taken for a refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from bridges.signal import transport
from bridges.signal.transport import Verdict

CHALLENGE_RETRY_S: Final = 86_400
LIMIT_RETRY_S: Final = 3_600
_TOKEN = re.compile(r"[\x21-\x7e]{1,1024}\Z")
_TIMESTAMP = re.compile(r"[1-9][0-9]{9,15}\Z")
_UNREGISTERED = re.compile(r"(?:user|account|number) (\S+) is not registered", re.IGNORECASE)
_UNTRUSTED = re.compile(r"untrusted (?:recipient keys|identit)", re.IGNORECASE)
_GONE = re.compile(
    r"authori[sz]ation ?failed|\b401\b|\b403\b|specified account does not exist"
    r"|account is (?:not|un)registered|not authori[sz]ed|device (?:is )?(?:unlinked|deregistered)",
    re.IGNORECASE,
)
_OUTDATED = re.compile(r"deprecated|\b499\b|client (?:is )?(?:outdated|too old)", re.IGNORECASE)
_REFUSED = re.compile(
    r"invalid (?:identifier|request|account|recipient|number)|couldn't process request"
    r"|please provide|captcha rejected",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"rate.?limit|challenge|captcha|too many requests|\b429\b", re.IGNORECASE)
_WRONG_PLACE: Final = frozenset({401, 403, 404, 405, 407, 415})
_BY_REASON: Final = {
    "UNREGISTERED_FAILURE": Verdict.UNREGISTERED,
    "IDENTITY_FAILURE": Verdict.UNTRUSTED,
    "RATE_LIMIT_FAILURE": Verdict.LIMITED,
    "PROOF_REQUIRED_FAILURE": Verdict.LIMITED,
}


def of_send(status: int, body: bytes, number: str) -> transport.Answer:
    """The answer to one `/v2/send` to one recipient. `number`: our own account."""
    told = parsed(body)
    if status in (200, 201):
        return _accepted(told)
    if status == 429:  # noqa: PLR2004 (HTTP: too many requests)
        return limited(token(told))
    if status == 400:  # noqa: PLR2004 (HTTP: everything else that went wrong)
        return _worded(error_text(told), number)
    if status in _WRONG_PLACE:
        reason = f"the neighbour answers {status}: is the url right?"
        return transport.Answer(verdict=Verdict.AWAY, reason=reason)
    return unsure(f"answered {status}")


def parsed(body: bytes) -> object:
    """The JSON of an answer, None for none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def error_text(told: object) -> str:
    """The neighbour's own words: to be searched, never to be passed on."""
    text = told.get("error") if isinstance(told, Mapping) else None
    return text if isinstance(text, str) else ""


def token(told: object) -> str | None:
    """The first challenge token that is one."""
    listed = told.get("challenge_tokens") if isinstance(told, Mapping) else None
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, str) and _TOKEN.match(one):
            return one
    return None


def limited(challenge: str | None) -> transport.Answer:
    """Signal's own word for a challenge is to wait a day; a plain limit is over sooner."""
    return transport.Answer(
        verdict=Verdict.LIMITED,
        challenge=challenge,
        retry_after_s=CHALLENGE_RETRY_S if challenge else LIMIT_RETRY_S,
        reason="Signal wants a captcha" if challenge else "Signal limits the rate",
    )


def unsure(reason: str) -> transport.Answer:
    """It may have gone out."""
    return transport.Answer(verdict=Verdict.UNSURE, reason=reason)


def is_limit(text: str) -> bool:
    """Whether an error text of a look-up means that Signal asks for patience."""
    return bool(_LIMITED.search(text))


def trouble(text: str, number: str) -> Verdict | None:
    """GONE or OUTDATED where a text says that our account or our client is at its end."""
    named = _UNREGISTERED.search(text)
    if (named and named[1].strip("'\".,") == number) or _GONE.search(text):
        return Verdict.GONE
    return Verdict.OUTDATED if _OUTDATED.search(text) else None


def _accepted(told: object) -> transport.Answer:
    """`{"timestamp"}` of 0.100, or a list of one with perhaps `errors` of newer servers."""
    one = told[0] if isinstance(told, list) and len(told) == 1 else told
    if not isinstance(one, Mapping):
        return unsure("an answer nobody can read")
    failed = _failure(one.get("errors"))
    if failed is not None:
        return failed
    stamp = str(one.get("timestamp"))
    if not _TIMESTAMP.match(stamp):
        return unsure("an answer without a timestamp")
    return transport.Answer(verdict=Verdict.TAKEN, timestamp_ms=int(stamp))


def _failure(errors: object) -> transport.Answer | None:
    if not errors:
        return None
    listed = errors.get("recipients") if isinstance(errors, Mapping) else None
    reasons = [r.get("reason") for r in listed or () if isinstance(r, Mapping)]
    known = {_BY_REASON.get(str(reason)) for reason in reasons}
    verdict = known.pop() if len(known) == 1 else None
    if verdict is None:
        return unsure("failed for a reason that may come after the send")
    if verdict is Verdict.LIMITED:
        return limited(None)
    return transport.Answer(verdict=verdict, reason=str(verdict))


def _worded(text: str, number: str) -> transport.Answer:
    gone = trouble(text, number)
    if gone is not None:
        return transport.Answer(verdict=gone, reason=str(gone))
    for pattern, verdict in (
        (_UNREGISTERED, Verdict.UNREGISTERED),
        (_UNTRUSTED, Verdict.UNTRUSTED),
        (_REFUSED, Verdict.REFUSED),
    ):
        if pattern.search(text):
            return transport.Answer(verdict=verdict, reason=str(verdict))
    return unsure("failed, perhaps after it went out")

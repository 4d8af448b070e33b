"""Our own webhooks seen from outside: signed requests must arrive, unsigned ones be refused.

Asks our own public URL with a form that names no message, so that no row can come of it.
"""

from __future__ import annotations

import secrets
import urllib.parse
from typing import Final

import aiohttp

from bot.contract import bridge
from bridges.sms.twilio import line, signature, wire

LIMIT_S: Final = 10.0
ROUTES: Final = ("in", "fallback", "status", "voice")
_FINE: Final = {True: 200, False: 403}


async def look(of: line.Line) -> list[bridge.Finding]:
    """One finding for all routes, or one for each that is wrong."""
    if not of.context.public_url:
        return []
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    wrong: list[bridge.Finding] = []
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        for name in ROUTES:
            for signed in (True, False):
                got = await _knock(session, of, name, signed=signed)
                if got is None and not wrong:
                    # One line for one cause: whoever is away is away for all of them.
                    return [_nobody()]
                if got != _FINE[signed]:
                    wrong.append(_wrong(name, got, signed=signed))
    if wrong:
        return wrong
    return [
        bridge.Finding(
            verdict=bridge.Verdict.GOOD,
            about="round trip",
            sentence="signed requests reach us by the public URL, unsigned ones are refused",
        )
    ]


async def _knock(
    session: aiohttp.ClientSession, of: line.Line, name: str, *, signed: bool
) -> int | None:
    """The status our own route answers; None if nobody does."""
    url = of.url(name)
    pairs = [("AccountSid", of.settings.account_sid), (wire.PROBE, secrets.token_hex(8))]
    made = signature.sign(url, signature.fields(pairs), of.settings.secrets[0]).decode()
    headers = {
        "Content-Type": wire.FORM_TYPE.decode(),
        "X-Twilio-Signature": made if signed else secrets.token_urlsafe(21),
    }
    body = urllib.parse.urlencode(pairs).encode()
    try:
        answering = session.post(url, data=body, headers=headers, allow_redirects=False)
        async with answering as answer:
            return answer.status
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None


def _nobody(where: str = "") -> bridge.Finding:
    return bridge.Finding(
        verdict=bridge.Verdict.FAULT,
        about="round trip",
        sentence=f"nobody answers at the public URL{where}",
        mend="start antirelou, open the port, point the reverse proxy at it",
    )


def _wrong(name: str, got: int | None, *, signed: bool) -> bridge.Finding:
    if got is None:
        return _nobody(f" of {name!r}")
    if signed:
        sentence = f"a signed request to {name!r} is answered with {got}"
        mend = "public_url must be exactly what Twilio calls; the proxy must pass path and query"
    else:
        sentence = f"an unsigned request to {name!r} is answered with {got} instead of 403"
        mend = "something else answers there; look at the reverse proxy"
    return bridge.Finding(
        verdict=bridge.Verdict.FAULT, about="round trip", sentence=sentence, mend=mend
    )

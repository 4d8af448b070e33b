"""Requests as Twilio makes them, signed, as whole HTTP/1.1 messages ready for a socket.

The fields are those of Twilio's own documentation of a messaging webhook; numbers are counted up
within French mobile ranges and nobody's are dialled. Made before the clock starts, so that the
load costs its own processor as little as can be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from typing import Final
from urllib import parse

PATH: Final = "/twilio/sms/in"
PUBLIC_URL: Final = "https://bench.example"
ACCOUNT: Final = "AC" + "0" * 32
TOKEN: Final = "a-token-for-the-bench-alone"  # noqa: S105 (opens nothing anywhere)
OURS: Final = "+33639980000"
PEOPLE: Final = 1_000_000
"""Known people; the first numbers are theirs."""

_SAID: Final = (
    "salut coucou c'est hugo du bar hier soir ça va ? tu fais quoi ce week-end on se voit demain "
    "j'ai adoré te parler réponds moi stp t'es où là appelle quand veux ton sourire 😀 bisous"
)
_WORDS: Final = _SAID.split()


def number(place: int) -> str:
    """A French mobile number for each place below ninety million."""
    return f"+33{610_000_000 + place}"


def text(rng: random.Random) -> str:
    """A few words, seldom the same twice."""
    return " ".join(rng.choices(_WORDS, k=rng.randint(3, 12)))


def fields(sid: str, sender: str, body: str) -> dict[str, str]:
    """One message."""
    return {
        "ToCountry": "FR",
        "ToState": "",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "",
        "FromZip": "",
        "SmsSid": sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": body,
        "FromCountry": "FR",
        "To": OURS,
        "ToZip": "",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": sender,
        "ApiVersion": "2010-04-01",
    }


class Sender:
    """Makes requests; every second one of somebody known, the others of people never seen.

    `run` keeps the ids and the new people of one load apart from another's.
    """

    def __init__(self, run: int, known: int = PEOPLE) -> None:
        """`known`: how many of the first numbers are known people's; 0: all are new."""
        self._rng = random.Random(run)
        self._known = known
        self._next = PEOPLE + run * 200_000
        self._sid = run << 64
        self._signing = hmac.new(TOKEN.encode(), (PUBLIC_URL + PATH).encode(), hashlib.sha1)

    def request(self) -> tuple[str, bytes]:
        """The message's id and all bytes of the request."""
        self._sid += 1
        self._next += 1
        sid = f"SM{self._sid:032x}"
        old = self._known and self._sid % 2
        place = self._rng.randrange(self._known) if old else self._next
        told = fields(sid, number(place), text(self._rng))
        body = parse.urlencode(told).encode()
        signing = self._signing.copy()
        signing.update("".join(f"{name}{told[name]}" for name in sorted(told)).encode())
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: bench.example\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"X-Twilio-Signature: {base64.b64encode(signing.digest()).decode()}\r\n"
            "I-Twilio-Idempotency-Token: 00000000-0000-4000-8000-000000000000\r\n"
            "Accept: */*\r\nUser-Agent: TwilioProxy/1.1\r\n\r\n"
        )
        return sid, head.encode() + body

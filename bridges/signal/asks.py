"""The questions and settings of signal-cli-rest-api, one request each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bridges.signal import answers, http, neighbour, transport
from bridges.signal.transport import AwayError

LOOK_UP_LIMIT_S: Final = 30.0


class Questions:
    """Implements transport.Asks."""

    def __init__(self, client: http.Http, number: str) -> None:
        """`number`: our account's."""
        self._http = client
        self._number = number

    async def about(self) -> transport.About:
        """GET /v1/about for version and mode, GET /v1/accounts, which asks signal-cli itself."""
        told, listed = await asyncio.gather(
            self._http.ask("GET", ("v1", "about")), self._http.ask("GET", ("v1", "accounts"))
        )
        if not isinstance(told, Mapping) or not isinstance(listed, list):
            raise AwayError("an answer nobody can read")
        return transport.About(
            version=neighbour.word(told.get("version")),
            mode=neighbour.word(told.get("mode")),
            accounts=len(listed),
            ours=self._number in listed,
        )

    async def search(self, numbers: Sequence[str]) -> transport.Found:
        """GET /v1/search: a list of what is registered; a 429 or its words are no answer."""
        path = ("v1", "search", self._number)
        query = [("numbers", number) for number in numbers]
        status, body = await self._http.attempt("GET", path, query=query, limit_s=LOOK_UP_LIMIT_S)
        told = answers.parsed(body)
        if status == 429 or (status == 400 and answers.is_limit(answers.error_text(told))):  # noqa: PLR2004
            return transport.Found(accounts={}, limited=True, challenge=answers.token(told))
        if status not in http.FINE or not isinstance(told, list):
            raise AwayError("no answer to a look-up")
        found: dict[str, transport.Account] = {}
        for one in told:
            match one:
                case {"number": str(number), "registered": bool(registered)} if number in numbers:
                    found[number] = transport.Account(registered=registered)
        return transport.Found(accounts=found)

    async def solve(self, challenge: str, captcha: str) -> bool:
        """POST /v1/accounts/{number}/rate-limit-challenge; 400 says that Signal refused it."""
        path = ("v1", "accounts", self._number, "rate-limit-challenge")
        body = {"challenge_token": challenge, "captcha": captcha}
        status, _ = await self._http.attempt("POST", path, body=body, limit_s=LOOK_UP_LIMIT_S)
        if status == 400:  # noqa: PLR2004
            return False
        if status not in http.FINE:
            raise AwayError("the captcha could not be handed in")
        return True

    async def trust(self, recipient: str) -> bool:
        """PUT /v1/identities/{number}/trust/{recipient} with all known keys."""
        path = ("v1", "identities", self._number, "trust", recipient)
        status, _ = await self._http.attempt("PUT", path, body={"trust_all_known_keys": True})
        return status in http.FINE

    async def untrusted(self) -> int:
        """GET /v1/identities/{number}, counted."""
        told = await self._http.ask("GET", ("v1", "identities", self._number))
        listed = told if isinstance(told, list) else []
        return sum(1 for one in listed if isinstance(one, Mapping) and _is_untrusted(one))

    async def profile_name(self) -> str | None:
        """GET /v1/contacts/{number}: our own entry, where signal-cli lists one."""
        told = await self._http.ask(
            "GET", ("v1", "contacts", self._number), query=[("all_recipients", "true")]
        )
        return neighbour.own_name(told, self._number)

    async def set_profile_name(self, name: str) -> bool:
        """PUT /v1/profiles/{number}."""
        path = ("v1", "profiles", self._number)
        status, _ = await self._http.attempt(
            "PUT", path, body={"name": name}, limit_s=LOOK_UP_LIMIT_S
        )
        return status in http.FINE


def _is_untrusted(entry: Mapping[str, object]) -> bool:
    return str(entry.get("status")).upper() == "UNTRUSTED"

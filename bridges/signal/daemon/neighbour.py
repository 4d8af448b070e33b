"""The daemon as a transport: sends, questions, and the way in that was chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract import bridge
from bridges.signal import answers, transport
from bridges.signal.daemon import calls, ears, findings, jsonrpc, outcome, place
from bridges.signal.transport import AwayError, Verdict

ASK_LIMIT_S: Final = 4.0
"""For what the daemon knows by itself: the core gives `health` five seconds in all."""
NETWORK_LIMIT_S: Final = 30.0
"""For what it must ask Signal for."""


class _Asks:
    """Questions and orders that are no sends. Each is asked once."""

    def __init__(self, asking: calls.Calls, number: str) -> None:
        self._calls = asking
        self._number = number

    async def about(self) -> transport.About:
        """`version` and `listAccounts`."""
        told, listed = await asyncio.gather(
            self._ask("version", {}, ASK_LIMIT_S), self._ask("listAccounts", {}, ASK_LIMIT_S)
        )
        match told, listed:
            case {"version": str(version)}, list(accounts):
                ours = any(
                    isinstance(one, dict) and one.get("number") == self._number for one in accounts
                )
                return transport.About(
                    version=version[:32], mode="daemon", accounts=len(accounts), ours=ours
                )
        raise AwayError("an answer nobody can read")

    async def search(self, numbers: Sequence[str]) -> transport.Found:
        """`getUserStatus`; one that failed for a limit is no answer to anything."""
        asked = {"account": self._number, "recipient": list(numbers)}
        try:
            told = await self._raw("getUserStatus", asked, NETWORK_LIMIT_S)
        except jsonrpc.RefusedError as error:
            if outcome.is_limit(error):
                token = outcome.token(error.data)
                return transport.Found(accounts={}, limited=True, challenge=token)
            raise AwayError("no answer to a look-up") from None
        found: dict[str, transport.Account] = {}
        for one in told if isinstance(told, list) else ():
            match one:
                case {"recipient": str(number), "isRegistered": bool(registered), **rest} if (
                    number in numbers
                ):
                    aci = rest.get("uuid")
                    aci = aci if isinstance(aci, str) and registered else None
                    found[number] = transport.Account(registered=registered, aci=aci)
        return transport.Found(accounts=found)

    async def solve(self, challenge: str, captcha: str) -> bool:
        """`submitRateLimitChallenge`; a user's error says that Signal refused the captcha."""
        asked = {"account": self._number, "challenge": challenge, "captcha": captcha}
        return await self._done("submitRateLimitChallenge", asked)

    async def trust(self, recipient: str) -> bool:
        """`trust` with all known keys."""
        asked = {"account": self._number, "recipient": recipient, "trustAllKnownKeys": True}
        return await self._done("trust", asked)

    async def untrusted(self) -> int:
        """`listIdentities`, counted."""
        listed = await self._ask("listIdentities", {"account": self._number}, NETWORK_LIMIT_S)
        if not isinstance(listed, list):
            raise AwayError("an answer nobody can read")
        return sum(isinstance(o, dict) and o.get("trustLevel") == "UNTRUSTED" for o in listed)

    async def profile_name(self) -> str | None:
        """`listContacts` of ourselves; None until the daemon has fetched our profile once."""
        asked = {"account": self._number, "recipient": [self._number], "allRecipients": True}
        listed = await self._ask("listContacts", asked, NETWORK_LIMIT_S)
        for one in listed if isinstance(listed, list) else ():
            match one:
                case {"number": self._number, "profile": {"givenName": str(name), **rest}}:
                    family = rest.get("familyName")
                    return f"{name} {family}" if isinstance(family, str) and family else name
        return None

    async def set_profile_name(self, name: str) -> bool:
        """`updateProfile`, with no family name."""
        asked = {"account": self._number, "givenName": name, "familyName": ""}
        return await self._done("updateProfile", asked)

    async def go_covert(self) -> bool:
        """`updateConfiguration`; whom it trusts is an option of its start (docs/signal.md)."""
        silent = {"readReceipts": False, "typingIndicators": False, "linkPreviews": False}
        return await self._done("updateConfiguration", {"account": self._number, **silent})

    async def _done(self, method: str, params: Mapping[str, object]) -> bool:
        """Whether an order was carried out; AwayError where nobody can tell."""
        try:
            await self._raw(method, params, NETWORK_LIMIT_S)
        except jsonrpc.RefusedError as error:
            if error.code == jsonrpc.USER_ERROR:
                return False
            raise AwayError(f"{method} failed with error {error.code}") from None
        return True

    async def _ask(self, method: str, params: Mapping[str, object], limit_s: float) -> object:
        try:
            return await self._raw(method, params, limit_s)
        except jsonrpc.RefusedError as error:
            raise AwayError(f"{method} failed with error {error.code}") from None

    async def _raw(self, method: str, params: Mapping[str, object], limit_s: float) -> object:
        try:
            return await self._calls.ask(method, params, limit_s)
        except calls.NotAskedError:
            raise AwayError("signal-cli's daemon is not there") from None
        except calls.NoAnswerError:
            raise AwayError("signal-cli's daemon does not answer") from None


class Daemon(_Asks):
    """Implements transport.Transport."""

    def __init__(
        self,
        *,
        asking: calls.Calls,
        ear: ears.Ear,
        number: str,
        kind: str,
        send_limit_s: float,
        where: place.Place,
    ) -> None:
        """Made by `create`; opens nothing."""
        super().__init__(asking, number)
        self.kind: Final = kind
        self.time_limit_s: Final = send_limit_s
        self._ear = ear
        self._where = where

    async def receive(self, hand: transport.Hand) -> None:
        """By the configured way; see transport.Transport."""
        await self._ear.listen(hand)

    async def send(self, recipient: str, text: str) -> transport.Answer:
        """`send`, once."""
        return await self._send(recipient, text, {})

    async def note_to_self(self, text: str) -> transport.Answer:
        """To our own number as a message, so that it comes back by the way of all messages."""
        return await self._send(self._number, text, {"notifySelf": True})

    async def findings(self) -> Sequence[bridge.Finding]:
        """The daemon's version and account, and how it was started where that can be seen."""
        return await findings.look(self, self._where)

    def routes(self, hand: transport.Hand) -> Sequence[bridge.Route]:
        """None: we go to the daemon, it does not come to us."""
        return ()

    async def close(self) -> None:
        """Give back the connection of the calls."""
        await self._calls.close()

    async def _send(
        self, recipient: str, text: str, more: Mapping[str, object]
    ) -> transport.Answer:
        asked = {"account": self._number, "recipient": [recipient], "message": text, **more}
        try:
            told = await self._calls.ask("send", asked, self.time_limit_s)
        except calls.NotAskedError:
            return transport.Answer(verdict=Verdict.AWAY, reason="signal-cli's daemon is not there")
        except calls.NoAnswerError as error:
            return answers.unsure(str(error))
        except jsonrpc.RefusedError as error:
            return outcome.refused(error, self._number)
        return outcome.taken(told)

"""Everything about the account that can be looked at: `antirelou check` and `setup`."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Final

from bot.contract import bridge, intake
from bridges.sms.twilio import client, cover, line, outside, setup, tariff

OLD: Final = dt.timedelta(days=30)
_GOOD, _WARNING, _FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT


async def check(of: line.Line) -> list[bridge.Finding]:
    """As contract.bridge.ChecksItself.check."""
    found = _public_url(of)
    found += await _asked(of, "account", _account)
    found += await _asked(of, "numbers", _numbers)
    found += await _prices(of)
    found += _persons(of)
    found += await _cover(of)
    found += await outside.look(of)
    return found


async def set_up(of: line.Line, *, apply: bool) -> list[bridge.Finding]:
    """As contract.bridge.SetsUp.set_up."""

    async def write(of: line.Line) -> list[bridge.Finding]:
        return await setup.write(of, apply=apply)

    found = await _asked(of, "numbers", write)
    if not apply:
        return found + await _cover(of)
    found += await outside.look(of)
    try:
        # What was seen before may be mended by now; the next sign of it counts again.
        await cover.forget(of)
        found += await cover.with_probe(of) or [cover.finding(None, of)]
    except intake.NotStoredError:
        found.append(_no_store())
    return found


async def _cover(of: line.Line) -> list[bridge.Finding]:
    try:
        return [cover.finding(await cover.known(of), of)]
    except intake.NotStoredError:
        return [_no_store()]


def _no_store() -> bridge.Finding:
    sentence = "the database is away: what Twilio was seen to answer is not known"
    mend = "look at [store] and the disk"
    return bridge.Finding(verdict=_WARNING, about="keywords", sentence=sentence, mend=mend)


async def _asked(
    of: line.Line, about: str, ask: Callable[[line.Line], Awaitable[list[bridge.Finding]]]
) -> list[bridge.Finding]:
    try:
        return await ask(of)
    except client.SayingNo as error:
        sentence = f"could not be looked at: {error}"
        mend = "look at account_sid, auth_token and the network"
        return [bridge.Finding(verdict=_FAULT, about=about, sentence=sentence, mend=mend)]


def _public_url(of: line.Line) -> list[bridge.Finding]:
    url = of.context.public_url
    if not url:
        return [setup.no_public_url()]
    if not url.startswith("https://"):
        sentence = "webhooks come over plain http: anybody on the way reads the messages"
        mend = "a certificate, and https in [web] public_url"
        found = bridge.Finding(verdict=_FAULT, about="public URL", sentence=sentence, mend=mend)
        return [found]
    sentence = "https, and webhooks are signed for it"
    return [bridge.Finding(verdict=_GOOD, about="public URL", sentence=sentence)]


async def _account(of: line.Line) -> list[bridge.Finding]:
    told = await of.account.sdk.api.accounts(of.settings.account_sid).fetch_async()
    if told.status != "active":
        sentence = "the Twilio account is not active"
        mend = "the Console says why; pay, or ask Twilio's support"
        return [bridge.Finding(verdict=_FAULT, about="account", sentence=sentence, mend=mend)]
    if told.type == "Trial":
        sentence = "a trial account: it writes only to verified numbers, and adds a text of its own"
        return [bridge.Finding(verdict=_FAULT, about="account", sentence=sentence, mend="upgrade")]
    sentence = "the credentials work, the account is active"
    return [bridge.Finding(verdict=_GOOD, about="account", sentence=sentence)]


async def _numbers(of: line.Line) -> list[bridge.Finding]:
    if not of.context.public_url:
        return []
    return [one for number in await setup.numbers(of) for one in setup.findings(number, of)]


async def _prices(of: line.Line) -> list[bridge.Finding]:
    found = []
    # `antirelou check` is a process of its own: the running one has asked and kept them.
    with contextlib.suppress(intake.NotStoredError):
        of.tariff.load(await of.context.storage.get(line.PRICES_KEY))
    at = of.tariff.fetched_at
    if at is None:
        sentence = f"from the built-in table of {tariff.DATED}, upper bounds by hand"
        mend = "they are asked at the start of `antirelou run`; or set prices yourself"
        found.append(bridge.Finding(verdict=_WARNING, about="prices", sentence=sentence, mend=mend))
    else:
        verdict = _GOOD if of.now() - at < OLD else _WARNING
        sentence = f"as Twilio told them on {at.date().isoformat()}"
        found.append(bridge.Finding(verdict=verdict, about="prices", sentence=sentence))
    if of.settings.currency != of.context.currency:
        money = of.settings.currency
        sentence = f"Twilio bills {money}, the budget is in {of.context.currency}"
        mend = f"the rate for {money} in [fx] is used; see now and then that it is not too low"
        found.append(
            bridge.Finding(verdict=_WARNING, about="currency", sentence=sentence, mend=mend)
        )
    return found


def _persons(of: line.Line) -> list[bridge.Finding]:
    reason = release_reason(of)
    if reason is None:
        return []
    mend = "a 0937-0939 number, a number of another country, or a SIM in a phone (sms.smsgate)"
    return [bridge.Finding(verdict=_WARNING, about="06/07", sentence=reason, mend=mend)]


def release_reason(of: line.Line) -> str | None:
    """As contract.bridge.WantsRelease."""
    if not any(line.national(own.address) for own in of.settings.addresses):
        return None
    return (
        "French numbers in 06/07 are for person-to-person use (ARCEP 2022-1583), and Twilio's "
        "terms forbid automated sending from them"
    )

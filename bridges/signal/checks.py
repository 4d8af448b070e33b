"""Cover, and what `antirelou check` tells: what can be seen is judged, the rest is called to mind.

Before the delay is over nothing may tell that this is more than a telephone (C16): the profile
has a neutral name, nobody gets a read receipt, nobody sees us type.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from bot.contract import bridge
from bot.contract.bridge import Finding, Verdict
from bridges.signal import health, settings, transport

PROFILE_KEY: Final = "profile-name"
LOUD: Final = "the websocket LOSES messages: all while we are away, most of a burst"
_log = logging.getLogger(__name__)
_BY_HAND: Final = (
    (
        "registration lock",
        "without a registration-lock PIN whoever gets this number next takes the account over",
        "set one and keep it apart from this machine (docs/signal.md, Registration lock)",
    ),
    (
        "username",
        "a username is free for anybody when the account is gone; note it and its link down",
        "docs/signal.md, Username and its recovery",
    ),
    (
        "number",
        "a number given back reaches a private person: keep it at least 12 months once retired",
        'set state = "answering", later "retired" (docs/signal.md, Retiring a number)',
    ),
)


async def take_cover(
    asked: transport.Transport,
    chosen: settings.Settings,
    context: bridge.Context,
    vitals: health.Vitals,
) -> None:
    """Set the neutral profile once, trust new identities; what fails is a remark of health."""
    vitals.notes.clear()
    if chosen.way is settings.Way.WEBSOCKET:
        vitals.notes["websocket"] = LOUD
        _log.warning("%s: %s", context.channel, LOUD)
    try:
        if not await asked.go_covert():
            vitals.notes["trust"] = (
                "the neighbour did not take 'trust new identities always': set it where it starts"
            )
        name = await asked.profile_name()
        known = name if name is not None else await context.storage.get(PROFILE_KEY)
        if known == chosen.profile_name:
            return
        if await asked.set_profile_name(chosen.profile_name):
            await context.storage.put(PROFILE_KEY, chosen.profile_name)
        else:
            vitals.notes["profile"] = "the neutral profile name could not be set"
    except transport.AwayError:
        vitals.notes["cover"] = "profile and trust could not be set: the neighbour did not answer"


async def findings(
    asked: transport.Transport, chosen: settings.Settings, context: bridge.Context
) -> Sequence[Finding]:
    """Everything that was looked at; changes nothing, never raises."""
    found = [*await asked.findings()]
    if chosen.way is settings.Way.WEBSOCKET:
        found.append(
            _one(
                Verdict.WARNING,
                "transport",
                LOUD,
                'take "webhook", or "daemon" under load (docs/signal.md, What each way loses)',
            )
        )
    if chosen.way is settings.Way.WEBHOOK:
        found.append(_webhook(context))
    found += await _account(asked, chosen)
    found += [_one(Verdict.WARNING, *words) for words in _BY_HAND]
    return found


def _webhook(context: bridge.Context) -> Finding:
    path = f"/signal/{context.channel}/SECRET"
    sentence = f"signal-cli-rest-api must be told RECEIVE_WEBHOOK_URL, ending in {path}"
    return _one(Verdict.GOOD, "webhook", sentence)


async def _account(asked: transport.Transport, chosen: settings.Settings) -> list[Finding]:
    try:
        about = await asked.about()
    except transport.AwayError as away:
        mend = "start signal-cli, or mend `url`"
        return [_one(Verdict.FAULT, "account", f"signal-cli gave no answer: {away}", mend)]
    if not about.ours:
        steps = transport.STEPS[transport.Verdict.GONE]
        return [_one(Verdict.FAULT, "account", "the number is not registered there", steps)]
    found = [_one(Verdict.GOOD, "account", f"registered; version {about.version or 'unknown'}")]
    try:
        untrusted = await asked.untrusted()
        name = await asked.profile_name()
    except transport.AwayError as away:
        mend = "look at it by hand"
        return [*found, _one(Verdict.WARNING, "identities", f"cannot be seen: {away}", mend)]
    if untrusted:
        sentence = f"{untrusted} identities are untrusted: what they write is withheld"
        mend = "trust new identities always (docs/signal.md), they are then trusted one by one"
        found.append(_one(Verdict.WARNING, "identities", sentence, mend))
    if name is None:
        sentence = "the profile's name cannot be seen from here"
        found.append(_one(Verdict.WARNING, "profile", sentence, "look at it with a phone"))
    elif name != chosen.profile_name:
        mend = "run sets it when it starts; or change profile_name"
        found.append(_one(Verdict.FAULT, "profile", "the profile has another name", mend))
    else:
        found.append(_one(Verdict.GOOD, "profile", "the profile's name is the neutral one"))
    return found


def _one(verdict: Verdict, about: str, sentence: str, mend: str = "") -> Finding:
    return Finding(verdict=verdict, about=about, sentence=sentence, mend=mend)

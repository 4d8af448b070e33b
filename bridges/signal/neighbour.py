"""What signal-cli-rest-api lets us see of itself: for `check`, for health, for our own profile.

Looks only. Where the program shows nothing, it is said that nobody can see it from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot.contract.bridge import Finding, Verdict
from bridges.signal import http, settings, transport

_WORD_CHARACTERS: Final = 40
_QUIET: Final = frozenset({"warn", "warning", "error", "fatal", "panic"})
_MODES: Final = {
    settings.Way.WEBHOOK: ("json-rpc", "json-rpc-native"),
    settings.Way.WEBSOCKET: ("json-rpc", "json-rpc-native"),
    settings.Way.POLLING: ("normal", "native"),
}


def word(value: object) -> str:
    """A short printable word out of an answer."""
    text = str(value)[:_WORD_CHARACTERS]
    return text if text.isprintable() else ""


def mode_fault(way: settings.Way, mode: str) -> str | None:
    """What is wrong with the neighbour's mode for this way of receiving, None if nothing is."""
    fitting = _MODES.get(way)
    if fitting is None or mode in fitting:
        return None
    return f"it runs in mode {mode}, and {way} needs {' or '.join(fitting)}"


def own_name(listed: object, number: str) -> str | None:
    """The profile name of our own entry among the contacts, None where it is not listed."""
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and one.get("number") == number:
            profile = one.get("profile")
            given = profile.get("given_name") if isinstance(profile, Mapping) else None
            name = one.get("profile_name") or given
            return name if isinstance(name, str) and name else None
    return None


async def findings(client: http.Http, chosen: settings.Settings) -> Sequence[Finding]:
    """Mode, attachments, logs. Never raises."""
    found: list[Finding] = []
    try:
        told = await client.ask("GET", ("v1", "about"))
        mode = word(told.get("mode")) if isinstance(told, Mapping) else ""
        wrong = mode_fault(chosen.way, mode)
        if wrong:
            mend = "set MODE of the container, or another transport"
            found.append(_one(Verdict.FAULT, "mode", f"signal-cli-rest-api: {wrong}", mend))
        else:
            found.append(_one(Verdict.GOOD, "mode", f"signal-cli-rest-api runs in mode {mode}"))
    except transport.AwayError as away:
        mend = "start the container, or mend `url`"
        found.append(_one(Verdict.FAULT, "url", f"signal-cli-rest-api: {away}", mend))
        return found
    if chosen.way is not settings.Way.POLLING:
        sentence = "whether new identities are trusted cannot be seen in this mode"
        mend = "set JSON_RPC_TRUST_NEW_IDENTITIES=always where the container is started"
        found.append(_one(Verdict.WARNING, "trust", sentence, mend))
    found.append(await _attachments(client))
    found.append(await _logs(client))
    return found


async def _attachments(client: http.Http) -> Finding:
    """Pictures sent to us are never fetched (C45); the neighbour must not fetch them either."""
    about = "attachments"
    try:
        kept = await client.ask("GET", ("v1", "attachments"))
    except transport.AwayError as away:
        return _one(Verdict.WARNING, about, f"cannot be seen: {away}", "look at it by hand")
    if isinstance(kept, list) and not kept:
        return _one(Verdict.GOOD, about, "signal-cli keeps no attachments")
    return _one(
        Verdict.FAULT,
        about,
        "signal-cli downloads what strangers send: it keeps attachments on this machine",
        "set JSON_RPC_IGNORE_ATTACHMENTS=true (docs/signal.md), restart, delete the files",
    )


async def _logs(client: http.Http) -> Finding:
    """By default it writes texts and numbers in clear."""
    about = "logs"
    mend = "set LOG_LEVEL=warn and a log driver that keeps nothing (docs/signal.md)"
    try:
        told = await client.ask("GET", ("v1", "configuration"))
    except transport.AwayError as away:
        return _one(Verdict.WARNING, about, f"cannot be seen: {away}", mend)
    logging = told.get("logging") if isinstance(told, Mapping) else None
    level = ""
    if isinstance(logging, Mapping):
        level = word(logging.get("Level") or logging.get("level")).lower()
    if level in _QUIET:
        return _one(Verdict.GOOD, about, f"the log level is {level}")
    sentence = "signal-cli-rest-api writes texts and numbers in clear to its log"
    return _one(Verdict.WARNING, about, sentence, mend)


def _one(verdict: Verdict, about: str, sentence: str, mend: str = "") -> Finding:
    return Finding(verdict=verdict, about=about, sentence=sentence, mend=mend)

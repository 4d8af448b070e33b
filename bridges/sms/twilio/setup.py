"""The webhook URLs of our numbers at Twilio: what they are, what they must be, writing them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from bot.contract import bridge
from bridges.sms.twilio import client, line

_GOOD, _WARNING, _FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT
CONSOLE: Final = "Console > Phone Numbers > Active numbers"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One of our numbers as Twilio has it; None as `sid` if it is not in the account."""

    value: str
    sid: str | None
    fields: Mapping[str, str]
    can_sms: bool = True


def wanted(of: line.Line) -> dict[str, str]:
    """The fields that IncomingPhoneNumbers must hold; needs a public URL."""
    overrides = f"#{of.settings.webhook_overrides}" if of.settings.webhook_overrides else ""
    return {
        "sms_url": of.url("in") + overrides,
        "sms_method": "POST",
        "sms_fallback_url": of.url("fallback"),
        "sms_fallback_method": "POST",
        "voice_url": of.url("voice"),
        "voice_method": "POST",
    }


async def numbers(of: line.Line) -> list[Number]:
    """Our configured numbers as Twilio has them; raises the client's errors."""
    return [await _number(of, own.address.value) for own in of.settings.addresses]


async def _number(of: line.Line, value: str) -> Number:
    listed = await of.account.sdk.incoming_phone_numbers.list_async(phone_number=value, limit=20)
    # The filter takes patterns too: only the very number counts.
    for told in listed:
        if told.phone_number == value:
            return _read(value, told)
    return Number(value=value, sid=None, fields={})


def _read(value: str, told: Any) -> Number:  # noqa: ANN401 (untyped SDK)
    names = (*_FIELDS, "sms_application_sid", "voice_application_sid", "trunk_sid")
    fields = {name: str(getattr(told, name, None) or "") for name in names}
    able = getattr(told, "capabilities", None)
    can_sms = bool(able.get("sms", True)) if isinstance(able, Mapping) else True
    return Number(value=value, sid=told.sid, fields=fields, can_sms=can_sms)


_FIELDS: Final = (
    "sms_url",
    "sms_method",
    "sms_fallback_url",
    "sms_fallback_method",
    "voice_url",
    "voice_method",
)
_INSTEAD: Final = {
    "sms_application_sid": "a TwiML application takes the messages instead",
    "voice_application_sid": "a TwiML application takes the calls instead",
    "trunk_sid": "a SIP trunk takes the calls instead",
}


def differences(number: Number, of: line.Line) -> dict[str, str]:
    """Field -> what it must become."""
    wrong = {name: value for name, value in wanted(of).items() if number.fields.get(name) != value}
    return wrong | {name: "" for name in _INSTEAD if number.fields.get(name)}


def findings(number: Number, of: line.Line) -> list[bridge.Finding]:
    """What is wrong with one number, or that nothing is."""
    about = f"number {number.value}"
    if number.sid is None:
        mend = f"buy it, or take it out of addresses ({CONSOLE})"
        sentence = "the Twilio account does not have this number"
        return [bridge.Finding(verdict=_FAULT, about=about, sentence=sentence, mend=mend)]
    found = []
    if not number.can_sms:
        sentence, other = "this number cannot send or take SMS", "buy one that can, both ways"
        found.append(bridge.Finding(verdict=_FAULT, about=about, sentence=sentence, mend=other))
    mend = f"antirelou setup {of.context.channel} --apply"
    for name in differences(number, of):
        worse = name in {"sms_url", "sms_method", "sms_application_sid"}
        verdict = _FAULT if worse else _WARNING
        sentence = f"{name}: {_INSTEAD.get(name, 'not ours, or not set')}"
        found.append(bridge.Finding(verdict=verdict, about=about, sentence=sentence, mend=mend))
    if not found:
        sentence = "its webhooks are ours"
        found.append(bridge.Finding(verdict=_GOOD, about=about, sentence=sentence))
    return found


async def write(of: line.Line, *, apply: bool) -> list[bridge.Finding]:
    """What would be written to our numbers; with `apply`, written and read again."""
    if not of.context.public_url:
        return [no_public_url()]
    found: list[bridge.Finding] = []
    for number in await numbers(of):
        different = differences(number, of) if number.sid is not None else {}
        if number.sid is None or not different:
            found += findings(number, of)
            continue
        about = f"number {number.value}"
        if not apply:
            found += [
                bridge.Finding(
                    verdict=_WARNING,
                    about=about,
                    sentence=f"would set {name} to {value!r}",
                    mend=f"antirelou setup {of.context.channel} --apply",
                )
                for name, value in different.items()
            ]
            continue
        try:
            await of.account.sdk.incoming_phone_numbers(number.sid).update_async(**different)
        except client.SayingNo as error:
            sentence = f"writing its webhooks failed: {error}"
            mend = f"set them by hand: {CONSOLE}"
            found.append(bridge.Finding(verdict=_FAULT, about=about, sentence=sentence, mend=mend))
            continue
        found += findings(await _number(of, number.value), of)
    return found


def no_public_url() -> bridge.Finding:
    """Without it nothing can be signed for, and only the sweep finds messages."""
    return bridge.Finding(
        verdict=_FAULT,
        about="public URL",
        sentence="no [web] public_url: webhooks cannot reach us, only the sweep finds messages",
        mend='set [web] public_url = "https://..." to what Twilio can reach',
    )

"""What `antirelou check` and `antirelou setup` say of a phone.

Most of what goes wrong with a phone cannot be asked by HTTP: whether it takes texts as RCS, sleeps,
or answers calls by a voicemail. So each point has a test message, whose arrival is noted, or a word
in `confirmed` with which the operator says that they looked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import urllib.parse
from collections.abc import Sequence
from typing import Final

from bot.contract import bridge, intake
from bridges.sms.smsgate import client, notes, settings, wire

LIMIT_S: Final = 10.0
PING_S: Final = 300
"""What `setup --apply` sets: often enough for `ping_alarm_s`, rare enough for the battery."""
FRESH: Final = dt.timedelta(days=90)
"""So long a test of the checklist counts: apps and plans change."""
SLEEPY_S: Final = 120
_GOOD, _WARNING, _FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT

_POINTS: Final = {
    settings.Point.RCS: (
        "RCS must be off, or texts from Android phones never arrive as SMS",
        "Google Messages, Settings, RCS chats: off; then from an Android phone with RCS send",
    ),
    settings.Point.IMESSAGE: (
        "the number must not be known to iMessage, or iPhones write past it",
        "if the SIM was ever in an iPhone, deregister it with Apple; then from an iPhone send",
    ),
    settings.Point.BATTERY: (
        "the phone must take texts while it lies idle",
        "switch battery optimisation off for the app, leave the screen off for 2 hours, then send",
    ),
    settings.Point.VOICEMAIL: (
        "a voicemail would greet whoever calls, and give the number away",
        'switch it off (often ##002#), call the number, and add "voicemail" to confirmed',
    ),
    settings.Point.PLAN_LIMITS: (
        "plans bound the recipients a month (often 200 to 250), some the texts a day",
        'read the terms, set the quotas of the channel below them, and add "plan-limits"',
    ),
    settings.Point.ANDROID_LIMIT: (
        "Android itself asks after 30 parts in 30 minutes, and nobody is there to answer it",
        'keep to 60 parts an hour or raise the limit by adb (docs/sms.md); add "android-limit"',
    ),
}
_TESTED: Final = frozenset({settings.Point.RCS, settings.Point.IMESSAGE, settings.Point.BATTERY})


def path(channel: str) -> str:
    """Where the phone posts its events."""
    return f"/sms/{channel}/events"


class Checklist:
    """The findings of one phone. No method raises but by cancellation."""

    def __init__(
        self,
        chosen: settings.Settings,
        context: bridge.Context,
        api: client.Client,
        kept: notes.Notes,
    ) -> None:
        """Asks nothing yet."""
        self._settings = chosen
        self._context = context
        self._client = api
        self._notes = kept

    async def answers(self, limit_s: float) -> bool:
        """Whether the API says it is well, within so many seconds."""
        answer = await self._ask("GET", "/health", limit_s=limit_s)
        return answer is not None and answer.is_good

    async def findings(self) -> Sequence[bridge.Finding]:
        """Everything that was looked at."""
        found = [*self._url(), await self._reachable()]
        found += await self._webhooks()
        found += await self._device()
        found += self._sims()
        found.append(await self._heartbeat())
        found += [await self._point(point) for point in settings.Point]
        return found

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        """Register the webhooks and set heartbeat, order and key; or say what would be done."""
        url = self._url()
        if any(one.verdict is _FAULT for one in url):
            return url
        hooks = await self._registered()
        if hooks is None:
            return [await self._reachable()]
        missing = [event for event in wire.EVENTS if hooks.get(event) != {self._hook_url}]
        done = [await self._register(event, apply=apply) for event in missing]
        kept = len(wire.EVENTS) - len(missing)
        done.append(
            _finding(_GOOD, "webhooks", f"{kept} of {len(wire.EVENTS)} were registered already")
        )
        done.append(await self._write_settings(apply=apply))
        return done

    # ------------------------------------------------------------ single points

    @property
    def _hook_url(self) -> str:
        return self._context.public_url.rstrip("/") + path(self._context.channel)

    def _url(self) -> list[bridge.Finding]:
        parts = urllib.parse.urlsplit(self._context.public_url)
        if not parts.hostname:
            mend = "set [web] public_url to the https address under which the phone reaches us"
            return [_finding(_FAULT, "public_url", "is not set", mend)]
        if parts.scheme != "https" and not settings.is_loopback(parts.hostname):
            sentence = "is not https; the app posts to nothing else"
            return [_finding(_FAULT, "public_url", sentence, "put a TLS proxy in front")]
        return [_finding(_GOOD, "public_url", f"the phone posts to {self._hook_url}")]

    async def _reachable(self) -> bridge.Finding:
        answer = await self._ask("GET", "/webhooks")
        if answer is None:
            mend = "look at url, the phone's network, and whether the app's server is switched on"
            return _finding(_FAULT, "api", "does not answer", mend)
        if answer.status in {401, 403}:
            mend = "copy username and password from the app's home page"
            return _finding(_FAULT, "api", "refuses our credentials", mend)
        if not answer.is_good:
            return _finding(_FAULT, "api", f"answers {answer.status}", "look at url")
        return _finding(_GOOD, "api", "answers and knows us")

    async def _webhooks(self) -> list[bridge.Finding]:
        hooks = await self._registered()
        if hooks is None:
            return []
        mend = f"antirelou setup {self._context.channel} --apply"
        found = []
        for event in wire.EVENTS:
            urls = hooks.get(event, set())
            if self._hook_url not in urls:
                told = "goes elsewhere" if urls else "is not registered"
                found.append(_finding(_FAULT, f"webhook {event}", told, mend))
            elif len(urls) > 1:
                told = "also goes elsewhere: somebody else reads along"
                found.append(
                    _finding(_WARNING, f"webhook {event}", told, "delete the other in the app")
                )
        good = _finding(_GOOD, "webhooks", f"all {len(wire.EVENTS)} come to us")
        return found or [good]

    async def _device(self) -> list[bridge.Finding]:
        answer = await self._ask("GET", "/devices")
        told = answer.json() if answer is not None and answer.is_good else None
        ids = (
            [d["id"] for d in told if isinstance(d, dict) and isinstance(d.get("id"), str)]
            if (isinstance(told, list))
            else []
        )
        if self._settings.device_id is None:
            mend = f'set device_id = "{ids[0]}"' if len(ids) == 1 else "set it as the app shows it"
            sentence = "is not set: events of another phone with the same key would be taken"
            return [_finding(_WARNING, "device_id", sentence, mend)]
        if ids and self._settings.device_id not in ids:
            sentence = "is none of the account's phones"
            return [_finding(_FAULT, "device_id", sentence, f"there are {', '.join(ids[:5])}")]
        return [_finding(_GOOD, "device_id", "is set")]

    def _sims(self) -> list[bridge.Finding]:
        if self._settings.sims:
            return []
        sentence = "has no sim: on a phone with two SIMs the other's texts would be taken too"
        mend = 'write addresses = [{ value = "+…", sim = 1 }], as the app counts'
        return [_finding(_WARNING, "addresses", sentence, mend)]

    async def _heartbeat(self) -> bridge.Finding:
        seen = await self._seen("event")
        channel = self._context.channel
        mend = f"in the app: Settings, Ping; antirelou setup {channel} --apply sets it to 5 minutes"
        if seen is None:
            return _finding(_WARNING, "heartbeat", "the phone was never heard", mend)
        age_s = (self._context.clock.now() - seen[0]).total_seconds()
        sentence = f"heard {age_s / 60:.0f} minutes ago"
        alarm_s = self._settings.ping_alarm_s
        if alarm_s and age_s > alarm_s:
            return _finding(_FAULT, "heartbeat", sentence, "look at the phone; " + mend)
        return _finding(_GOOD, "heartbeat", sentence)

    async def _point(self, point: settings.Point) -> bridge.Finding:
        about = f"checklist {point}"
        sentence, mend = _POINTS[point]
        if point in self._settings.confirmed:
            return _finding(_GOOD, about, "seen to, as the settings say")
        if point not in _TESTED:
            return _finding(_WARNING, about, sentence, mend)
        test = f"{mend}: {wire.code(self._settings.signing_keys[0])} {point}"
        seen = await self._seen(f"test:{point}")
        if seen is None or self._context.clock.now() - seen[0] > FRESH:
            return _finding(_WARNING, about, sentence, test)
        told = f"the test message of {seen[0]:%Y-%m-%d} arrived after {seen[1]} s"
        if point is settings.Point.BATTERY and int(seen[1]) > SLEEPY_S:
            return _finding(_WARNING, about, f"{told}: the phone sleeps", test)
        return _finding(_GOOD, about, told)

    # ------------------------------------------------------------ asking and writing

    async def _ask(
        self, method: str, where: str, *, body: object = None, limit_s: float = LIMIT_S
    ) -> client.Answer | None:
        try:
            return await self._client.ask(method, where, body=body, limit_s=limit_s)
        except (client.NobodyThereError, client.CutError):
            return None

    async def _seen(self, name: str) -> tuple[dt.datetime, str] | None:
        (told,) = await asyncio.gather(self._notes.seen(name), return_exceptions=True)
        if isinstance(told, BaseException):
            if not isinstance(told, intake.NotStoredError):
                raise told
            return None
        return told

    async def _registered(self) -> dict[str, set[str]] | None:
        """Event -> URLs that our phone posts it to; None if the API does not say."""
        answer = await self._ask("GET", "/webhooks")
        told = answer.json() if answer is not None and answer.is_good else None
        if not isinstance(told, list):
            return None
        found: dict[str, set[str]] = {}
        for one in told:
            whose = one.get("deviceId") if isinstance(one, dict) else 0
            if whose in (None, "", self._settings.device_id):
                found.setdefault(str(one.get("event")), set()).add(str(one.get("url")))
        return found

    async def _register(self, event: str, *, apply: bool) -> bridge.Finding:
        about = f"webhook {event}"
        if not apply:
            return _finding(_WARNING, about, f"would be registered for {self._hook_url}")
        # An id of ours, so that a second run replaces the first.
        hook = {
            "id": f"antirelou-{self._context.channel[:10]}-{event.replace(':', '-')}",
            "url": self._hook_url,
            "event": event,
        }
        if self._settings.api is settings.Api.SERVER and self._settings.device_id is not None:
            hook["deviceId"] = self._settings.device_id
        answer = await self._ask("POST", "/webhooks", body=hook)
        if answer is not None and answer.is_good:
            return _finding(_GOOD, about, "registered")
        return _finding(_FAULT, about, "could not be registered", "see the app's log")

    async def _write_settings(self, *, apply: bool) -> bridge.Finding:
        """Heartbeat, oldest first, and on the phone itself the signing key."""
        wanted: dict[str, object] = {
            "ping": {"interval_seconds": PING_S},
            "messages": {"processing_order": "FIFO"},
        }
        if self._settings.api is settings.Api.PHONE:
            wanted["webhooks"] = {"signing_key": self._settings.signing_keys[0]}
        sentence = f"heartbeat every {PING_S} s, oldest message first"
        if not apply:
            return _finding(_WARNING, "app settings", f"would be set: {sentence}")
        answer = await self._ask("PATCH", "/settings", body=wanted)
        if answer is not None and answer.is_good:
            return _finding(_GOOD, "app settings", f"set: {sentence}")
        mend = "set them in the app: Ping, Messages; Webhooks, Signing Key"
        return _finding(_WARNING, "app settings", "this app does not take them by API", mend)


class Overseen:
    """What a phone does for its operator: ChecksItself, SetsUp, WantsRelease."""

    def __init__(self, chosen: settings.Settings, points: Checklist) -> None:
        """Asks nothing yet."""
        self._chosen = chosen
        self._points = points

    async def check(self) -> Sequence[bridge.Finding]:
        """See bridge.ChecksItself."""
        return await self._points.findings()

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        """Register the webhooks; see bridge.SetsUp."""
        return await self._points.set_up(apply=apply)

    def release_reason(self) -> str | None:
        """A French 06 or 07 that is not on a person's own plan; see docs/sms.md."""
        french = any(own.address.value[:4] in {"+336", "+337"} for own in self._chosen.addresses)
        if french and self._chosen.plan is not settings.Plan.PERSON:
            return (
                "a French mobile number (06, 07) is for persons since 2023; "
                "on any other plan let a moderator release each batch"
            )
        return None


def _finding(verdict: bridge.Verdict, about: str, sentence: str, mend: str = "") -> bridge.Finding:
    return bridge.Finding(verdict=verdict, about=about, sentence=sentence, mend=mend)

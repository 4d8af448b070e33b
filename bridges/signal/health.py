"""How the account feels: by asking, by listening, and once a day by talking to ourselves.

`/v1/health` of the neighbour always says that all is well (PROVIDERS.md), so health here is: a
real question to signal-cli, the age of the last event, a note to self once a day whose coming
back proves the way in, and how long this version has been running: Signal shuts out old clients.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from bot.contract import bridge, clock
from bridges.signal import neighbour, settings, transport
from bridges.signal.transport import Verdict

KEY: Final = "health"
CHALLENGE_KEY: Final = "challenge"
CANARY_MS: Final = 86_400_000
CANARY_PATIENCE_MS: Final = 600_000
KEEP_MS: Final = 600_000
DAY_MS: Final = 86_400_000
CAPTCHA_URL: Final = "https://signalcaptchas.org/challenge/generate.html"


class Vitals:
    """What is known of one account; the durable part lies in the bridge's storage."""

    def __init__(
        self, chosen: settings.Settings, context: bridge.Context, asked: transport.Transport
    ) -> None:
        """Knows nothing until `load`."""
        self._settings = chosen
        self._context = context
        self._transport = asked
        self._saved_ms = 0
        self._loaded = False
        # Until it is known better, there may be one from an earlier run.
        self._challenged = True
        self.challenges = 0
        self._held: dict[str, Any] = {}
        self.sealed = 0
        self.odd = 0
        self.notes: dict[str, str] = {}

    async def load(self) -> None:
        """Read what an earlier run kept; once."""
        if not self._loaded:
            raw = await self._context.storage.get(KEY)
            self._held = json.loads(raw) if raw is not None else {}
            self._held.setdefault("began_ms", self._now_ms())
            self._loaded = True

    async def heard(self) -> None:
        """The network spoke; written down now and then."""
        now_ms = self._now_ms()
        self._held["event_ms"] = now_ms
        if now_ms - self._saved_ms >= KEEP_MS:
            await self._save()

    async def echoed(self, text: str | None) -> None:
        """Something of our own account came in; perhaps today's note."""
        if text is not None and text == self._held.get("note"):
            self._held |= {"echo_ms": self._now_ms(), "note": None}
            await self._save()

    async def challenged(self, token: str | None) -> None:
        """Signal wants a captcha (None: it does not any more). `challenges` counts them.

        A key of its own: the command line may lift it beside the running program.
        """
        self.challenges += token is not None
        if token is not None or self._challenged:
            await self._context.storage.put(CHALLENGE_KEY, token)
            self._challenged = token is not None

    async def troubled(self, verdict: Verdict) -> None:
        """Our account or our client is refused; only somebody can mend that."""
        self._held["trouble"] = str(verdict)
        await self._save()

    async def start(self) -> None:
        """Look at the neighbour before listening. Raises BridgeDownError."""
        await self.load()
        try:
            about = await self._transport.about()
        except transport.AwayError as away:
            raise bridge.BridgeDownError(f"signal: {away}") from None
        await self._version(about.version)
        self._held.pop("trouble", None)
        wrong = neighbour.mode_fault(self._settings.way, about.mode)
        if wrong is not None:
            reason = f"signal-cli-rest-api: {wrong}"
            raise bridge.BridgeDownError(reason, needs_human=f"{reason}; change one of the two")
        if not about.ours:
            steps = transport.STEPS[Verdict.GONE]
            raise bridge.BridgeDownError("signal: the account is gone", needs_human=steps)
        await self._save()

    async def note(self) -> None:
        """Once a day a note to self; a text that means nothing to anybody who sees it."""
        now_ms = self._now_ms()
        if not self._settings.canary or now_ms - self._held.get("note_ms", 0) < CANARY_MS:
            return
        text = f"{secrets.token_hex(4)}"
        # Before the send: what hangs or fails is not asked again all day long.
        self._held |= {"note": text, "note_ms": now_ms}
        await self._save()
        answer = await self._transport.note_to_self(text)
        if answer.verdict in transport.STEPS:
            await self.troubled(answer.verdict)
        self._held["note_taken"] = answer.verdict is Verdict.TAKEN
        await self._save()

    def trouble(self) -> str | None:
        """What somebody must do before anything can be received or sent, None if nothing."""
        verdict = self._held.get("trouble")
        if verdict is not None:
            return transport.STEPS[Verdict(verdict)]
        since_ms = self._held.get("version_ms")
        days = self._settings.version_age_days
        if since_ms is not None and self._now_ms() - since_ms > days * DAY_MS:
            return f"signal-cli has not been updated for {days} days; Signal shuts out old clients"
        return None

    async def health(self) -> bridge.Health:
        """The worst of what is known, and a fresh answer of the neighbour."""
        await self.load()
        steps = self.trouble() or await self._captcha()
        if steps is not None:
            return self._said(bridge.Condition.NEEDS_HUMAN, steps)
        try:
            about = await self._transport.about()
        except transport.AwayError as away:
            return self._said(bridge.Condition.DOWN, f"signal: {away}")
        if not about.ours:
            return self._said(bridge.Condition.NEEDS_HUMAN, transport.STEPS[Verdict.GONE])
        silent = self._silence()
        if silent is not None:
            return self._said(bridge.Condition.DOWN, silent)
        return self._said(bridge.Condition.UP, "; ".join(self._remarks()))

    @property
    def last_event_at(self) -> dt.datetime | None:
        """When the network last spoke."""
        event_ms = self._held.get("event_ms")
        return None if event_ms is None else clock.from_ms(event_ms)

    def _steps(self) -> str:
        """What to do about a captcha, for the room."""
        return (
            f"Signal wants a captcha: open {CAPTCHA_URL}, solve it, copy the link behind "
            f"'Open Signal', then: antirelou captcha {self._context.channel} 'signalcaptcha://…'"
        )

    async def _captcha(self) -> str | None:
        wanted = await self._context.storage.get(CHALLENGE_KEY)
        return None if wanted is None else self._steps()

    def _silence(self) -> str | None:
        """Whether nothing was heard for longer than can be chance."""
        now_ms = self._now_ms()
        held: Mapping[str, Any] = self._held
        lost = held.get("note") and now_ms - held.get("note_ms", 0) > CANARY_PATIENCE_MS
        if lost and held.get("note_taken") and held.get("echo_ms"):
            return "the daily note to self was sent and did not come back: receiving is broken"
        since_ms = max(held.get("event_ms", 0), held["began_ms"])
        if now_ms - since_ms > self._settings.silence_alarm_s * 1000:
            hours = (now_ms - since_ms) // 3_600_000
            return f"nothing was heard for {hours} hours: receiving may be broken"
        return None

    def _remarks(self) -> list[str]:
        told = list(self.notes.values())
        if self.sealed:
            told.append(f"{self.sealed} messages could not be opened")
        if self._settings.canary and self._held.get("note_taken") and not self._held.get("echo_ms"):
            told.append("the note to self never came back: link a second device to prove receiving")
        return told

    async def _version(self, version: str) -> None:
        """Its age is at least the time since we first saw it."""
        if self._held.get("version") != version:
            self._held |= {"version": version, "version_ms": self._now_ms()}

    async def _save(self) -> None:
        self._saved_ms = self._now_ms()
        await self._context.storage.put(KEY, json.dumps(self._held))

    def _said(self, condition: bridge.Condition, detail: str) -> bridge.Health:
        return bridge.Health(condition=condition, detail=detail, last_event_at=self.last_event_at)

    def _now_ms(self) -> int:
        return clock.to_ms(self._context.clock.now())

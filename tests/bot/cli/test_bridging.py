"""What bridges say of themselves reaches the operator, each finding in its place."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping, Sequence

import pytest

from bot import build, config
from bot.contract import address, bridge, clock
from bot.policy import settings
from bot.store import database
from tests.bot.cli.conftest import Place
from tests.fakes import world

CONFIG = """
[web]
port = 0
public_url = "https://sms.example.org/"
[channels.mirror]
kind = "mirror"
"""
OURS = "+33639980000"
GOOD, WARNING, FAULT = bridge.Verdict.GOOD, bridge.Verdict.WARNING, bridge.Verdict.FAULT


class Mirror(world.World):
    """A bridge that shows what it was given. `opened`: those not closed yet."""

    findings: Sequence[bridge.Finding] = ()
    applied: Sequence[bool] = ()
    closed = 0
    reason: str | None = None
    broken = False
    slow = 2.0

    def __init__(self, context: bridge.Context) -> None:
        super().__init__(context.channel)
        self.context = context
        self.addresses = (bridge.OwnAddress(address=address.Address(address.SMS, OURS)),)

    async def check(self) -> Sequence[bridge.Finding]:
        if Mirror.broken:
            raise ConnectionError("secret words of a provider")
        kept = await self.context.storage.get("seen")
        await self.context.storage.put("seen", "changed")
        return (
            *Mirror.findings,
            _finding(GOOD, f"{self.context.public_url} kept {kept}"),
        )

    async def set_up(self, *, apply: bool) -> Sequence[bridge.Finding]:
        Mirror.applied = (*Mirror.applied, apply)
        return Mirror.findings

    def pace(self) -> float:
        return Mirror.slow

    def release_reason(self) -> str | None:
        return Mirror.reason

    async def close(self) -> None:
        Mirror.closed += 1


def _finding(verdict: bridge.Verdict, sentence: str) -> bridge.Finding:
    return bridge.Finding(verdict=verdict, about="webhook", sentence=sentence, mend="mend it so")


@pytest.fixture(autouse=True)
def mirrored(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("bridges.mirror")

    def create(table: Mapping[str, object], context: bridge.Context) -> Mirror:
        assert not table
        return Mirror(context)

    module.__dict__["create"] = create
    monkeypatch.setitem(sys.modules, "bridges.mirror", module)
    for name, value in (("findings", ()), ("applied", ()), ("closed", 0), ("reason", None)):
        monkeypatch.setattr(Mirror, name, value)
    monkeypatch.setattr(Mirror, "broken", False)
    config = place.folder / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)


def test_check_tells_good_unwise_and_wrong_and_ends_with_two(place: Place) -> None:
    Mirror.findings = (_finding(WARNING, "is slow"), _finding(FAULT, "is elsewhere"))
    result = place.run("check")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert "warning: channels.mirror: webhook: is slow; mend it so" in lines
    assert "FAULT: channels.mirror: webhook: is elsewhere; mend it so" in lines
    # The slash at the end of the address is gone: a path is put behind it.
    assert any("https://sms.example.org kept None" in line for line in lines)
    assert Mirror.closed == 1
    assert "ok" not in json.loads(place.run("check", "--json").stdout)["good"][0][:3]


def test_offline_asks_nobody(place: Place) -> None:
    Mirror.findings = (_finding(FAULT, "is elsewhere"),)
    assert place.run("check", "--offline").exit_code == 0


def test_a_bridge_that_breaks_is_a_fault_without_its_words(place: Place) -> None:
    Mirror.broken = True
    result = place.run("check")
    assert result.exit_code == 2
    assert "ConnectionError" in result.stderr
    assert "secret words" not in result.stderr


def test_a_number_that_must_not_send_by_itself_is_explained(place: Place) -> None:
    Mirror.reason = "French 06 and 07 numbers are for people"
    assert "until a moderator releases it, because French 06" in place.run("check").stderr
    unwise = place.run("check", "--set", "channels.mirror.release_by_hand=false").stderr
    assert "release_by_hand: is false, although French 06" in unwise


def test_setup_shows_and_with_apply_does(place: Place) -> None:
    Mirror.findings = (_finding(GOOD, "will be set"),)
    shown = place.run("setup", "mirror")
    assert shown.exit_code == 0, shown.stderr
    assert "ok      webhook: will be set; mend it so" in shown.stdout
    assert "--apply does it" in shown.stderr
    done = place.run("setup", "mirror", "--apply", "--json")
    assert json.loads(done.stdout) == {
        "ok": True,
        "applied": True,
        "findings": [
            {
                "channel": "mirror",
                "verdict": "good",
                "about": "webhook",
                "sentence": "will be set",
                "mend": "mend it so",
            }
        ],
    }
    assert list(Mirror.applied) == [False, True]
    Mirror.findings = (_finding(FAULT, "was refused"),)
    assert place.run("setup", "mirror", "--apply").exit_code == 1
    assert Mirror.closed == 3


def test_setup_of_what_cannot_be_set_up(place: Place) -> None:
    assert "there are: mirror" in place.run("setup", "nothing").stderr
    config = place.folder / "config.toml"
    config.write_text('[channels.sms]\nkind = "simulator"\naddresses = ["+33639980000"]\n')
    result = place.run("setup", "sms")
    assert result.exit_code == 1
    assert "nothing to set up" in result.stderr
    assert "sms.twilio" in place.run("twilio", "setup").stderr


def _core(told: config.Settings) -> settings.Core:
    bridges = build.bridges_of(
        told.channels.values(),
        store=database.Store(None),
        moment=clock.SystemClock(),
        currency="EUR",
    )
    return build.core_of(told, bridges)


def test_a_running_channel_waits_if_its_number_asks_for_it(place: Place) -> None:
    Mirror.reason = "French 06 and 07 numbers are for people"
    told = config.load(place.folder / "config.toml", overrides=())
    assert _core(told).reply.release_channels == {"mirror"}
    Mirror.reason = None
    assert _core(told).reply.release_channels == frozenset()


def test_a_provider_known_to_be_slow_is_handed_no_more_than_it_takes(place: Place) -> None:
    told = config.load(place.folder / "config.toml", overrides=())
    assert _core(told).budget.quotas["mirror"].parts_per_second == Mirror.slow
    own = config.load(
        place.folder / "config.toml", overrides=("channels.mirror.parts_per_second=7",)
    )
    assert _core(own).budget.quotas["mirror"].parts_per_second == 7

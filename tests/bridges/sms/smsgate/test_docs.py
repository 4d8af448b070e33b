"""docs/sms.md shows every setting of every SMS bridge, and no other."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.contract import bridge
from bot.contract.conformance import fakes
from bridges.sms import seven
from bridges.sms.smsgate import checklist, settings

PAGE = (Path(__file__).resolve().parents[4] / "docs/sms.md").read_text(encoding="utf-8")


def shown(kind: str) -> list[str]:
    """The rows of a bridge's table of settings."""
    found = re.search(rf"<!-- settings: {kind} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None, f"docs/sms.md has no table of {kind}"
    return [line for line in found[1].splitlines()[2:] if line]


def rows(keys: Mapping[str, str], defaults: Mapping[str, object]) -> list[str]:
    """The table as the code has it."""
    out = []
    for key, meaning in keys.items():
        told = f"`{json.dumps(defaults[key])}`" if key in defaults else ""
        out.append(f"| `{key}` | {told}{' ' if told else ''}| {meaning} |")
    return out


@pytest.mark.parametrize(
    ("kind", "keys", "defaults"),
    [
        ("sms.smsgate", settings.KEYS, settings.DEFAULTS),
        ("sms.seven", seven.KEYS, seven.DEFAULTS),
    ],
)
def test_the_tables_are_the_code(
    kind: str, keys: Mapping[str, str], defaults: Mapping[str, object]
) -> None:
    assert shown(kind) == rows(keys, defaults)


def test_every_key_of_the_twilio_bridge_is_explained() -> None:
    """Its own fault names all keys that it knows."""
    twilio = importlib.import_module("bridges.sms.twilio")
    context = bridge.Context(
        channel="sms", clock=fakes.FakeClock(), storage=fakes.FakeStorage(), currency="EUR"
    )
    with pytest.raises(bridge.SettingsError) as refused:
        twilio.create({"no_such_setting": 1}, context)
    sentence = dict(refused.value.faults)["no_such_setting"]
    known = set(sentence.partition("known are ")[2].split(", ")) - {"kind"}
    assert {row.split("`")[1] for row in shown("sms.twilio")} == known


def test_every_point_of_the_checklist_is_explained() -> None:
    rows_of_points = set(re.findall(r"^\| `([a-z-]+)` \| .* \| .* \|$", PAGE, re.MULTILINE))
    assert {str(point) for point in settings.Point} <= rows_of_points


def test_the_examples_are_good_settings() -> None:
    core = {"recipients_per_month", "parts_per_hour"}
    snippets = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    channels = [
        table
        for snippet in snippets
        for table in tomllib.loads(textwrap.dedent(snippet)).get("channels", {}).values()
    ]
    assert [one["kind"] for one in channels] == ["sms.smsgate", "sms.seven", "sms.twilio"]
    phone, prepaid, _ = ({k: v for k, v in one.items() if k not in core} for one in channels)
    assert settings.read(phone, "EUR").sims
    assert seven.read(prepaid).price.micros == 75_000


def test_the_paths_and_kinds_on_the_page_exist() -> None:
    assert checklist.path("phone") == "/sms/phone/events"
    assert "https://sms.example.org/sms/prepaid/seven" in PAGE
    for kind in re.findall(r'^ *kind = "([a-z.]+)"', PAGE, re.MULTILINE):
        assert hasattr(importlib.import_module(f"bridges.{kind}"), "create")

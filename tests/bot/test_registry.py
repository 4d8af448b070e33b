"""Kinds are found by name, faults are told with their key, all at once."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot import registry
from bot.contract import bridge, clock

PLAIN = """
from bot.contract import bridge
class Made:
    network, addresses, idempotent = "sms", (), True
    def __init__(self, table, context):
        self.channel, self.table = context.channel, table
    def reaches(self, recipient): return False
    def quote(self, recipient, text): return None
    async def listen(self, door): pass
    async def send(self, reply): pass
    async def close(self): pass
def create(settings, context):
    if "price" not in settings:
        raise bridge.SettingsError([("price", "is missing"), ("", "is empty")])
    return Made(settings, context)
"""
FILES = {
    "plain/__init__.py": PLAIN,
    "plain/wire.py": "def create(): pass",
    "sms/__init__.py": "",
    "sms/first.py": PLAIN,
    "sms/wire.py": "",
    "needy.py": "import a_package_that_nobody_has\ndef create(settings, context): pass",
    "odd.py": "def create(settings, context): return 3",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Channel:
    name: str
    kind: str
    table: Mapping[str, object]


class Storage:
    async def get(self, key: str) -> str | None:
        return None

    async def put(self, key: str, value: str | None) -> None:
        return


@pytest.fixture(autouse=True)
def _bridges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of bridges of the test's own, under the name of the real one."""
    for name, text in FILES.items():
        path = tmp_path / "bridges" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "bridges" / "__init__.py").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] == "bridges"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "bridges":
            del sys.modules[name]


def context(name: str) -> bridge.Context:
    return bridge.Context(
        channel=name, clock=clock.SystemClock(), storage=Storage(), currency="EUR"
    )


def channel(name: str, kind: str, **table: object) -> Channel:
    return Channel(name=name, kind=kind, table=table)


def test_a_kind_is_a_module_below_bridges() -> None:
    made = registry.create(channel("one", "sms.first", price="0.08"), context("one"))
    assert made.channel == "one"


def test_the_kinds_are_the_modules_with_create() -> None:
    assert registry.kinds() == ["odd", "plain", "sms.first"]


@pytest.mark.case("C36")
@pytest.mark.parametrize(
    "kind", ["sms.frist", "nothing", "sms.wire", "sms", "sms.first.x", "os.path", "..bot", "x y"]
)
def test_an_unknown_kind_lists_those_there_are(kind: str) -> None:
    with pytest.raises(registry.RegistryError) as caught:
        registry.create(channel("one", kind), context("one"))
    ((key, text),) = caught.value.faults
    assert key == "channels.one.kind"
    assert "there are: odd, plain, sms.first" in text


def test_a_slip_is_answered_with_the_nearest_kind() -> None:
    with pytest.raises(registry.RegistryError, match=r"did you mean sms\.first\?"):
        registry.create(channel("one", "sms.frist"), context("one"))


def test_a_missing_package_is_named() -> None:
    with pytest.raises(registry.RegistryError, match="a_package_that_nobody_has; install it"):
        registry.create(channel("one", "needy"), context("one"))


@pytest.mark.case("C36")
def test_the_faults_of_all_channels_are_told_at_once() -> None:
    channels = [
        channel("one", "plain"),
        channel("two", "nothing"),
        channel("three", "plain", price="1"),
    ]
    with pytest.raises(registry.RegistryError) as caught:
        registry.create_all(channels, {one.name: context(one.name) for one in channels})
    keys = [key for key, _ in caught.value.faults]
    assert keys == ["channels.one.price", "channels.one", "channels.two.kind"]
    assert str(caught.value).count("\n") == 2


def test_all_are_made_in_order() -> None:
    channels = [channel(name, "plain", price="1") for name in ("b", "a")]
    made = registry.create_all(channels, {one.name: context(one.name) for one in channels})
    assert [one.channel for one in made] == ["b", "a"]


def test_what_is_no_bridge_is_refused() -> None:
    with pytest.raises(TypeError, match="made no Bridge"):
        registry.create(channel("one", "odd"), context("one"))

"""From the configured name of a kind to a bridge: the only import by name in the repository.

`sms.twilio` is the module `bridges.sms.twilio`, which has `create(settings, context)`. Nothing
else is known of bridges here; their own faults are handed on with the key they belong to.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Final, Protocol

from bot.contract import bridge, first_run

ROOT: Final = "bridges"
_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\Z")


class Channel(Protocol):
    """What is asked of a configured channel (`config.ChannelSettings` has it)."""

    @property
    def name(self) -> str:
        """The configured name."""

    @property
    def kind(self) -> str:
        """The name of the bridge."""

    @property
    def table(self) -> Mapping[str, object]:
        """The bridge's own keys."""


class RegistryError(Exception):
    """Channels that cannot be made: pairs of `channels.NAME.key` and a sentence."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        """`str()` gives one line a fault."""
        super().__init__("\n".join(f"{key}: {text}" for key, text in faults))
        self.faults = tuple(faults)


def create(channel: Channel, context: bridge.Context) -> bridge.Bridge:
    """Make the bridge of one channel. Raises RegistryError with all faults of its table."""
    prefix = f"channels.{channel.name}"
    make = getattr(_module(channel), "create", None)
    if make is None:
        raise RegistryError([(f"{prefix}.kind", _unknown(channel.kind))])
    try:
        made = make(channel.table, context)
    except bridge.SettingsError as error:
        faults = [(f"{prefix}.{key}" if key else prefix, text) for key, text in error.faults]
        raise RegistryError(faults) from None
    if not isinstance(made, bridge.Bridge):
        raise TypeError(f"create of bridge kind {channel.kind} made no Bridge")
    return made


def create_all(
    channels: Iterable[Channel], contexts: Mapping[str, bridge.Context]
) -> list[bridge.Bridge]:
    """Make all, in order; `contexts` by channel name. Raises one RegistryError for all."""
    made: list[bridge.Bridge] = []
    faults: list[tuple[str, str]] = []
    for channel in channels:
        try:
            made.append(create(channel, contexts[channel.name]))
        except RegistryError as error:
            faults += error.faults
    if faults:
        raise RegistryError(faults)
    return made


def kinds() -> list[str]:
    """The kinds that exist, in alphabetical order. Imports every bridge that can be imported."""
    return sorted(_kinds(importlib.import_module(ROOT)))


def beginnings() -> list[tuple[str, first_run.Start]]:
    """(kind, how it begins) of every bridge that says how; by kind, then in its own order."""
    found = ((kind, importlib.import_module(f"{ROOT}.{kind}")) for kind in kinds())
    return [(kind, start) for kind, module in found for start in getattr(module, "START", ())]


def _module(channel: Channel) -> ModuleType | None:
    """The bridge's module, None if there is no such module of ours."""
    if not _KIND.match(channel.kind):
        return None
    wanted = f"{ROOT}.{channel.kind}"
    try:
        return importlib.import_module(wanted)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing in {ROOT, wanted} or wanted.startswith(f"{missing}."):
            return None
        sentence = f"{channel.kind} needs the Python package {missing}; install it"
        raise RegistryError([(f"channels.{channel.name}.kind", sentence)]) from None


def _unknown(kind: str) -> str:
    known = kinds()
    near = difflib.get_close_matches(kind, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"no such kind of bridge; {hint}there are: {', '.join(known) or 'none'}"


def _kinds(package: ModuleType) -> Iterator[str]:
    """Modules that have `create`, by name below the root; what has it is not looked into."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            module = importlib.import_module(found.name)
        except ImportError:
            continue  # its package is not installed: it could not be chosen either
        if hasattr(module, "create"):
            yield found.name.removeprefix(f"{ROOT}.")
        elif found.ispkg:
            yield from _kinds(module)

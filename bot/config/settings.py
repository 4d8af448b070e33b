"""What `load` gives: frozen values, one dataclass a room that is told them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bot.policy import settings as policy
from bot.store import choosing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`[store]`: `url` may hold a password, so it is never printed."""

    url: str = dataclasses.field(default="sqlite:antirelou.db", repr=False)
    key_file: Path = Path("antirelou.key")

    @property
    def file(self) -> Path | None:
        """The database's file; None for a database that is no file."""
        return choosing.file(self.url)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """`[web]`: `admin_listen` is the host and port for metrics and health, None for none.

    `admin_token` opens them and is never printed. `public_url` has no slash at its end; empty if
    none was named. `trusted_proxies` are addresses and networks that say who asks.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    admin_listen: tuple[str, int] | None = None
    admin_token: str = dataclasses.field(default="", repr=False)
    trusted_proxies: tuple[str, ...] = ()
    requests_per_second: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """`[page]`: the public page; `url` has no slash at its end, empty: `web.public_url`."""

    url: str = ""
    contact_name: str = "Alex"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """`[log]`: `format` is `console` or `json`."""

    level: str = "info"
    format: str = "console"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """`[channels.NAME]`: `table` is all that is the bridge's own, secrets too: never printed.

    `kind` and the keys of `quota` are taken out of `table`. Decimal fractions in it are
    `decimal.Decimal`, so that no price passes through a binary float.
    """

    name: str
    kind: str
    table: Mapping[str, object] = dataclasses.field(repr=False)
    quota: policy.Quota
    release_by_hand: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. `warnings`: sentences for the operator about what is allowed but unwise."""

    core: policy.Core = dataclasses.field(default_factory=policy.Core)
    store: StoreSettings = dataclasses.field(default_factory=StoreSettings)
    web: WebSettings = dataclasses.field(default_factory=WebSettings)
    page: PageSettings = dataclasses.field(default_factory=PageSettings)
    log: LogSettings = dataclasses.field(default_factory=LogSettings)
    channels: Mapping[str, ChannelSettings] = dataclasses.field(
        default_factory=lambda: MappingProxyType({})
    )
    source: Path | None = None
    warnings: tuple[str, ...] = ()


def without_caps(settings: Settings) -> Settings:
    """The same with no money cap anywhere: `simulate` shows what a flood would have cost."""
    budget = settings.core.budget
    quotas = {
        name: dataclasses.replace(quota, cap_day_micros=None)
        for name, quota in budget.quotas.items()
    }
    uncapped = dataclasses.replace(
        budget,
        cap_day_micros=None,
        cap_month_micros=None,
        country_cap_day_micros=MappingProxyType({}),
        quotas=MappingProxyType(quotas),
    )
    channels = {
        name: dataclasses.replace(channel, quota=quotas.get(name, channel.quota))
        for name, channel in settings.channels.items()
    }
    return dataclasses.replace(
        settings,
        core=dataclasses.replace(settings.core, budget=uncapped),
        channels=MappingProxyType(channels),
    )

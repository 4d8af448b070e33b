"""Configuration: TOML, environment and `--set` into frozen settings, or every fault at once.

`load()` is the only way in; floors below 6 get `Settings.core`, a bridge gets its own table
unread. This room knows no bridge and never shows a value: it might be a secret or an address.
"""

from bot.config.faults import ConfigError, Fault
from bot.config.reading import load
from bot.config.settings import (
    ChannelSettings,
    LogSettings,
    PageSettings,
    Settings,
    StoreSettings,
    WebSettings,
    without_caps,
)
from bot.config.table import Row, markdown, rows

__all__ = [
    "ChannelSettings",
    "ConfigError",
    "Fault",
    "LogSettings",
    "PageSettings",
    "Row",
    "Settings",
    "StoreSettings",
    "WebSettings",
    "load",
    "markdown",
    "rows",
    "without_caps",
]

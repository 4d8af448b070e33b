"""The one table of all settings, made from the models; docs/settings.md is `markdown()`."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pydantic
from pydantic_core import PydanticUndefined

from bot.config import model
from bot.contract import money

_HEAD = """\
# Settings

<!-- Made from the code by bot.config.markdown(); a test compares. Do not edit by hand. -->

`antirelou` reads a TOML file, then the environment, then `--set section.key=value`; the later
wins. `reply.delay_min_s` is `ANTIRELOU_REPLY__DELAY_MIN_S` in the environment. A secret may stand
in a file of its own: `ANTIRELOU_CHANNELS__SMS__AUTH_TOKEN_FILE=/run/secrets/token`. An empty
variable is no variable. A file with secrets in it must be readable by its owner alone
(`chmod 600`).

Amounts of money are decimals in major units, in quotes or not (`"0.08"`, `20`), with at most six
places; they are never rounded. Everything wrong is reported at once, one line each.
"""
_CHANNELS = """\

The other keys of `[channels.NAME]` belong to the bridge: see its page. `addresses`, where a
bridge has it, lists our own; one address of a network belongs to one channel only.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting; `default` as written in TOML, empty if it must be given or has none."""

    key: str
    type: str
    default: str
    unit: str
    meaning: str


def rows() -> list[Row]:
    """Every setting of the core, section by section; `NAME` and `USD` stand for any."""
    found = [row for name, section in model.SECTIONS.items() for row in _of(name, section)]
    found += _of("fx.USD", model.FxRate)
    return found + _of("channels.NAME", model.Channel)


def _of(prefix: str, section: type[pydantic.BaseModel]) -> list[Row]:
    found = []
    for name, field in section.model_fields.items():
        extra = cast("dict[str, str]", field.json_schema_extra)
        found.append(
            Row(
                key=f"{prefix}.{name}",
                type=extra["kind"],
                default=_written(field.default, amount=extra["kind"] == "amount"),
                unit=extra["unit"],
                meaning=field.description or "",
            )
        )
    return found


def _written(value: Any, *, amount: bool) -> str:  # noqa: ANN401 (defaults of all types)
    """A default as it would stand in the file."""
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if amount:
        return f'"{money.plain(value)}"'
    if isinstance(value, list):
        return f"[{', '.join(_written(item, amount=False) for item in value)}]"
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def markdown() -> str:
    """The page docs/settings.md, whole."""
    page, section = _HEAD, ""
    for row in rows():
        prefix, _, name = row.key.rpartition(".")
        if prefix != section:
            section = prefix
            page += f"\n## [{section}]\n\n| key | type | default | unit | meaning |\n"
            page += "|---|---|---|---|---|\n"
        default = f"`{row.default}`" if row.default else ""
        cells = (f"`{name}`", row.type, default, row.unit, row.meaning)
        page += "".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n"
    return page + _CHANNELS

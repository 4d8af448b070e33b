"""From gathered values to frozen settings, or to every fault at once."""

from __future__ import annotations

import datetime as dt
import os
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pydantic

from bot.config import model, settings, sources
from bot.config.faults import ConfigError, Fault, from_pydantic, meant
from bot.contract import money, segments
from bot.policy import settings as policy
from bot.policy import texts

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*\Z")
_LONGEST_NAME: Final = 32
_PRODUCTION_DELAY_S: Final = 3600


def load(
    path: Path | None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> settings.Settings:
    """Read the settings; `path` None means defaults, environment and overrides alone.

    `overrides`: `section.key=value`, the value in TOML or plain text. Raises ConfigError with
    all faults. Kinds of channels and their own tables are judged by the registry and the bridges.
    """
    gathered = sources.gather(path, overrides, environ)
    for name in gathered.tree.keys() - model.known(()):
        _fault(gathered, (name,), "unknown section", meant(name, model.known(())))
    sections = {name: _section(gathered, name) for name in model.SECTIONS}
    channels = _channels(gathered)
    _check_addresses(gathered)
    _check_currency(gathered, sections)
    if gathered.faults or None in sections.values():
        raise ConfigError(sorted(gathered.faults, key=_place))
    return _freeze(sections, channels, path)


def _place(fault: Fault) -> tuple[str, int]:
    """By file and line, not 10 before 9."""
    name, _, line = fault.where.rpartition(":")
    return (name, int(line)) if line.isdigit() else (fault.where, 0)


def _fault(gathered: sources.Gathered, path: tuple[str, ...], wrong: str, mend: str) -> None:
    gathered.fault(gathered.where(path), ".".join(path), wrong, mend)


def _section(gathered: sources.Gathered, name: str) -> Any:  # noqa: ANN401 (each section its own)
    """The validated section, None after its faults were noted."""
    try:
        return model.SECTIONS[name].model_validate(gathered.tree.get(name, {}))
    except pydantic.ValidationError as error:
        gathered.faults += from_pydantic(error, (name,), model.known, gathered.where)
        return None


def _channels(gathered: sources.Gathered) -> dict[str, settings.ChannelSettings]:
    tables = gathered.tree.get("channels", {})
    if not isinstance(tables, dict):
        _fault(gathered, ("channels",), "must be a table", "write [channels.NAME]")
        return {}
    found = {}
    for name, table in tables.items():
        path = ("channels", name)
        if not _NAME.match(name) or len(name) > _LONGEST_NAME:
            mend = "write lower-case letters and digits, with single - or _ between"
            _fault(gathered, path, "is no name for a channel", mend)
        if not isinstance(table, dict):
            _fault(gathered, path, "must be a table", f"write [channels.{name}]")
            continue
        if channel := _channel(gathered, name, table):
            found[name] = channel
    return found


def _channel(
    gathered: sources.Gathered, name: str, table: dict[str, Any]
) -> settings.ChannelSettings | None:
    """Take out what is the core's; the rest goes to the bridge unread."""
    ours = model.Channel.model_fields.keys()
    try:
        core = model.Channel.model_validate({k: v for k, v in table.items() if k in ours})
    except pydantic.ValidationError as error:
        gathered.faults += from_pydantic(error, ("channels", name), model.known, gathered.where)
        return None
    return settings.ChannelSettings(
        name=name,
        kind=core.kind,
        table=MappingProxyType({k: v for k, v in table.items() if k not in ours}),
        quota=policy.Quota(
            parts_per_hour=core.parts_per_hour,
            parts_per_day=core.parts_per_day,
            recipients_per_month=core.recipients_per_month,
            first_contacts_per_day=core.first_contacts_per_day,
            look_ups_per_day=core.look_ups_per_day,
            sent_per_received=core.sent_per_received,
            cap_day_micros=core.cap_day,
            parts_per_second=core.parts_per_second,
        ),
        release_by_hand=core.release_by_hand,
    )


def _check_addresses(gathered: sources.Gathered) -> None:
    """One address on one network belongs to one channel: two would answer the same person.

    `addresses` is the one bridge key looked into, and only if it has its common form. A number
    may serve on SMS and Signal at once, so the network counts too.
    """
    tables = gathered.tree.get("channels", {})
    owners: dict[tuple[str, str], str] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        listed = table.get("addresses") if isinstance(table, dict) else None
        for item in listed if isinstance(listed, list) else ():
            value = item.get("value") if isinstance(item, dict) else item
            if not isinstance(value, str):
                continue
            network = str(table.get("network") or str(table.get("kind")).partition(".")[0])
            owner = owners.setdefault((network, value), name)
            if owner != name:
                wrong = f"holds an address that is also one of channels.{owner}"
                mend = "an address belongs to one channel; take it out of one of them"
                _fault(gathered, ("channels", name, "addresses"), wrong, mend)


def _check_currency(gathered: sources.Gathered, sections: Mapping[str, Any]) -> None:
    """A rate for the budget's own currency would change every price."""
    budget, rates = sections["budget"], sections["fx"]
    if budget and rates and budget.currency in (rates.__pydantic_extra__ or {}):
        path = ("fx", budget.currency)
        _fault(gathered, path, "is budget.currency itself", "leave its rate out")


# ---------------------------------------------------------------- frozen


def _freeze(
    sections: Mapping[str, Any],
    channels: dict[str, settings.ChannelSettings],
    source: Path | None,
) -> settings.Settings:
    core = policy.Core(
        reply=_reply(sections["reply"]),
        who=policy.Who(
            countries=frozenset(sections["who"].countries), own=frozenset(sections["who"].own)
        ),
        budget=_budget(sections["budget"], sections["fx"], channels),
        retention=policy.Retention(**sections["retention"].model_dump()),
        flood=policy.Flood(**sections["flood"].model_dump()),
        room=_room(sections["room"]),
    )
    store = sections["store"]
    return settings.Settings(
        core=core,
        store=settings.StoreSettings(url=store.url, key_file=Path(store.key_file)),
        web=_web(sections["web"]),
        page=settings.PageSettings(**sections["page"].model_dump()),
        log=settings.LogSettings(**sections["log"].model_dump()),
        channels=MappingProxyType(channels),
        source=source,
        warnings=_warnings(core, channels),
    )


def _web(section: model.Web) -> settings.WebSettings:
    plain = section.model_dump(exclude={"trusted_proxies"})
    return settings.WebSettings(**plain, trusted_proxies=tuple(section.trusted_proxies))


def _reply(section: model.Reply) -> policy.Reply:
    plain = section.model_dump(exclude={"languages", "texts"})
    return policy.Reply(
        **plain,
        languages=frozenset({*section.languages, section.language}),
        texts=MappingProxyType(dict(section.texts)),
    )


def _room(section: model.Room) -> policy.Room:
    plain = section.model_dump(exclude={"on_call", "cap_day_max", "cap_month_max"})
    return policy.Room(
        **plain,
        on_call=MappingProxyType(dict(section.on_call)),
        cap_day_max_micros=section.cap_day_max,
        cap_month_max_micros=section.cap_month_max,
    )


def _budget(
    section: model.Budget, fx: model.Fx, channels: Mapping[str, settings.ChannelSettings]
) -> policy.Budget:
    rates = {
        code: money.Rate(
            currency=code,
            # Rounded up: a margin is there to be on the safe side.
            micros=-(-rate.rate * (100 + fx.margin_percent) // 100),
            dated=rate.dated.isoformat(),
        )
        for code, rate in (fx.__pydantic_extra__ or {}).items()
    }
    return policy.Budget(
        currency=section.currency,
        timezone=zoneinfo.ZoneInfo(section.timezone),
        cap_day_micros=section.cap_day,
        cap_month_micros=section.cap_month,
        country_cap_day_micros=MappingProxyType(dict(section.country_cap_day)),
        donations_only=section.donations_only,
        price_ceiling_micros=section.price_ceiling,
        unknown_after_s=section.unknown_after_s,
        inbound_alarm_day_micros=section.inbound_alarm_day,
        opinions_day_micros=section.opinions_day,
        rates=MappingProxyType(rates),
        quotas=MappingProxyType({name: channel.quota for name, channel in channels.items()}),
    )


def _warnings(
    core: policy.Core, channels: Mapping[str, settings.ChannelSettings]
) -> tuple[str, ...]:
    """What is allowed but unwise, one sentence each."""
    reply, budget, found = core.reply, core.budget, []
    if not channels:
        found.append("channels: there is none; nothing will be taken in or answered")
    if reply.delay_min_s < _PRODUCTION_DELAY_S:
        found.append(
            f"reply.delay_min_s: {dt.timedelta(seconds=reply.delay_min_s)} is under an hour; "
            "he may still be standing beside the person who gave him the number"
        )
    for language, wording in sorted(reply.texts.items()):
        size = segments.count(wording)
        # With a link in its place the length is another; `check` tells it.
        if size.parts > 1 and texts.HANDLE not in wording:
            found.append(
                f"reply.texts.{language}: {size.parts} parts in {size.encoding}; every reply on "
                "a paid network costs so many times as much"
            )
        if language not in reply.languages:
            found.append(f"reply.texts.{language}: not among reply.languages, never used")
    if budget.cap_day_micros and budget.cap_month_micros == 0:
        found.append("budget.cap_month: 0, so nothing that costs money is sent")
    if core.retention.persons_days < reply.window_days:
        found.append(
            "retention.persons_days: shorter than reply.window_days; "
            "somebody forgotten that early could be answered twice"
        )
    return tuple(found)

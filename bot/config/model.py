"""The sections of the configuration as pydantic models: types, bounds, defaults, meanings.

The one place where a core key is described; docs/settings.md is made from it. Defaults come
from the frozen dataclasses, so that there is one of each. Strict: nothing is coerced in silence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import pydantic

from bot.config import fields, settings
from bot.contract import money
from bot.policy import settings as policy
from bot.policy import texts

_REPLY: Final = policy.Reply()
_BUDGET: Final = policy.Budget()
_RETENTION: Final = policy.Retention()
_FLOOD: Final = policy.Flood()
_ROOM: Final = policy.Room()
_STORE: Final = settings.StoreSettings()
_WEB: Final = settings.WebSettings()
_LOG: Final = settings.LogSettings()


class Section(pydantic.BaseModel):
    """A table with known keys only."""

    model_config = pydantic.ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Store(Section):
    url: fields.StoreUrl = fields.setting(
        _STORE.url, "the database: `sqlite:FILE` or `postgresql://...` ([scale](scale.md))", "text"
    )
    key_file: str = fields.setting(
        str(_STORE.key_file),
        "where the keys of the database lie; made with a new database",
        "path",
        min_length=1,
    )


class Web(Section):
    host: str = fields.setting(
        _WEB.host, "address to listen on; a reverse proxy stands before it", "text", min_length=1
    )
    port: int = fields.whole(
        _WEB.port, "port to listen on; 0 takes a free one", "", ge=0, le=65_535
    )
    public_url: fields.PublicUrl = fields.setting(
        _WEB.public_url,
        "how the outside reaches this listener, `https://sms.example.org`; providers sign it",
        "URL",
    )
    admin_listen: fields.Listen = fields.setting(
        _WEB.admin_listen,
        'where `/metrics` and the details of `/health` are told, `"127.0.0.1:9180"`; left out: '
        "nowhere",
        "text",
    )
    admin_token: fields.Token = fields.setting(
        _WEB.admin_token,
        "secret that they ask for as `Authorization: Bearer …`; empty: they are for this machine "
        "alone; needed where `admin_listen` is not on this machine alone",
        "text",
    )
    trusted_proxies: list[fields.Proxy] = fields.setting(
        list(_WEB.trusted_proxies),
        "reverse proxies whose `X-Forwarded-For` is believed, by address or network; nobody else's "
        "is",
        "list of texts",
    )
    requests_per_second: fields.Number = fields.setting(
        _WEB.requests_per_second,
        "pages and refused webhooks that one address may ask for in the long run; 0: no limit "
        "([security](security.md))",
        "number",
        ge=0.0,
        le=10_000.0,
    )

    @pydantic.model_validator(mode="after")
    def _guarded(self) -> Web:
        if self.admin_listen and not self.admin_token and not fields.is_here(self.admin_listen[0]):
            raise ValueError(
                "admin_listen is open to other machines; set admin_token, or listen on 127.0.0.1"
            )
        return self


class Room(Section):
    """Who may be what stands in the channel that hosts the room."""

    language: Literal["fr", "en"] = fields.setting(
        _ROOM.language, "what notices are in; a command is answered in its own", "fr, en"
    )
    power: int = fields.whole(
        _ROOM.power, "under this power level in the room everybody is a reader", "", ge=0, le=100
    )
    unsigned_devices: bool = fields.setting(
        _ROOM.unsigned_devices,
        "obey devices that their owner has not verified (encrypted rooms)",
        "true or false",
    )
    digest_hour: int = fields.whole(
        _ROOM.digest_hour, "when the day's figures are told", "hour of day", ge=0, le=23
    )
    on_call: dict[fields.Account, fields.Hours] = fields.setting(
        {},
        'who is woken when, `on_call."@anna:example.org" = "08-20"`; nobody listed: everybody, '
        "always",
        "table",
    )
    cap_day_max: fields.Micros | None = fields.amount(
        None, "the most that the room may set `cap_day` to; else `budget.cap_day` itself"
    )
    cap_month_max: fields.Micros | None = fields.amount(
        None, "the most that the room may set `cap_month` to; else `budget.cap_month` itself"
    )


class Page(Section):
    url: fields.PublicUrl = fields.setting(
        "", "where the public page is; empty: `web.public_url`", "URL"
    )
    contact_name: str = fields.setting(
        "Alex", "the number's name on a contact card", "text", min_length=1, max_length=40
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = fields.setting(
        _LOG.level, "the least that is written", "debug, info, warning, error"
    )
    format: Literal["console", "json"] = fields.setting(
        _LOG.format, "lines for people or for machines", "console, json"
    )


class Reply(Section):
    window_days: int = fields.whole(
        _REPLY.window_days, "one reply per person in so many days", "days", ge=1, le=3650
    )
    delay_min_s: int = fields.whole(
        _REPLY.delay_min_s, "nothing goes out before; under an hour is warned of", "s", ge=0
    )
    delay_max_s: int = fields.whole(
        _REPLY.delay_max_s,
        "the latest a reply is due; at least `delay_min_s`",
        "s",
        ge=0,
        le=604_800,
        validate_default=True,
    )
    night_hold: bool = fields.setting(_REPLY.night_hold, "send nothing at night", "true or false")
    night_from_hour: int = fields.whole(
        _REPLY.night_from_hour, "night begins, by `budget.timezone`", "hour of day", ge=0, le=24
    )
    night_to_hour: int = fields.whole(
        _REPLY.night_to_hour, "night ends, by `budget.timezone`", "hour of day", ge=0, le=24
    )
    route: Literal["same", "cheapest"] = fields.setting(
        _REPLY.route,
        "answer from the address written to, or by whatever costs least",
        "same, cheapest",
    )
    expires_after_s: int = fields.whole(
        _REPLY.expires_after_s, "what could not be sent by then is dropped", "s", ge=60
    )
    language: fields.Language = fields.setting(
        _REPLY.language, "the collective's language, used unless another is clear", "language"
    )
    languages: list[fields.Language] = fields.setting(
        sorted(_REPLY.languages), "languages a reply may be in", "list of languages", min_length=1
    )
    tone: Literal["neutral", "2017"] = fields.setting(
        _REPLY.tone, "which of the ready texts", "neutral, 2017"
    )
    texts: dict[fields.Language, fields.Wording] = fields.setting(
        {}, 'own wording by language, `texts.fr = "…"`; more than one part is warned of', "table"
    )
    handle: str = fields.setting(
        _REPLY.handle,
        "a free channel; `{handle}` in your own texts becomes its link",
        "text",
        max_length=64,
    )
    release_by_hand: bool = fields.setting(
        _REPLY.release_by_hand, "hold every reply until a moderator releases it", "true or false"
    )

    @pydantic.field_validator("delay_max_s")
    @classmethod
    def _not_before_delay_min(cls, value: int, info: pydantic.ValidationInfo) -> int:
        least = info.data.get("delay_min_s", 0)
        if value < least:
            raise ValueError(f"must be at least delay_min_s ({least}); raise it or lower that")
        return value


class Who(Section):
    countries: list[fields.Country] = fields.setting(
        [], "countries answered; empty: EEA, UK, CH and overseas parts", "list of country codes"
    )
    own: list[fields.OwnAddress] = fields.setting(
        [], "addresses of ours, beside the channels' own, that are never answered", "list of texts"
    )


class Budget(Section):
    currency: fields.Currency = fields.setting(
        _BUDGET.currency, "all amounts are in it", "currency code"
    )
    timezone: fields.Zone = fields.setting(
        _BUDGET.timezone.key, "where days, months and nights begin", "IANA name"
    )
    cap_day: fields.Micros = fields.amount(
        _BUDGET.cap_day_micros, "the most that replies may cost in a day"
    )
    cap_month: fields.Micros = fields.amount(
        _BUDGET.cap_month_micros, "the most that replies may cost in a month"
    )
    country_cap_day: dict[fields.Country, fields.Micros] = fields.setting(
        {}, 'the same by country, `country_cap_day.FR = "5"`', "table", "`budget.currency`"
    )
    donations_only: bool = fields.setting(
        _BUDGET.donations_only, "spend no more than was given and has cleared", "true or false"
    )
    price_ceiling: fields.Micros = fields.amount(
        _BUDGET.price_ceiling_micros, "a part that costs more is never sent", le=10 * money.MICROS
    )
    unknown_after_s: int = fields.whole(
        _BUDGET.unknown_after_s, "an unsettled send counts as paid after", "s", ge=60
    )
    inbound_alarm_day: fields.Micros = fields.amount(
        _BUDGET.inbound_alarm_day_micros, "alarm when receiving costs more in a day"
    )
    opinions_day: fields.Micros = fields.amount(
        _BUDGET.opinions_day_micros,
        "the most that look-ups of doubtful numbers may cost in a day, beside `cap_day`; 0: none",
    )


class FxRate(Section):
    rate: fields.Micros = fields.setting(
        ..., "units of `budget.currency` for one unit of this", "amount"
    )
    dated: dt.date = fields.setting(..., "the day you read it", "date")

    @pydantic.field_validator("rate")
    @classmethod
    def _above_zero(cls, value: int) -> int:
        if not value:
            raise ValueError("must be more than 0; write the rate of that day")
        return value


class Fx(pydantic.BaseModel):
    """`USD = { rate = "0.93", dated = 2026-11-01 }`: keys are currency codes."""

    model_config = pydantic.ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[fields.Currency, FxRate]

    margin_percent: int = fields.whole(
        5, "put on top of every rate, to be on the safe side", "%", ge=0
    )


class Retention(Section):
    seen_days: int = fields.whole(
        _RETENTION.seen_days, "ids of messages seen, against doubles", "days", ge=30, le=3650
    )
    inbound_days: int = fields.whole(
        _RETENTION.inbound_days, "facts of messages, without text", "days", ge=1, le=3650
    )
    events_days: int = fields.whole(
        _RETENTION.events_days, "what happened, without people", "days", ge=1, le=3650
    )
    persons_days: int = fields.whole(
        _RETENTION.persons_days,
        "keyed hashes after the last contact; not under the window",
        "days",
        ge=1,
        le=3650,
    )


class Flood(Section):
    topics: bool = fields.setting(
        _FLOOD.topics, "hold what many suddenly write about", "true or false"
    )
    blocks: bool = fields.setting(
        _FLOOD.blocks, "hold many neighbours of one block of numbers", "true or false"
    )
    surges: bool = fields.setting(
        _FLOOD.surges,
        "when money is short, those who came in a crowd wait behind the others",
        "true or false",
    )
    pacing: bool = fields.setting(
        _FLOOD.pacing, "spread `budget.cap_day` over the hours of the day", "true or false"
    )
    topic_senders: int = fields.whole(
        _FLOOD.topic_senders, "a topic is shared by so many new senders", "people", ge=3, le=10_000
    )
    topic_share: fields.Number = fields.setting(
        _FLOOD.topic_share, "and by this share of all new senders", "number", ge=0.0, le=1.0
    )
    topic_lift: fields.Number = fields.setting(
        _FLOOD.topic_lift, "and by so many times the usual share", "number", ge=1.5, le=100.0
    )
    surge_factor: fields.Number = fields.setting(
        _FLOOD.surge_factor,
        "a surge is so many times the usual new senders of the hour",
        "number",
        ge=1.5,
        le=100.0,
    )


class Channel(Section):
    """The keys of `[channels.NAME]` that are the core's; the bridge never sees them."""

    kind: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")] = (
        fields.setting(..., "which bridge: `simulator`, `sms.twilio`, …", "text")
    )
    parts_per_second: fields.Number | None = fields.setting(
        None, "what the provider takes; left out: what the bridge knows of it", "number", "parts/s"
    )
    parts_per_hour: int | None = fields.whole(None, "the most in an hour", "parts", ge=0)
    parts_per_day: int | None = fields.whole(None, "the most in a day", "parts", ge=0)
    recipients_per_month: int | None = fields.whole(
        None, "the most different people in a month (fair-use plans)", "people", ge=0
    )
    first_contacts_per_day: int = fields.whole(
        policy.FIRST_CONTACTS,
        'the most people of another network written to in a day (`reply.route = "cheapest"`)',
        "people",
        ge=0,
    )
    look_ups_per_day: int = fields.whole(
        policy.LOOK_UPS,
        "the most look-ups in a day whether people of another network are here",
        "people",
        ge=0,
    )
    sent_per_received: fields.Number | None = fields.setting(
        None, "the most replies for each message received, both over 30 days", "number"
    )
    release_by_hand: bool | None = fields.setting(
        None,
        "hold every reply of this channel until a moderator releases it; left out: if its number "
        "asks for it (a French 06 or 07 at a provider)",
        "true or false",
    )
    cap_day: fields.Micros | None = fields.amount(None, "the most this channel may cost in a day")

    @pydantic.field_validator("parts_per_second")
    @classmethod
    def _some(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value <= 10_000:  # noqa: PLR2004 (more is a slip)
            raise ValueError("must be more than 0 and at most 10000; leave it out for no limit")
        return value


SECTIONS: Final[dict[str, type[pydantic.BaseModel]]] = {
    "store": Store,
    "web": Web,
    "reply": Reply,
    "who": Who,
    "budget": Budget,
    "fx": Fx,
    "retention": Retention,
    "flood": Flood,
    "room": Room,
    "page": Page,
    "log": Log,
}
"""In the order of docs/settings.md; `channels` stands apart."""


def known(path: Sequence[str]) -> frozenset[str]:
    """The core's keys below a path: sections, or the keys of one; empty where anything goes."""
    match tuple(path):
        case ():
            return frozenset({*SECTIONS, "channels"})
        case ("reply", "texts"):
            return frozenset(texts.LANGUAGES)
        case ("fx", currency) if currency != "margin_percent":
            return frozenset(FxRate.model_fields)
        case ("channels", _):
            return frozenset(Channel.model_fields)
        case (section,) if section in SECTIONS:
            return frozenset(SECTIONS[section].model_fields)
    return frozenset()

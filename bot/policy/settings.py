"""What the operator decided, as frozen values. `bot.config` fills them from TOML and environment.

Units stand last in names; money is in integer millionths of `Budget.currency`.
"""

from __future__ import annotations

import dataclasses
import zoneinfo
from collections.abc import Mapping
from typing import Final

from bot.contract import money

ROUTE_SAME: Final = "same"
ROUTE_CHEAPEST: Final = "cheapest"
# Networks ask for captchas after a few strangers; so few even where nothing is set.
FIRST_CONTACTS: Final = 5
LOOK_UPS: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`[reply]`: what he gets and when. `texts` holds the operator's own wording by language.

    `release_channels`: those whose replies wait for a moderator, as the operator or the channel's
    own number asks. `handle`: the channel whose link takes the place of texts.HANDLE.
    """

    window_days: int = 30
    delay_min_s: int = 3600
    delay_max_s: int = 6300
    night_hold: bool = False
    night_from_hour: int = 0
    night_to_hour: int = 8
    route: str = ROUTE_SAME
    expires_after_s: int = 86_400
    language: str = "fr"
    languages: frozenset[str] = frozenset({"fr", "en", "es", "de", "it", "nl", "pt"})
    tone: str = "neutral"
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    handle: str = ""
    release_by_hand: bool = False
    release_channels: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """`[who]`: which numbers may be answered. Empty `countries` means the default list.

    `answer_fiction`: numbers kept for films count as mobiles; set where every channel is a
    simulator, never by the operator.
    """

    countries: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    answer_fiction: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of one channel, None for none; they are reservations like money.

    `first_contacts_per_day`: replies to people of another network (route `cheapest`).
    `sent_per_received`: replies for each message received, both over 30 days.
    """

    parts_per_hour: int | None = None
    parts_per_day: int | None = None
    recipients_per_month: int | None = None
    first_contacts_per_day: int = FIRST_CONTACTS
    look_ups_per_day: int = LOOK_UPS
    sent_per_received: float | None = None
    cap_day_micros: int | None = None
    parts_per_second: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`[budget]` and `[fx]`: caps bind reservations; None means no such cap (simulate only)."""

    currency: str = "EUR"
    timezone: zoneinfo.ZoneInfo = dataclasses.field(
        default_factory=lambda: zoneinfo.ZoneInfo("Europe/Paris")
    )
    cap_day_micros: int | None = 20 * money.MICROS
    cap_month_micros: int | None = 200 * money.MICROS
    country_cap_day_micros: Mapping[str, int] = dataclasses.field(default_factory=dict)
    donations_only: bool = False
    price_ceiling_micros: int = 150_000
    unknown_after_s: int = 172_800
    inbound_alarm_day_micros: int = 5 * money.MICROS
    opinions_day_micros: int = 0
    rates: Mapping[str, money.Rate] = dataclasses.field(default_factory=dict)
    quotas: Mapping[str, Quota] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """`[retention]`: how long what is kept. Texts only while held, 72 h at the most."""

    seen_days: int = 400
    inbound_days: int = 90
    events_days: int = 90
    persons_days: int = 400


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """`[flood]`: which signals are heeded, and from where on. docs/defence.md says what each earns.

    A word is a topic if `topic_senders` new senders use it, `topic_share` of all that are new,
    `topic_lift` times what is usual. A quarter of an hour with `surge_factor` times the usual new
    senders is a surge.
    """

    topics: bool = True
    blocks: bool = True
    surges: bool = True
    pacing: bool = True
    topic_senders: int = 10
    topic_share: float = 0.015
    topic_lift: float = 6.0
    surge_factor: float = 3.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`[room]`: the moderators' room. Who may be what stands in the channel that hosts it.

    `power`: the power level from which on somebody is more than a reader. `on_call`: account ->
    hours of the day as (from, to), by `Budget.timezone`. `cap_*_max_micros`: the most that the
    room may set a cap to; None: the operator's own cap.
    """

    language: str = "fr"
    power: int = 50
    unsigned_devices: bool = False
    digest_hour: int = 9
    on_call: Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    cap_day_max_micros: int | None = None
    cap_month_max_micros: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """All that the floors below 6 are told."""

    reply: Reply = dataclasses.field(default_factory=Reply)
    who: Who = dataclasses.field(default_factory=Who)
    budget: Budget = dataclasses.field(default_factory=Budget)
    retention: Retention = dataclasses.field(default_factory=Retention)
    flood: Flood = dataclasses.field(default_factory=Flood)
    room: Room = dataclasses.field(default_factory=Room)

"""The only place where everything is made and wired; app, simulate and tests stand on it.

`rooms` joins the working parts around a store, keys, bridges and a clock that the caller made;
`house` makes those from settings and adds what a running installation needs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot import config, janitor, receipts, registry, supervisor
from bot.console import api
from bot.console.room import desk
from bot.contract import bridge, clock, messages, room
from bot.dispatcher import loop as dispatching
from bot.flood import look
from bot.inbox import door, signals
from bot.inbox import state as inboxing
from bot.policy import numbers, settings, texts
from bot.store import beats, choosing, database, ids, keyvalue, pool, schema, vault
from bot.web import admin, clients, gauges, health, limits, offering
from bot.web import app as web
from bot.web.public import serve, site

_SIMULATOR: Final = "simulator"


class Intake(door.Inbox):
    """The whole of contract.intake.Intake: accepting, and receipts."""

    def __init__(
        self, store: database.Store, context: inboxing.Context, moment: clock.Clock
    ) -> None:
        """As door.Inbox."""
        super().__init__(store, context, moment)
        self.news = receipts.Receipts(
            store=store, core=context.core, keys=context.keys, moment=moment, ids=context.ids
        )

    async def receipts(self, batch: Sequence[messages.DeliveryReceipt]) -> None:
        """As contract.intake.Intake.receipts."""
        await self.news.take(batch)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The working parts, ready to be stepped or run."""

    store: database.Store
    core: settings.Core
    keys: vault.Vault
    bridges: Mapping[str, bridge.Bridge]
    clock: clock.Clock
    intake: Intake
    dispatcher: dispatching.Dispatcher
    janitor: janitor.Janitor
    flood: look.Flood


def rooms(
    *,
    store: database.Store,
    core: settings.Core,
    keys: vault.Vault,
    bridges: Mapping[str, bridge.Bridge],
    moment: clock.Clock,
    fed: Callable[[str], bool] = lambda _channel: True,
    hashed: Callable[[str], int] | None = None,
) -> Rooms:
    """Wire the working parts; nothing runs yet. `hashed`: a word's number, by `keys` if None."""
    own = frozenset(
        (a.address.network, a.address.value) for b in bridges.values() for a in b.addresses
    ) | {(b.network, way) for b in bridges.values() for v in core.who.own for way in (v, v.lower())}
    if hashed is None:
        hashed = signals.hasher(keys)
    flood = look.Flood(store, core, moment, signals.common(hashed))
    context = inboxing.Context(
        core=core,
        keys=keys,
        ids=ids.Ids(),
        own=own,
        countries=core.who.countries or numbers.EEA_UK_CH_OVERSEAS,
        hashed=hashed,
        flood=lambda: flood.snapshot,
    )
    intake = Intake(store, context, moment)
    return Rooms(
        store=store,
        core=core,
        keys=keys,
        bridges=bridges,
        clock=moment,
        intake=intake,
        flood=flood,
        dispatcher=dispatching.Dispatcher(
            store=store,
            core=core,
            keys=keys,
            bridges=bridges,
            moment=moment,
            fed=fed,
            flood=lambda: flood.snapshot,
        ),
        janitor=janitor.Janitor(
            store=store,
            core=core,
            keys=keys,
            bridges=bridges,
            door=intake,
            settle=intake.news.settle,
            moment=moment,
            flood=lambda: flood.snapshot,
        ),
    )


def moderators(
    made: Rooms,
    health: Callable[[], Awaitable[Mapping[str, object]]],
    mended: Callable[[str], None] = lambda _channel: None,
) -> desk.Desk:
    """The moderators' room around these rooms; bridges that host one get their door now."""
    return desk.Desk(
        store=made.store,
        core=made.core,
        keys=made.keys,
        bridges=made.bridges,
        moment=made.clock,
        health=health,
        mended=mended,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running installation's parts. `app` is for everybody, `admin` for its own listener.

    `desk`: the moderators' room, with nothing to do where no channel hosts one.
    """

    rooms: Rooms
    desk: desk.Desk
    supervisor: supervisor.Supervisor
    gauges: gauges.Gauges
    app: bridge.AsgiApp
    admin: bridge.AsgiApp


def bridges_of(
    channels: Iterable[config.ChannelSettings],
    *,
    store: database.Store,
    moment: clock.Clock,
    currency: str,
    public_url: str = "",
) -> dict[str, bridge.Bridge]:
    """Make the configured bridges by channel name. Raises registry.RegistryError."""
    channels = list(channels)
    contexts = {
        channel.name: bridge.Context(
            channel=channel.name,
            clock=moment,
            storage=keyvalue.KeyValue(store, channel.name),
            currency=currency,
            public_url=public_url,
        )
        for channel in channels
    }
    return {made.channel: made for made in registry.create_all(channels, contexts)}


def core_of(told: config.Settings, bridges: Mapping[str, bridge.Bridge]) -> settings.Core:
    """The core's settings; numbers of films are answered only where all is simulated.

    Those channels wait for a moderator whose own numbers ask for it. Raises
    registry.RegistryError for a text that would lead nowhere.
    """
    # A moderators' room reaches nobody: it may be tried out beside simulators.
    kinds = {
        channel.kind
        for name, channel in told.channels.items()
        if not isinstance(bridges.get(name), room.HostsModerators)
    }
    who = dataclasses.replace(told.core.who, answer_fiction=kinds == {_SIMULATOR})
    waits = frozenset(
        name
        for name, channel in told.channels.items()
        if (channel.release_by_hand or (channel.release_by_hand is None and _asks(bridges, name)))
    )
    reply = dataclasses.replace(
        told.core.reply, release_channels=waits, texts=_texts(told.core.reply, bridges)
    )
    quotas = {
        name: _paced(quota, bridges.get(name)) for name, quota in told.core.budget.quotas.items()
    }
    budget = dataclasses.replace(told.core.budget, quotas=quotas)
    return dataclasses.replace(told.core, who=who, reply=reply, budget=budget)


def _paced(quota: settings.Quota, made: object) -> settings.Quota:
    """The operator's own pace, else the one that the provider is known for."""
    if quota.parts_per_second is not None or not isinstance(made, bridge.KeepsPace):
        return quota
    return dataclasses.replace(quota, parts_per_second=made.pace())


def _texts(rules: settings.Reply, bridges: Mapping[str, bridge.Bridge]) -> Mapping[str, str]:
    """The operator's own wording with the handle's link in its place.

    Raises registry.RegistryError where there is no link: the words would lead nowhere.
    """
    if not any(texts.HANDLE in wording for wording in rules.texts.values()):
        return rules.texts
    way = bridges.get(rules.handle)
    offered = [a for a in way.addresses if a.state is bridge.State.OFFERED] if way else []
    found = offering.link(way, offered[0].address.value) if way and offered else None
    if found is None:
        wrong = f"a text names {texts.HANDLE}; set this to a channel that has a link (Signal, say)"
        raise registry.RegistryError([("reply.handle", wrong)])
    return {
        language: wording.replace(texts.HANDLE, found) for language, wording in rules.texts.items()
    }


def _asks(bridges: Mapping[str, bridge.Bridge], name: str) -> bool:
    made = bridges.get(name)
    return made is not None and _reason(made) is not None


def _reason(made: object) -> str | None:
    return made.release_reason() if isinstance(made, bridge.WantsRelease) else None


class Role(enum.StrEnum):
    """What a process does of all there is to do; on PostgreSQL there may be many of each."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"

    @property
    def listens(self) -> bool:
        """Takes messages in, serves the pages, hosts the moderators' room."""
        return self is not Role.WORKER

    @property
    def sends(self) -> bool:
        """Sends replies, leads the flood, keeps house."""
        return self is not Role.WEB

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that must start."""
        listening = ("room",) if self.listens else ()
        sending = ("dispatcher", "janitor") if self.sends else ()
        return ("flood", "gauges", *listening, *sending)


def _watch(role: Role) -> supervisor.Supervisor:
    """By the machine's own clock, even where the demo's runs faster: it judges what hangs."""
    return supervisor.Supervisor(
        clock=clock.SystemClock(), draw=random.random, declared=role.workers
    )


def _gauges(made: Rooms, report: health.Report) -> gauges.Gauges:
    return gauges.Gauges(
        report.ages,
        budget=made.core.budget,
        channels=tuple(made.bridges),
        now_ms=lambda: clock.to_ms(made.clock.now()),
    )


def _report(made: Rooms, watch: supervisor.Supervisor, role: Role) -> health.Report:
    """Health as this role sees it: a process that sends nothing asks the others' beats."""
    return health.Report(
        supervised=watch.health,
        beats=watch.beats,
        chores=made.janitor if role.sends else None,
        flood=made.flood,
        moment=made.clock,
        senders=None if role.sends else functools.partial(_senders, made.store, made.clock),
        store=made.store.condition.tell,
    )


async def house(
    told: config.Settings,
    *,
    moment: clock.Clock,
    console_token: str | None = None,
    role: Role = Role.ALL,
) -> House:
    """Open the database, make the bridges, wire everything.

    Raises registry.RegistryError, schema.SchemaError, vault.KeyFileError, StoreAwayError; then
    nothing is left open. `console_token` adds the demo's console.
    """
    if role is not Role.ALL and told.store.file is not None:
        raise schema.SchemaError(
            f"run --role {role} needs PostgreSQL: a SQLite file has one process that does all; "
            "move to PostgreSQL with antirelou migrate, see docs/scale.md"
        )
    store = choosing.store(told.store.url)
    # Before the database, so that a faulty channel leaves nothing behind.
    bridges = bridges_of(
        told.channels.values(),
        store=store,
        moment=moment,
        currency=told.core.budget.currency,
        public_url=told.web.public_url,
    )
    core = core_of(told, bridges)
    async with contextlib.AsyncExitStack() as undo:
        await store.open()
        undo.push_async_callback(store.close)
        keys = await schema.prepare(store, told.store.key_file, core.budget.currency)
        offered = await store.write(functools.partial(_pool, bridges=bridges, moment=moment))
        undo.pop_all()
    watch = _watch(role)
    made = rooms(
        store=store, core=core, keys=keys, bridges=bridges, moment=moment, fed=watch.is_fed
    )
    report = _report(made, watch, role)
    shown = _gauges(made, report)
    return House(
        rooms=made,
        desk=moderators(made, watch.health, watch.retry),
        supervisor=watch,
        gauges=shown,
        app=web.create(
            routes=_routes(made),
            channels=offering.listed(bridges, offered, _kinds(told)),
            health=report.tell,
            extra=() if console_token is None else _demos(made, console_token),
            edge=_edge(told.web),
            public_url=told.web.public_url,
            page=_page(told, made),
        ),
        admin=admin.create(health=report.tell, metrics=shown.render, token=told.web.admin_token),
    )


def _demos(made: Rooms, token: str) -> Sequence[bridge.Route]:
    return api.routes(
        store=made.store, core=made.core, keys=made.keys, moment=made.clock, token=token
    )


def _kinds(told: config.Settings) -> dict[str, str]:
    return {name: channel.kind for name, channel in told.channels.items()}


def _page(told: config.Settings, made: Rooms) -> serve.Pages:
    name, url = told.page.contact_name, told.page.url or told.web.public_url
    setup = site.setup(made.core.reply, made.bridges, _kinds(told), contact_name=name, url=url)
    zone, door_ = made.core.budget.timezone, made.intake
    return serve.opened(setup, made.store, zone, made.clock, lambda: door_.waiting)


def _edge(chosen: config.WebSettings) -> limits.Edge:
    rate = limits.Rate(per_second=chosen.requests_per_second)
    return limits.Edge(clients.Clients(chosen.trusted_proxies), limits.Buckets(rate))


async def _senders(store: database.Store, moment: clock.Clock) -> Mapping[str, float]:
    now_ms = clock.to_ms(moment.now())
    return await store.read(lambda tx: beats.ages(tx, now_ms))


def _pool(
    tx: sa.Connection, bridges: Mapping[str, bridge.Bridge], moment: clock.Clock
) -> dict[str, list[str]]:
    now_ms = clock.to_ms(moment.now())
    for name, made in bridges.items():
        pool.enter(tx, name, made.addresses, now_ms)
    return pool.offered(tx)


def _routes(made: Rooms) -> list[bridge.Route]:
    return [
        route
        for one in made.bridges.values()
        if isinstance(one, bridge.BringsRoutes)
        for route in one.routes(made.intake)
    ]

"""The held replies by what holds them together, and one gesture for all of a cluster.

A cluster is a reason, or one new topic. Its code (`t-k7f2`) is a keyed hash of the topic's word,
which is a keyed hash itself: nobody learns what was written. Approving a topic also tells the
leader that its words are fine; dropping leaves it a topic.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bot.console import audit, holding, names
from bot.console.results import Done, Words, said
from bot.contract import money
from bot.flood import rows
from bot.janitor import opinions as asking
from bot.policy import decision, reasons, settings
from bot.policy.decision import Reason
from bot.policy.flood import byhand, opinions, words
from bot.store import events, tables, vault

# A flagged word belongs to a cluster if so much of it uses the word.
_SHARED: Final = 1 / 3
_ASKED: Final = 2_000
_r = tables.replies
_HELD = sa.literal_column("replies.state") == sa.literal_column("'held'")
_GROUPS = (
    sa.select(
        _r.c.reason,
        _r.c.topic,
        _r.c.channel,
        sa.func.count(),
        sa.func.min(_r.c.first_ms),
        sa.func.max(_r.c.first_ms),
        sa.func.sum(_r.c.quoted_micros),
        sa.func.count(_r.c.quoted_micros),
    )
    .where(_HELD)
    .group_by(_r.c.reason, _r.c.topic, _r.c.channel)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a cluster is held together by; `topic` only with new topics."""

    reason: str
    topic: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`since_ms`, `until_ms`: when its first and its last member first wrote.

    `expires_ms`: when the first one is dropped if nobody decides. `cost`: what all of it would
    cost, None if nothing is known yet; `estimated`: not all of that was quoted.
    """

    code: str
    reason: str
    held: int
    since_ms: int
    until_ms: int
    expires_ms: int
    cost: money.Money | None
    estimated: bool
    why: Words


@dataclasses.dataclass(slots=True)
class _Sum:
    held: int = 0
    first_ms: int = 1 << 62
    last_ms: int = 0
    micros: int = 0
    estimated: bool = False
    unknown: bool = False


def listed(tx: sa.Connection, keys: vault.Vault, core: settings.Core) -> tuple[Cluster, ...]:
    """All clusters, the biggest first."""
    groups = tx.execute(_GROUPS).all()
    usual = _usual(tx, {group[2] for group in groups if group[7] < group[3]})
    learned = asking.learned_of(tx)
    sums: dict[Key, _Sum] = {}
    for reason, topic, channel, n, first_ms, last_ms, micros, quoted in groups:
        one = sums.setdefault(_key(reason, topic), _Sum())
        one.held += n
        one.first_ms = min(one.first_ms, first_ms)
        one.last_ms = max(one.last_ms, last_ms)
        one.micros += micros or 0
        if quoted < n:
            one.estimated = True
            one.unknown |= channel not in usual
            one.micros += (n - quoted) * usual.get(channel, 0)
    return tuple(
        Cluster(
            code=code(keys, key),
            reason=key.reason,
            held=one.held,
            since_ms=one.first_ms,
            until_ms=one.last_ms,
            expires_ms=decision.expires_ms(one.first_ms, core.reply),
            cost=None if one.unknown else money.Money(one.micros, core.budget.currency),
            estimated=one.estimated,
            why=_why(key, one, learned),
        )
        for key, one in sorted(sums.items(), key=lambda item: (-item[1].held, code(keys, item[0])))
    )


def _key(reason: str, topic: int | None) -> Key:
    return Key(reason=reason, topic=topic if reason == Reason.NEW_TOPIC else None)


def code(keys: vault.Vault, key: Key) -> str:
    """What people type: `t-k7f2` for a topic, else the reason itself."""
    return key.reason if key.topic is None else names.topic(keys, key.topic)


def _usual(tx: sa.Connection, channels: set[str]) -> dict[str, int]:
    """What a reply on each channel cost on average so far; free ones cost nothing."""
    if not channels:
        return {}
    price = sa.func.coalesce(_r.c.price_micros, _r.c.reserved_micros)
    query = (
        sa.select(_r.c.channel, sa.func.avg(price))
        .where(_r.c.channel.in_(channels), _r.c.state.in_(("sent", "delivered")))
        .where(price.is_not(None))
        .group_by(_r.c.channel)
    )
    return {channel: round(float(micros)) for channel, micros in tx.execute(query)}


def _why(key: Key, one: _Sum, learned: Mapping[str, opinions.Learned]) -> Words:
    """One sentence or two; what people see of a cluster instead of its texts."""
    en, fr = span(one.last_ms - one.first_ms)
    if key.reason == Reason.NEW_TOPIC:
        found = opinions.together(learned, opinions.cluster(key.topic, 0))
        more = _looked_up(found) if found.answers else ("", "")
        return said(
            f"{one.held} people wrote about the same new thing within {en}; a moderator decides."
            + more[0],
            f"{one.held} personnes ont écrit sur le même sujet nouveau en {fr} ; "
            "à vous de décider." + more[1],
        )
    general = reasons.of(key.reason)
    return said(f"{one.held} held. {general.en}", f"{one.held} retenue(s). {general.fr}")


def _looked_up(found: opinions.Learned) -> tuple[str, str]:
    n, nobody = found.answers, found.nobody
    return (
        f" Of {n} numbers looked up, {nobody} are nobody's and were dropped.",
        f" Sur {n} numéros vérifiés, {nobody} ne sont à personne et ont été écartés.",
    )


def span(ms: int) -> tuple[str, str]:
    """A length of time in words, rounded up, English and French."""
    minutes = max(1, -(-ms // 60_000))
    if minutes <= 90:  # noqa: PLR2004 (minutes up to an hour and a half)
        unit = ("minute", "minutes") if minutes > 1 else ("minute", "minute")
        return f"{minutes} {unit[minutes > 1]}", f"{minutes} {unit[minutes > 1]}"
    hours = -(-minutes // 60)
    return f"{hours} hours", f"{hours} heures"


def named(
    tx: sa.Connection, keys: vault.Vault, *, codes: Iterable[str] = (), reason: str | None = None
) -> list[Key]:
    """The clusters meant that hold anything now; all of a reason where one is given."""
    pairs = sa.select(_r.c.reason, _r.c.topic).where(_HELD).distinct()
    there = {_key(*pair) for pair in tx.execute(pairs)}
    wanted = {one.strip().lower() for one in codes}
    return sorted(
        (key for key in there if key.reason == reason or code(keys, key) in wanted),
        key=lambda key: code(keys, key),
    )


def approve(
    tx: sa.Connection,
    clusters: Sequence[Key],
    *,
    keys: vault.Vault,
    rules: settings.Reply,
    now_ms: int,
    who: str,
) -> Done:
    """Release everything in these clusters; their topics are none any more."""
    members = _members(tx, clusters)
    for word in _shared(tx, clusters, members):
        events.control(tx, now_ms, f"{byhand.TOPIC}{word}", byhand.FINE)
    ids = [row["id"] for row in members]
    _note(tx, keys, clusters, "approve_cluster", len(ids), now_ms=now_ms, who=who)
    return holding.approve(tx, ids, keys=keys, rules=rules, now_ms=now_ms, who=who, listed=False)


def drop(
    tx: sa.Connection, clusters: Sequence[Key], *, keys: vault.Vault, now_ms: int, who: str
) -> Done:
    """Cancel everything in these clusters; their topics stay topics."""
    ids = [row["id"] for row in _members(tx, clusters)]
    for key in clusters:
        if key.topic is not None:
            events.control(tx, now_ms, f"{byhand.TOPIC}{key.topic}", None)
    _note(tx, keys, clusters, "drop_cluster", len(ids), now_ms=now_ms, who=who)
    return holding.drop(tx, ids, keys=keys, now_ms=now_ms, who=who, listed=False)


def _note(
    tx: sa.Connection,
    keys: vault.Vault,
    clusters: Sequence[Key],
    act: str,
    n: int,
    *,
    now_ms: int,
    who: str,
) -> None:
    codes = " ".join(code(keys, key) for key in clusters)
    audit.note(tx, now_ms, who, act, clusters=codes, n=n)


def _members(tx: sa.Connection, clusters: Sequence[Key]) -> list[Mapping[str, Any]]:
    query = sa.select(_r.c.id, _r.c.topic, _r.c.reason, _r.c.words).where(_HELD)
    query = query.order_by(_r.c.due_ms, _r.c.id)
    wanted = set(clusters)
    return [
        dict(row)
        for row in tx.execute(query).mappings()
        if _key(row["reason"], row["topic"]) in wanted
    ]


def _shared(
    tx: sa.Connection, clusters: Sequence[Key], members: Sequence[Mapping[str, Any]]
) -> set[int]:
    """The topics themselves and the flagged words that many of their members use too.

    One wave has several words; were only one of them fine, the next would hold the same people.
    """
    own = {key.topic for key in clusters if key.topic is not None}
    if not own:
        return set()
    flagged = rows.load(tx).flagged.keys()
    found = set(own)
    for topic in own:
        asked = [row["words"] for row in members if row["topic"] == topic][:_ASKED]
        used = Counter(word for packed in asked for word in words.unpack(packed))
        found |= {word for word in flagged if used[word] >= _SHARED * len(asked)}
    return found

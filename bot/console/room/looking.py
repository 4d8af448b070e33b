"""Commands that only look. Each is a function of one transaction and what is known outside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit, clusters, forecast, funds, modes, people, status, story
from bot.console.room import cards, codes, commands, prompts, roles
from bot.console.room.here import Answer, Here, line
from bot.console.room.parser import Asked
from bot.contract.room import Role
from bot.policy import reasons
from bot.policy.lifecycle import State
from bot.store import tables

HOUR_MS: Final = 3_600_000
_SHOWN: Final = 5
_EXPLAINED: Final = 12
_LINES: Final = 10
_DAYS: Final = 7
_counters = tables.counters
_QUEUE: Final[Mapping[str, tuple[str, str]]] = {
    State.SCHEDULED: ("waiting for their time", "en attente de leur heure"),
    State.HELD: ("held for a decision", "retenues pour décision"),
    State.SENDING: ("under way", "en cours d'envoi"),
    State.UNKNOWN: ("in doubt (!sends)", "en doute (!envois)"),
}


def help_(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """All commands that this person may use, or one of them in full."""
    del tx
    one = commands.BY_WORD.get(asked.word) if asked.word else None
    if asked.word and one is None:
        return line(
            here.t("There is no such command; see !help.", "Inconnu ; voir !aide."), ok=False
        )
    may = [c for c in commands.TABLE if here.present.may(here.who, c.role)]
    shown = [one] if one is not None else may
    rows = tuple(
        (f"!{here.t(c.name, c.french)} {here.w(c.usage)}".rstrip(), here.w(c.does)) for c in shown
    )
    foot: tuple[str, ...] = (here.t("!help COMMAND tells more.", "!aide COMMANDE en dit plus."),)
    if one is not None:
        foot = (here.t(f"Role: {one.role}.", f"Rôle : {one.role}."),)
        if one.second:
            foot += (here.t("A second moderator agrees.", "Une deuxième personne confirme."),)
    return Answer(card=cards.Card(rows=rows, foot=foot))


def status_(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """One card."""
    del asked
    now = status.status(tx, here.core, here.now_ms)
    bill, t = now.bill, here.t
    since_ms = here.now_ms - here.now_ms % HOUR_MS - HOUR_MS
    hour = counted(tx, since_ms, here.now_ms)
    halted = ", ".join(
        h.what + (f" ({t('until', 'jusqu’à')} {here.at(h.until_ms)})" if h.until_ms else "")
        for h in now.halts
    )
    caps = t("{} of {} today, {} of {} this month", "{} sur {} aujourd'hui, {} sur {} ce mois")
    none = t("no cap", "sans plafond")
    left = now.runway.days
    rows = [
        (t("mode", "mode"), f"{now.mode}. {here.w(now.present.why)}"),
        (t("paused", "en pause"), halted or t("nothing", "rien")),
        (
            t("money", "argent"),
            caps.format(
                bill.used_today, bill.cap_day or none, bill.used_month, bill.cap_month or none
            ),
        ),
        (
            t("runway", "réserve"),
            here.w(now.forecast.said)
            + ("" if left is None else t(f" About {left} days.", f" Environ {left} jours.")),
        ),
        (
            t("queue", "file"),
            ", ".join(f"{n} {here.t(*_QUEUE[name])}" for name, n in now.queue.items() if n)
            or t("empty", "vide"),
        ),
        (t("next reply", "prochaine réponse"), here.at(now.next_due_ms)),
        (
            t(f"since {here.at(since_ms)}", f"depuis {here.at(since_ms)}"),
            t(
                f"{hour.get('messages', 0)} messages, {hour.get('sent', 0)} replies",
                f"{hour.get('messages', 0)} messages, {hour.get('sent', 0)} réponses",
            ),
        ),
        *_bridges(here),
    ]
    return Answer(card=cards.Card(title=t("Status", "État"), rows=tuple(rows)))


def _bridges(here: Here) -> list[tuple[str, str]]:
    told = here.outside.health.get("bridges", {})
    found: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    return [
        (name, f"{one['condition']} {one['detail']}".strip()) for name, one in sorted(found.items())
    ]


def counted(tx: sa.Connection, from_ms: int, until_ms: int) -> dict[str, int]:
    """The counters of the hours that begin in a span."""
    query = (
        sa.select(_counters.c.name, sa.func.sum(_counters.c.n))
        .where(_counters.c.hour_ms >= from_ms, _counters.c.hour_ms <= until_ms)
        .group_by(_counters.c.name)
    )
    return {name: int(n) for name, n in tx.execute(query)}


def mode(tx: sa.Connection, here: Here) -> Answer:
    """The present mode and the last changes."""
    found = modes.view(tx, here.now_ms)
    lines = [f"{found.now.mode}: {here.w(found.now.does)}", here.w(found.now.why)]
    rows = [
        (here.at(one.at_ms), f"{one.mode}. {here.w(one.why)}") for one in found.history[:_SHOWN]
    ]
    return Answer(card=cards.Card(lines=tuple(lines), rows=tuple(rows)))


def budget(tx: sa.Connection, here: Here) -> Answer:
    """What is left and how long it lasts."""
    found = forecast.forecast(tx, here.core.budget, here.now_ms)
    names = {
        "day": here.t("today", "aujourd'hui"),
        "month": here.t("this month", "ce mois"),
        "donations": here.t("donations", "dons"),
    }
    rows = [
        (names[one.name], here.t(f"{one.left} left", f"reste {one.left}")) for one in found.limits
    ]
    rows.append((here.t("last 24 hours", "24 dernières heures"), str(found.last_24h)))
    rows.append(
        (here.t("receiving, 24 hours", "réception, 24 heures"), str(found.inbound.last_24h))
    )
    return Answer(card=cards.Card(lines=(here.w(found.said),), rows=tuple(rows)))


def ledger(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Day by day."""
    found = funds.view(tx, here.core.budget, asked.count or _DAYS)
    t = here.t
    text = t("replies {}, receiving {}, donations {}", "réponses {}, réception {}, dons {}")
    rows = [(d.day, text.format(d.replies, d.inbound, d.donations)) for d in found.days]
    rows.append((t("all", "tout"), text.format(found.replies, found.inbound, found.donated)))
    rows.append((t("left of the donations", "reste des dons"), str(found.balance)))
    return Answer(card=cards.Card(rows=tuple(rows)))


def review(tx: sa.Connection, here: Here) -> Answer:
    """One cluster is a question; of several, a number opens one."""
    found = clusters.listed(tx, here.keys, here.core)
    if not found:
        return line(here.t("Nothing is held.", "Rien n'est retenu."))
    if len(found) == 1:
        return Answer(questions=(cluster(here, found[0]),))
    rows = tuple(
        (f"{number} {one.code}", here.w(one.why))
        for number, one in zip(prompts.NUMBERS, found, strict=False)
    )
    more = len(found) - len(rows)
    foot = (here.t(f"and {more} more", f"et {more} autres"),) if more > 0 else ()
    title = here.t("Held: a number opens one.", "Retenu : un chiffre ouvre un groupe.")
    question = prompts.Question(
        kind=prompts.Kind.MENU,
        data={"codes": [one.code for one in found[: len(rows)]]},
        card=cards.Card(title=title, rows=rows, foot=foot),
        asked_by=here.who,
        sealed=here.sealed,
        reactions=prompts.NUMBERS[: len(rows)],
    )
    return Answer(questions=(question,))


def cluster(here: Here, one: clusters.Cluster) -> prompts.Question:
    """✅ lets a cluster go, ❌ drops it."""
    t = here.t
    cost = t("not known", "inconnu") if one.cost is None else str(one.cost)
    rows = (
        (t("people", "personnes"), str(one.held)),
        (
            t("first and last", "première et dernière"),
            f"{here.at(one.since_ms)} – {here.at(one.until_ms)}",
        ),
        (t("would cost", "coûterait"), (t("about ", "environ ") if one.estimated else "") + cost),
        (t("dropped by itself from", "abandonné tout seul dès"), here.at(one.expires_ms)),
    )
    foot = (
        t(
            f"✅ let it go, ❌ drop it; !read {one.code} shows some words",
            f"✅ laisser partir, ❌ abandonner ; !lire {one.code} montre des mots",
        ),
    )
    return prompts.Question(
        kind=prompts.Kind.CLUSTER,
        data={"code": one.code},
        card=cards.Card(title=one.code, lines=(here.w(one.why),), rows=rows, foot=foot),
        asked_by=here.who,
        sealed=here.sealed,
    )


def sends(tx: sa.Connection, here: Here) -> Answer:
    """Each unknown send is a question: whether it arrived."""
    rows = outbox.in_state(tx, State.UNKNOWN, _SHOWN)
    rows = [row for row in rows if row["price_micros"] is None]
    if not rows:
        return line(here.t("No send is in doubt.", "Aucun envoi n'est en doute."))
    return Answer(questions=tuple(_unknown(tx, here, row) for row in rows))


def _unknown(tx: sa.Connection, here: Here, row: Mapping[str, Any]) -> prompts.Question:
    who, t = here.person(tx, row["person_id"]), here.t
    when = here.at(row["started_ms"])
    lines = (
        t(
            f"The reply to {who} on {row['channel']} of {when} may have gone out.",
            f"La réponse à {who} sur {row['channel']} du {when} est peut-être partie.",
        ),
    )
    foot = (
        t(
            "✅ it was sent, ❌ it was not; it is never sent again by itself",
            "✅ elle est partie, ❌ non ; elle n'est jamais renvoyée toute seule",
        ),
    )
    return prompts.Question(
        kind=prompts.Kind.UNKNOWN,
        data={"reply": row["id"]},
        card=cards.Card(lines=lines, foot=foot),
        asked_by=here.who,
        sealed=here.sealed,
    )


def who(here: Here) -> Answer:
    """The allow-list with what each may be this moment."""
    rows = []
    for account, most in sorted(here.present.roster.items()):
        now = here.present.role(account)
        if now is None:
            shown = here.t(f"{most}, not in the room", f"{most}, pas dans le salon")
        elif now != most:
            shown = here.t(
                f"{now} now ({most} with power)", f"{now} pour l'instant ({most} avec les droits)"
            )
        else:
            shown = str(now)
        rows.append((account, shown))
    foot = tuple(
        f"{role}: "
        + ", ".join(f"!{here.t(c.name, c.french)}" for c in commands.TABLE if c.role is role)
        for role in roles.ORDER
        if role is not Role.READER
    )
    return Answer(card=cards.Card(rows=tuple(rows), foot=foot))


def log(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """The last acts, and whether the chain holds."""
    chain = audit.verify(tx)
    rows = tuple(
        (
            f"{one.id} {here.at(one.at_ms)}",
            f"{one.who} {one.act} {one.data if one.data != '{}' else ''}".rstrip(),
        )
        for one in audit.last(tx, asked.count or _LINES)
    )
    if chain.broken_at is None:
        foot = here.t(
            f"The chain of {chain.length} acts holds; its head is {chain.head}.",
            f"La chaîne des {chain.length} actes tient ; sa tête est {chain.head}.",
        )
    else:
        foot = here.t(
            f"THE CHAIN IS BROKEN at act {chain.broken_at}: somebody changed the trail.",
            f"LA CHAÎNE EST ROMPUE à l'acte {chain.broken_at} : on a modifié le journal.",
        )
    return Answer(card=cards.Card(rows=rows, foot=(foot,)))


def why(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """The story of one person."""
    person = codes.person(tx, asked.codes[0], here.now_ms)
    if person is None:
        return nobody(here)
    found = story.of_person(
        tx, here.keys, people.survivor(tx, person), here.core.budget, here.now_ms
    )
    lines = [
        f"{here.at(m.at_ms)} {m.channel}: {here.w(reasons.of_verdict(m.decision))}. {here.w(m.why)}"
        for m in found.messages[-_EXPLAINED:]
    ]
    lines += [
        f"{here.at(r.due_ms)} {r.channel}: {here.w(r.means)}. {here.w(r.why)}"
        + (f" {here.w(r.flood)}" if r.flood is not None else "")
        for r in found.replies[-_EXPLAINED:]
    ]
    title = here.t(
        f"{asked.codes[0]}: {found.written} messages",
        f"{asked.codes[0]} : {found.written} messages",
    )
    return Answer(card=cards.Card(title=title, lines=tuple(lines)))


def nobody(here: Here) -> Answer:
    """The code is over, or never was."""
    return line(
        here.t(
            "Nobody has that code now; codes last a week.",
            "Personne n'a ce code ; un code vaut une semaine.",
        ),
        ok=False,
    )

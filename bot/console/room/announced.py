"""The words of notices: what happened, with its figures, and what may be done about it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot.console import audit, clusters, forecast, funds, holding, modes, pool, status
from bot.console.room import cards, looking, prompts
from bot.contract import money
from bot.policy import settings
from bot.policy.distress import Lane
from bot.policy.lifecycle import State
from bot.store import vault

DAY_MS: Final = 86_400_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Settings as in force, and the room's language."""

    core: settings.Core
    keys: vault.Vault
    now_ms: int

    def t(self, en: str, fr: str) -> str:
        """One language of a sentence."""
        return fr if self.core.room.language == "fr" else en

    def at(self, moment_ms: int | None) -> str:
        """`14:05` today, `22.11. 14:05` else."""
        if moment_ms is None:
            return "-"
        zone = self.core.budget.timezone
        local = dt.datetime.fromtimestamp(moment_ms / 1000, zone)
        today = dt.datetime.fromtimestamp(self.now_ms / 1000, zone).date()
        return local.strftime("%H:%M" if local.date() == today else "%d.%m. %H:%M")


def flood(tx: sa.Connection, voice: Voice, began_ms: int) -> cards.Card:
    """The one card of a flood, while it goes on and when it is over."""
    now, t = modes.present(tx, voice.now_ms), voice.t
    over = now.mode == "normal"
    held = clusters.listed(tx, voice.keys, voice.core)
    since = voice.at(began_ms)
    if over:
        title = t(f"✓ Over: unusual traffic since {since}", f"✓ Terminé : vague depuis {since}")
    elif now.by_hand:
        title = t(f"Mode {now.mode}, set by hand", f"Mode {now.mode}, choisi à la main")
    else:
        title = t(
            f"⚠ Unusual traffic since {since}: mode {now.mode}",
            f"⚠ Trafic inhabituel depuis {since} : mode {now.mode}",
        )
    why = cards.pick(now.why, voice.core.room.language)
    does = cards.pick(now.does, voice.core.room.language)
    rows = [
        (t("new senders, last hour", "nouveaux numéros, dernière heure"), str(now.senders)),
        (t("on a new topic", "sur un sujet nouveau"), str(now.topical)),
        (t("held", "retenu"), str(sum(one.held for one in held))),
    ]
    if now.spent is not None:
        rows.append((t("of the day's money", "de l'argent du jour"), f"{now.spent:.0%}"))
    foot = (
        ()
        if over
        else (
            t(
                "!review decides on what is held, !pause stops all sending.",
                "!revue décide de ce qui est retenu, !pause arrête les envois.",
            ),
        )
    )
    return cards.Card(title=title, lines=(why, does), rows=tuple(rows), foot=foot)


def cap(voice: Voice, period: str, percent: int, used: int, limit: int) -> cards.Card:
    """A step of a cap was passed."""
    t, currency = voice.t, voice.core.budget.currency
    names = {"day": t("the day's", "du jour"), "month": t("the month's", "du mois")}
    sums = f"{money.Money(used, currency)} / {money.Money(limit, currency)}"
    if percent >= 100:  # noqa: PLR2004 (all of it)
        title = t(
            f"⚠ All of {names[period]} money is used: what costs money waits.",
            f"⚠ Tout l'argent {names[period]} est utilisé : ce qui coûte attend.",
        )
        foot = (
            t(
                "!budget shows what is left; !budget day AMOUNT asks for another cap.",
                "!budget montre ce qui reste ; !budget jour MONTANT demande un autre plafond.",
            ),
        )
        return cards.Card(title=title, lines=(sums,), foot=foot)
    title = t(
        f"{percent} % of {names[period]} money is used.",
        f"{percent} % de l'argent {names[period]} est utilisé.",
    )
    return cards.Card(title=title, lines=(sums,))


def runway(tx: sa.Connection, voice: Voice, days: float) -> cards.Card:
    """The money ends soon."""
    found = forecast.forecast(tx, voice.core.budget, voice.now_ms)
    title = voice.t(
        f"At this rate the money lasts {days} days.", f"À ce rythme, l'argent tient {days} jours."
    )
    return cards.Card(title=title, lines=(cards.pick(found.said, voice.core.room.language),))


def bridge(voice: Voice, name: str, condition: str, detail: str, since_ms: int) -> cards.Card:
    """A network that is down, needs somebody, or is back."""
    t = voice.t
    if condition == "up":
        return cards.Card(title=t(f"✓ {name} works again.", f"✓ {name} fonctionne de nouveau."))
    if condition == "needs-human":
        title = t(f"⚠ {name} needs somebody:", f"⚠ {name} a besoin de quelqu'un :")
        foot = (
            t(
                f"Its replies wait. Afterwards: !resume {name}",
                f"Ses réponses attendent. Ensuite : !reprendre {name}",
            ),
        )
        return cards.Card(title=title, lines=(detail,), foot=foot)
    title = t(
        f"⚠ {name} is down since {voice.at(since_ms)}; it is tried again by itself.",
        f"⚠ {name} est en panne depuis {voice.at(since_ms)} ; il réessaie tout seul.",
    )
    return cards.Card(title=title, lines=(detail,) if detail else ())


def halted(voice: Voice, channel: str, *, challenge: bool) -> cards.Card:
    """The network itself stopped a channel."""
    t = voice.t
    if challenge:
        title = t(
            f"⚠ {channel}: the network wants a captcha; its replies wait.",
            f"⚠ {channel} : le réseau veut un captcha ; ses réponses attendent.",
        )
        foot = (
            t(
                f"docs/signal.md says how to get the answer; then !captcha {channel} ANSWER",
                f"docs/signal.md dit comment l'obtenir ; puis !captcha {channel} RÉPONSE",
            ),
        )
        return cards.Card(title=title, foot=foot)
    title = t(
        f"⚠ {channel}: the provider refuses our account; nothing is sent there.",
        f"⚠ {channel} : le fournisseur refuse notre compte ; rien n'y part.",
    )
    foot = (
        t(
            f"The operator looks into the account; then !resume {channel}",
            f"L'exploitant regarde le compte ; puis !reprendre {channel}",
        ),
    )
    return cards.Card(title=title, foot=foot)


def lane(voice: Voice, code: str, which: Lane, ready: str) -> cards.Card:
    """Somebody should look: what kind of words, never the words without being asked."""
    t = voice.t
    kinds = {
        Lane.DISTRESS: t("words of distress", "des mots de détresse"),
        Lane.THREAT: t("a threat", "une menace"),
        Lane.WRONG_NUMBER: t("it says: wrong number", "il est dit : mauvais numéro"),
    }
    title = f"{'⚠ ' if which is not Lane.WRONG_NUMBER else ''}{code}: {kinds[which]}"
    rows = ((f"{prompts.NUMBERS[0]} {t('send', 'envoyer')}", f"« {ready} »"),)
    foot = (
        t(
            f"!read {code} shows the words. {prompts.YES} the usual reply, {prompts.NO} no reply",
            f"!lire {code} montre les mots. {prompts.YES} la réponse habituelle, "
            f"{prompts.NO} aucune réponse",
        ),
    )
    return cards.Card(title=title, rows=rows, foot=foot)


def proof(voice: Voice, code: str, kind: prompts.Kind, asked_by: str) -> cards.Card:
    """The word has come from an address; whether it shall be done."""
    t = voice.t
    what = (
        t("forget everything about them?", "oublier tout d'elle ?")
        if kind is prompts.Kind.ERASE
        else t("show here what is kept about them?", "montrer ici ce qui est gardé d'elle ?")
    )
    title = t(
        f"The word that {asked_by} handed out came from {code}: {what}",
        f"Le mot donné par {asked_by} est arrivé de {code} : {what}",
    )
    return cards.Card(title=title)


def digest(tx: sa.Connection, voice: Voice) -> cards.Card:
    """One day in a few lines; the head of the audit chain, so that it cannot be rewritten."""
    t = voice.t
    counted = looking.counted(tx, voice.now_ms - DAY_MS, voice.now_ms)
    bill = funds.bill(tx, voice.core.budget, voice.now_ms, {})
    runway_ = funds.runway(tx, voice.core.budget, voice.now_ms)
    queue: Mapping[str, Any] = status.queue(tx)
    chain = audit.verify(tx)
    rows = [
        (t("messages", "messages"), str(counted.get("messages", 0))),
        (t("replies", "réponses"), str(counted.get("sent", 0))),
        (t("held", "retenu"), str(queue[State.HELD])),
        (t("in doubt", "en doute"), str(holding.count(tx, State.UNKNOWN))),
        (t("spent in 24 hours", "dépensé en 24 heures"), str(runway_.spent_24h)),
        (t("this month", "ce mois"), f"{bill.used_month} / {bill.cap_month or '-'}"),
        (t("asked to stop", "ont dit stop"), str(counted.get("opt_out:stop", 0))),
    ]
    if runway_.days is not None:
        rows.append((t("runway", "réserve"), t(f"{runway_.days} days", f"{runway_.days} jours")))
    rows += _addresses(tx, voice)
    if chain.broken_at is None:
        trail = f"{chain.length}, {chain.head}"
    else:
        trail = t(f"BROKEN at {chain.broken_at}", f"ROMPU à {chain.broken_at}")
    rows.append((t("acts and head of their chain", "actes et tête de leur chaîne"), trail))
    return cards.Card(title=t("The last day", "La dernière journée"), rows=tuple(rows))


def _addresses(tx: sa.Connection, voice: Voice) -> list[tuple[str, str]]:
    """Own addresses that it is time for, by channel: which ones is for the server's own screen."""
    told = {(own.channel, pool.step(own)) for own in pool.due(tx, voice.now_ms)}
    return [
        (f"{channel} (antirelou addresses)", voice.t(words.en, words.fr))
        for channel, words in sorted(told, key=str)
    ]

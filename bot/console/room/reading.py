"""Words of people, on request only, while they are kept; and figures with a chart."""

from __future__ import annotations

import sqlalchemy as sa

from bot.console import audit, clusters, vault_acts
from bot.console.room import cards, chart, codes, looking
from bot.console.room.here import Answer, Here, line
from bot.console.room.parser import Asked
from bot.contract import money
from bot.policy import decision
from bot.store import people, tables, vault

_SHOWN = 5
_DAY_MS = 86_400_000
_in, _r, _postings = tables.inbound, tables.replies, tables.postings


def read(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """What somebody wrote, or a few of a cluster; never what a machine wrote, which is not kept."""
    code = asked.codes[0]
    query = sa.select(_in).where(_in.c.text_enc.is_not(None)).order_by(_in.c.received_ms.desc())
    if code.startswith("#"):
        person = codes.person(tx, code, here.now_ms)
        if person is None:
            return looking.nobody(here)
        query = query.where(_in.c.person_id.in_(vault_acts.all_of(tx, person)))
    else:
        found = clusters.named(tx, here.keys, codes=[code])
        if not found:
            return line(
                here.t("Nothing is held under that name.", "Rien n'est retenu sous ce nom."),
                ok=False,
            )
        held = sa.select(_r.c.id).where(
            sa.literal_column("replies.state") == sa.literal_column("'held'"),
            _r.c.reason == found[0].reason,
        )
        if found[0].reason == decision.Reason.NEW_TOPIC:
            held = held.where(_r.c.topic == found[0].topic)
        query = query.where(_in.c.reply_id.in_(held))
    rows = list(tx.execute(query.limit(_SHOWN)).mappings())
    shown = tuple(
        (f"{here.person(tx, row['person_id'])} {here.at(row['received_ms'])}", words)
        for row in reversed(rows)
        if (words := _opened(here, row)) is not None
    )
    audit.note(tx, here.now_ms, here.who, "read", what=code, n=len(shown))
    if not shown:
        return line(
            here.t(
                "No words are kept: only of what is held as it comes, for three days at most.",
                "Aucun mot n'est gardé : seulement de ce qui est retenu à l'arrivée, trois jours "
                "au plus.",
            )
        )
    return Answer(card=cards.Card(rows=shown), hides=True)


def _opened(here: Here, row: sa.RowMapping) -> str | None:
    place = people.text_place(row["person_id"], row["received_ms"])
    try:
        return cards.quote(here.keys.open(row["text_enc"], place))
    except vault.SealedError:
        return None


def stats(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Sums of some days; the picture was drawn before."""
    days, t = asked.count or chart.DAYS, here.t
    since_ms = here.now_ms - days * _DAY_MS
    found = looking.counted(tx, since_ms, here.now_ms)
    spent = sa.select(_postings.c.account, sa.func.sum(_postings.c.amount_micros)).where(
        _postings.c.at_ms >= since_ms
    )
    cost = {account: int(n) for account, n in tx.execute(spent.group_by(_postings.c.account))}
    currency = here.core.budget.currency
    rows = (
        (t("messages", "messages"), str(found.get("messages", 0))),
        (t("replies", "réponses"), str(found.get("sent", 0))),
        (
            t("replies cost", "coût des réponses"),
            str(money.Money(cost.get("replies", 0), currency)),
        ),
        (
            t("receiving cost", "coût de réception"),
            str(money.Money(cost.get("inbound", 0), currency)),
        ),
        (
            t("silent", "sans réponse"),
            str(sum(n for k, n in found.items() if k.startswith("silence:"))),
        ),
        (t("asked to stop", "ont dit stop"), str(found.get("opt_out:stop", 0))),
    )
    title = t(f"The last {days} days", f"Les {days} derniers jours")
    foot: tuple[str, ...] = ()
    if here.outside.image is None:
        foot = (t("No chart: matplotlib is missing.", "Pas de graphique : matplotlib manque."),)
    return Answer(card=cards.Card(title=title, rows=rows, foot=foot), image=here.outside.image)

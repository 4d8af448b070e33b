"""Commands that ask first: what changes a text or a cap, costs money, or shows somebody.

The answer is a question with the price and the linter's verdict. `deciding` does it, once, when
whoever must agree has agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from bot.console import audit, clusters, proofs
from bot.console.room import byhand, cards, codes, linter, looking, prompts
from bot.console.room.here import Answer, Here, line
from bot.console.room.parser import Asked
from bot.contract import money
from bot.policy import decision, texts
from bot.store import tables

_MOST: Final = 200
_r = tables.replies


def _second(here: Here) -> tuple[str, ...]:
    if here.present.alone(here.who):
        return (here.t("✅ do it, ❌ leave it", "✅ faire, ❌ laisser"),)
    return (
        here.t(
            "Another moderator agrees with ✅; ❌ by anybody ends it.",
            "Une autre personne accepte avec ✅ ; ❌ de n'importe qui l'arrête.",
        ),
    )


def budget(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Show it, or ask for another cap."""
    if not asked.amount:
        return looking.budget(tx, here)
    told, configured, room = here.core.budget, here.told.budget, here.core.room
    day = asked.word == "day"
    amount = money.parse(asked.amount, told.currency)
    most = room.cap_day_max_micros if day else room.cap_month_max_micros
    if most is None:
        most = configured.cap_day_micros if day else configured.cap_month_micros
    if most is not None and amount.micros > most:
        limit = money.Money(most, told.currency)
        name = "cap_day_max" if day else "cap_month_max"
        return line(
            here.t(
                f"The operator lets the room set at most {limit} (room.{name}).",
                f"L'exploitant permet au plus {limit} ici (room.{name}).",
            ),
            ok=False,
        )
    now = told.cap_day_micros if day else told.cap_month_micros
    before = here.t("no cap", "sans plafond")
    before = before if now is None else str(money.Money(now, told.currency))
    title = here.t(f"Cap a {asked.word}", "Plafond par jour" if day else "Plafond par mois")
    rows = ((here.t("now", "actuel"), before), (here.t("then", "ensuite"), str(amount)))
    card = cards.Card(title=title, rows=rows, foot=_second(here))
    data = {"period": asked.word, "micros": amount.micros}
    return _question(here, prompts.Kind.CAP, data, card)


def _question(
    here: Here, kind: prompts.Kind, data: Mapping[str, object], card: cards.Card
) -> Answer:
    question = prompts.Question(
        kind=kind, data=data, card=card, asked_by=here.who, sealed=here.sealed
    )
    return Answer(questions=(question,))


def text(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Show, check, or ask to change the words of the reply."""
    rules = here.core.reply
    if asked.word == "show":
        shown = (asked.language,) if asked.language else tuple(sorted(rules.languages))
        rows = [
            (one, f"« {rules.texts.get(one) or texts.text(one, rules.tone)} »") for one in shown
        ]
        return Answer(card=cards.Card(rows=tuple(rows)))
    title = here.t(f"Reply in {asked.language}", f"Réponse en {asked.language}")
    lines = (f"« {asked.text} »",)
    rows_ = linter.verdict(tx, here, asked.text)
    if asked.word == "try":
        return Answer(card=cards.Card(title=title, lines=lines, rows=rows_))
    card = cards.Card(title=title, lines=lines, rows=rows_, foot=_second(here))
    return _question(
        here, prompts.Kind.TEXT, {"language": asked.language, "text": asked.text}, card
    )


def reply(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Ask to answer by hand: whom, what, how many parts, the price, and when it leaves."""
    persons = _people(tx, here, asked.codes)
    found = byhand.targets(tx, here, persons[:_MOST], asked.text)
    if not found:
        return line(
            here.t(
                "None of them can be answered: an address is kept only while a reply waits.",
                "Personne ne peut être joint : une adresse n'est gardée que tant qu'une réponse "
                "attend.",
            ),
            ok=False,
        )
    priced = [one.price for one in found if one.price is not None]
    if len(priced) < len(found):
        return line(
            here.t(
                "No channel can carry this to them now.", "Aucun canal ne peut leur porter cela."
            ),
            ok=False,
        )
    total = sum(one.micros for one in priced)
    many = len(found) > 1
    rows = [
        (here.t("to", "à"), _names(tx, here, [one.person for one in found])),
        (here.t("price", "prix"), str(money.Money(total, here.core.budget.currency))),
        *linter.verdict(tx, here, asked.text)[:1],
    ]
    replaced = [one for one in found if one.written]
    rows += [(here.t("replaces", "remplace"), f"« {byhand.words(here, one)} »") for one in replaced]
    first = max(byhand.leaves_ms(here, one) for one in found)
    if first > here.now_ms:
        rows.append((here.t("leaves", "part"), here.at(first)))
    foot = _second(here) if many else (here.t("✅ send, ❌ leave it", "✅ envoyer, ❌ laisser"),)
    card = cards.Card(lines=(f"« {asked.text} »",), rows=tuple(rows), foot=foot)
    data = {
        "persons": [one.person for one in found],
        "text": asked.text,
        "micros": total,
        "replaces": [one.row["id"] for one in replaced],
    }
    return _question(here, prompts.Kind.REPLY, data, card)


def _names(tx: sa.Connection, here: Here, persons: Sequence[int]) -> str:
    shown = ", ".join(here.person(tx, one) for one in persons[:10])
    return shown if len(persons) <= 10 else f"{shown} … ({len(persons)})"  # noqa: PLR2004 (a line)


def _people(tx: sa.Connection, here: Here, named: Sequence[str]) -> list[int]:
    """People by their codes, and all of a cluster by its."""
    persons = [codes.person(tx, code, here.now_ms) for code in named if code.startswith("#")]
    found = clusters.named(tx, here.keys, codes=[c for c in named if not c.startswith("#")])
    if found:
        held = sa.select(_r.c.person_id, _r.c.reason, _r.c.topic).where(
            sa.literal_column("replies.state") == sa.literal_column("'held'")
        )
        keys = {(key.reason, key.topic) for key in found}
        persons += [
            row.person_id
            for row in tx.execute(held)
            if (row.reason, row.topic if row.reason == decision.Reason.NEW_TOPIC else None) in keys
        ]
    return list(dict.fromkeys(one for one in persons if one is not None))


def reveal(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
    """Ask to show somebody's address for five minutes."""
    person = codes.person(tx, asked.codes[0], here.now_ms)
    if person is None:
        return looking.nobody(here)
    if not byhand.targets(tx, here, [person], None):
        return line(
            here.t(
                "Their address is not kept: it is only while a reply to them waits.",
                "Son adresse n'est pas gardée : elle ne l'est que tant qu'une réponse attend.",
            ),
            ok=False,
        )
    audit.note(tx, here.now_ms, here.who, "reveal_asked", persons=[person])
    title = here.t(
        f"Show the address of {asked.codes[0]}?", f"Montrer l'adresse de {asked.codes[0]} ?"
    )
    return _question(
        here, prompts.Kind.REVEAL, {"person": person}, cards.Card(title=title, foot=_second(here))
    )


def prove(kind: prompts.Kind) -> Callable[[sa.Connection, Here, Asked], Answer]:
    """A word that the person must send from their own address first."""

    def ask(tx: sa.Connection, here: Here, asked: Asked) -> Answer:
        del asked
        word = proofs.hand_out(
            tx,
            here.keys,
            kind.value,
            place=(here.where.channel, here.where.room_id),
            now_ms=here.now_ms,
            who=here.who,
        )
        audit.note(tx, here.now_ms, here.who, f"{kind}_asked")
        lines = (
            here.t(
                "Let them send exactly this, from their own address, to the address of ours that "
                "they wrote to, within a week:",
                "Qu'elle envoie exactement ceci, de sa propre adresse, à notre adresse à laquelle "
                "elle a écrit, d'ici une semaine :",
            ),
        )
        foot = (
            here.t(
                "Nothing is answered to it. You are asked here when it has come.",
                "Rien n'y est répondu. On vous demandera ici quand il sera arrivé.",
            ),
        )
        return Answer(card=cards.Card(lines=lines, code=word, foot=foot))

    return ask


TABLE: Final[Mapping[str, Callable[[sa.Connection, Here, Asked], Answer]]] = {
    "budget": budget,
    "text": text,
    "reply": reply,
    "reveal": reveal,
    "erase": prove(prompts.Kind.ERASE),
    "export": prove(prompts.Kind.EXPORT),
}

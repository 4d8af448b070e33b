"""What a question does once it is decided: every act here is done once and by whom it may (C22).

The order: is it open, may they, must it be another, take it by compare-and-set, do it. All in
one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from bot import outbox
from bot.console import audit, clusters, holding, vault_acts
from bot.console.room import acting, byhand, cards, looking, prompts
from bot.console.room.here import Answer, Here, done, line
from bot.console.room.prompts import Kind, Prompt
from bot.contract import clock, messages
from bot.contract.room import Role
from bot.policy import handwords, overrides
from bot.policy.distress import Lane
from bot.policy.lifecycle import State
from bot.receipts import taking
from bot.store import events

_ROLES: Final = {
    # Its own command's role is asked for when it is carried out.
    Kind.AGAIN: Role.READER,
    Kind.CAP: Role.TREASURER,
    Kind.REVEAL: Role.ADMIN,
    Kind.ERASE: Role.ADMIN,
    Kind.EXPORT: Role.ADMIN,
}
_SECOND: Final = frozenset({Kind.TEXT, Kind.CAP, Kind.REVEAL, Kind.EXPORT})
_EXPORT_CHARACTERS: Final = 30_000
_LOOKS_LIKE: Final = str.maketrans("", "", "\ufe0f\u20e3")
_YES: Final = frozenset({"✅", "✔", "☑", "👍"})
_NO: Final = frozenset({"❌", "✖", "❎", "👎"})


def choice(key: str) -> str | None:
    """What a reaction means: yes, no, a number; None for all others. Skin colours count alike."""
    shown = key.translate(_LOOKS_LIKE).rstrip("🏻🏼🏽🏾🏿")
    if shown in _YES:
        return "yes"
    if shown in _NO:
        return "no"
    return shown if len(shown) == 1 and shown in "12345" else None


def decide(tx: sa.Connection, here: Here, prompt: Prompt, chosen: str) -> Answer:
    """The whole of it; `Kind.AGAIN` is the desk's own."""
    refused = refusal(here, prompt, chosen)
    if refused is not None:
        return refused
    if prompt.kind is Kind.MENU and chosen.isdecimal():
        return _opened(tx, here, prompt, int(chosen))
    act = _ACTS.get((prompt.kind, chosen))
    if act is None and chosen != "no":
        return Answer(ok=False)
    if not prompts.decide(tx, prompt, chosen, here.who):
        return line(here.t("That was decided already.", "C'est déjà décidé."), ok=False)
    if act is None:
        audit.note(tx, here.now_ms, here.who, "refuse", what=prompt.kind.value)
        return line(here.t("Left as it is.", "Laissé tel quel."))
    return act(tx, here, prompt)


def refusal(here: Here, prompt: Prompt, chosen: str) -> Answer | None:
    """Why this may not be decided so by them now; None if it may."""
    t, asker = here.t, prompt.asked_by
    if not prompt.open(here.now_ms):
        over = prompt.state == "decided"
        said = (
            t("That was decided already.", "C'est déjà décidé.")
            if over
            else t("That question is over; ask again.", "Cette question est expirée ; redemandez.")
        )
        return line(said, ok=False)
    role, second = _ROLES.get(prompt.kind, Role.MODERATOR), _second(prompt)
    if chosen == "no" and here.who == asker:
        role = Role.READER
    elif chosen == "no" or second:
        # A second pair of eyes needs no more than a moderator's; so does stopping.
        role = Role.MODERATOR
    if not here.present.may(here.who, role):
        return line(t(f"That takes the role {role}.", f"Il faut le rôle {role}."), ok=False)
    if chosen == "no":
        return None
    needed = _ROLES.get(prompt.kind, Role.MODERATOR)
    if asker and not here.present.may(asker, needed):
        return line(
            t("Whoever asked for it may not any more.", "Qui l'a demandé ne le peut plus."),
            ok=False,
        )
    if second and here.who == asker and not here.present.alone(asker):
        return line(
            t("Another moderator must agree.", "Une autre personne doit accepter."), ok=False
        )
    return None


def _second(prompt: Prompt) -> bool:
    many = prompt.kind is Kind.REPLY and len(prompt.data.get("persons", ())) > 1
    return many or prompt.kind in _SECOND


def _opened(tx: sa.Connection, here: Here, prompt: Prompt, number: int) -> Answer:
    listed: list[str] = prompt.data["codes"]
    there = {one.code: one for one in clusters.listed(tx, here.keys, here.core)}
    code = listed[number - 1] if 0 < number <= len(listed) else ""
    if code not in there:
        return line(
            here.t("Nothing is held there any more.", "Plus rien n'y est retenu."), ok=False
        )
    return Answer(questions=(looking.cluster(here, there[code]),))


def _text(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    language = prompt.data["language"]
    events.control(tx, here.now_ms, f"{overrides.TEXT}{language}", prompt.data["text"])
    audit.note(tx, here.now_ms, here.who, "text", language=language, asked_by=prompt.asked_by)
    return line(
        here.t(
            f"The reply in {language} is the new one from the next send on.",
            f"La réponse en {language} est la nouvelle dès le prochain envoi.",
        )
    )


def _cap(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    period, micros = prompt.data["period"], prompt.data["micros"]
    key = overrides.CAP_DAY if period == "day" else overrides.CAP_MONTH
    events.control(tx, here.now_ms, key, str(micros))
    audit.note(
        tx, here.now_ms, here.who, "cap", period=period, micros=micros, asked_by=prompt.asked_by
    )
    return line(here.t("The new cap holds.", "Le nouveau plafond est en vigueur."))


def _reply(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    text = prompt.data["text"]
    found = byhand.targets(tx, here, prompt.data["persons"], text)
    found = [one for one in found if one.price is not None]
    total = sum(one.price.micros for one in found if one.price is not None)
    if not found or total > prompt.data["micros"]:
        return line(
            here.t(
                "It cannot be sent at that price any more; ask again.",
                "Ce n'est plus possible à ce prix ; redemandez.",
            ),
            ok=False,
        )
    replaces = prompt.data.get("replaces", ())
    if any(one.written and one.row["id"] not in replaces for one in found):
        return _answered(here)
    due_ms = byhand.send(tx, here, found, text)
    return line(_leaves(here, len(found), due_ms))


def _answered(here: Here) -> Answer:
    return line(
        here.t(
            "Somebody answered by hand meanwhile; it has not left yet. Ask again to replace it.",
            "Quelqu'un a répondu à la main entre-temps, et ce n'est pas encore parti : redemandez "
            "pour le remplacer.",
        ),
        ok=False,
    )


def _leaves(here: Here, n: int, due_ms: int) -> str:
    if due_ms <= here.now_ms:
        return here.t(f"{n} on the way.", f"{n} en route.")
    return here.t(
        f"{n} waiting until {here.at(due_ms)}.", f"{n} en attente jusqu'au {here.at(due_ms)}."
    )


def _reveal(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    found = byhand.targets(tx, here, [prompt.data["person"]], None)
    if not found:
        return line(
            here.t(
                "It is not kept any more: their reply no longer waits.",
                "Elle n'est plus gardée : leur réponse n'attend plus.",
            ),
            ok=False,
        )
    row = found[0].row
    value = here.keys.open(row["address_enc"], outbox.place(row["id"]))
    audit.note(
        tx, here.now_ms, here.who, "reveal", persons=[found[0].person], asked_by=prompt.asked_by
    )
    foot = (here.t("Gone from here in five minutes.", "Effacé d'ici dans cinq minutes."),)
    return Answer(card=cards.Card(code=value, foot=foot), hides=True)


def _erase(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    told = vault_acts.erase(tx, here.keys, prompt.data["person"], now_ms=here.now_ms, who=here.who)
    lines = [
        here.t(
            f"Forgotten: {told.messages} messages, {told.replies} replies.",
            f"Oublié : {told.messages} messages, {told.replies} réponses.",
        )
    ]
    if told.at_provider:
        lines.append(
            here.t(
                f"{told.at_provider} of them went out: still to be removed at their providers, "
                "where `at_provider` says so (30 days at the most).",
                f"{told.at_provider} sont parties : encore à effacer chez leurs opérateurs, là où "
                "`at_provider` le dit (30 jours au plus).",
            )
        )
    if told.kept:
        lines.append(
            here.t(
                "A keyed hash stays while a window, an opt-out or a block needs it.",
                "Une empreinte chiffrée reste tant qu'une fenêtre, un STOP ou un blocage l'exige.",
            )
        )
    lines.append(
        here.t(
            "Backups made before still hold it: they go when they are replaced.",
            "Les sauvegardes d'avant le contiennent encore, jusqu'à leur remplacement.",
        )
    )
    return Answer(card=cards.Card(lines=tuple(lines)))


def _export(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    told = vault_acts.export(
        tx,
        here.keys,
        prompt.data["person"],
        here.core.budget.currency,
        now_ms=here.now_ms,
        who=here.who,
    )
    shown = json.dumps(told, ensure_ascii=False, indent=1)
    foot: tuple[str, ...] = (
        here.t("Gone from here in five minutes.", "Effacé d'ici dans cinq minutes."),
    )
    if len(shown) > _EXPORT_CHARACTERS:
        shown = shown[:_EXPORT_CHARACTERS]
        foot += (
            here.t("Cut: ask the operator for the rest.", "Coupé : le reste chez l'exploitant."),
        )
    return Answer(card=cards.Card(code=shown, foot=foot), hides=True)


def _cluster(act: str) -> Callable[[sa.Connection, Here, Prompt], Answer]:
    def decided(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
        return acting.decide(tx, here, (prompt.data["code"],), act)

    return decided


def _ready(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    lane, person = Lane(prompt.data["lane"]), prompt.data["person"]
    found = byhand.targets(tx, here, [person], None)
    if not found:
        return line(
            here.t("Too late: nothing of theirs waits.", "Trop tard : plus rien n'attend."),
            ok=False,
        )
    if found[0].written:
        return _answered(here)
    text = handwords.ready(lane, found[0].row["language"])
    due_ms = byhand.send(tx, here, found, text, lane=lane)
    return line(_leaves(here, 1, due_ms))


def _usual(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    found = byhand.targets(tx, here, [prompt.data["person"]], None)
    ids = [one.row["id"] for one in found if one.row["automatic"]]
    if not ids:
        return line(
            here.t("They had the usual reply.", "La réponse habituelle est déjà partie."), ok=False
        )
    rules = here.core.reply
    return done(
        here,
        holding.approve(tx, ids, keys=here.keys, rules=rules, now_ms=here.now_ms, who=here.who),
    )


def _nothing(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
    written = byhand.end(tx, [prompt.data["person"]])
    audit.note(tx, here.now_ms, here.who, "no_reply", persons=[prompt.data["person"]])
    if written:
        return line(
            here.t(
                "Nothing more will be sent; what somebody wrote by hand still leaves.",
                "Rien d'autre ne partira ; ce que quelqu'un a écrit à la main part encore.",
            )
        )
    return line(here.t("Nothing will be sent.", "Rien ne partira."))


def _settle(delivery: messages.Delivery) -> Callable[[sa.Connection, Here, Prompt], Answer]:
    def decided(tx: sa.Connection, here: Here, prompt: Prompt) -> Answer:
        reply_id: int = prompt.data["reply"]
        row: Mapping[str, Any] | None = outbox.load(tx, [reply_id]).get(reply_id)
        if row is None or row["state"] != State.UNKNOWN:
            return line(here.t("It is settled already.", "C'est déjà réglé."), ok=False)
        receipt = messages.DeliveryReceipt(
            channel=row["channel"],
            at=clock.from_ms(here.now_ms),
            reply_id=outbox.key(here.keys, reply_id),
            delivery=delivery,
            reason="by_hand",
        )
        taking.book(tx, here.core, [taking.News(receipt=receipt, reply_id=reply_id)], here.now_ms)
        audit.note(tx, here.now_ms, here.who, "settle", replies=[reply_id], state=delivery.value)
        return line(here.t("Noted.", "C'est noté."))

    return decided


_ACTS: Final[Mapping[tuple[Kind, str], Callable[[sa.Connection, Here, Prompt], Answer]]] = {
    (Kind.TEXT, "yes"): _text,
    (Kind.CAP, "yes"): _cap,
    (Kind.REPLY, "yes"): _reply,
    (Kind.REVEAL, "yes"): _reveal,
    (Kind.ERASE, "yes"): _erase,
    (Kind.EXPORT, "yes"): _export,
    (Kind.CLUSTER, "yes"): _cluster("approve"),
    (Kind.CLUSTER, "no"): _cluster("drop"),
    (Kind.LANE, "1"): _ready,
    (Kind.LANE, "yes"): _usual,
    (Kind.LANE, "no"): _nothing,
    (Kind.UNKNOWN, "yes"): _settle(messages.Delivery.SENT),
    (Kind.UNKNOWN, "no"): _settle(messages.Delivery.FAILED),
}

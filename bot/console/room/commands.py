"""What may be said in the room: one row a command, in English and French.

The parser, the help, the roles and the tests of docs/moderators*.md all read this table.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from bot.console.results import Words, said
from bot.contract.room import Role


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`name`: English and the act's own name; `french`: the other; `usage`: what follows it.

    `second`: another moderator must agree, where there is another one.
    """

    name: str
    french: str
    usage: Words
    does: Words
    role: Role
    second: bool = False


def _row(
    name: str,
    french: str,
    usage: tuple[str, str],
    does: tuple[str, str],
    role: Role,
    *,
    second: bool = False,
) -> Command:
    return Command(
        name=name, french=french, usage=said(*usage), does=said(*does), role=role, second=second
    )


_NOTHING: Final = ("", "")
_R, _M, _T, _A = Role.READER, Role.MODERATOR, Role.TREASURER, Role.ADMIN

TABLE: Final = (
    _row("help", "aide", ("[COMMAND]", "[COMMANDE]"),
         ("what can be said here", "ce qu'on peut dire ici"), _R),
    _row("status", "etat", _NOTHING,
         ("mode, money, queue, networks and the last hour on one card",
          "mode, argent, file, réseaux et dernière heure sur une carte"), _R),
    _row("pause", "pause", ("[CHANNEL] [for 2h]", "[CANAL] [pendant 2h]"),
         ("send nothing, on all channels or one", "ne plus rien envoyer, partout ou sur un canal"),
         _M),
    _row("resume", "reprendre", ("[CHANNEL]", "[CANAL]"),
         ("send again", "reprendre les envois"), _M),
    _row("mode", "mode", ("[NAME [for 2h]]", "[NOM [pendant 2h]]"),
         ("show the mode, or set one: normal, tight, free-only, review, receive-only",
          "montrer le mode, ou le choisir : normal, tight, free-only, review, receive-only"), _M),
    _row("budget", "budget", ("[day|month AMOUNT]", "[jour|mois MONTANT]"),
         ("what is left and how long it lasts, or another cap",
          "ce qui reste et combien de temps, ou un autre plafond"), _T, second=True),
    _row("donate", "don", ("AMOUNT", "MONTANT"),
         ("book a donation that has cleared", "inscrire un don reçu"), _T),
    _row("ledger", "comptes", ("[DAYS]", "[JOURS]"),
         ("what was spent and given, day by day", "dépenses et dons, jour par jour"), _T),
    _row("review", "revue", _NOTHING,
         ("what is held, by cluster; ✅ and ❌ decide",
          "ce qui est retenu, par groupe ; ✅ et ❌ décident"), _M),
    _row("approve", "approuver", ("CODE …", "CODE …"),
         ("let a cluster or a person's reply go", "laisser partir un groupe ou une réponse"), _M),
    _row("drop", "abandonner", ("CODE …", "CODE …"),
         ("cancel a cluster or a person's reply", "annuler un groupe ou une réponse"), _M),
    _row("block", "bloquer", ("#CODE", "#CODE"),
         ("never answer a person", "ne jamais répondre à une personne"), _M),
    _row("unblock", "debloquer", ("#CODE", "#CODE"),
         ("let a person be answered again", "permettre de nouveau de répondre"), _M),
    _row("why", "pourquoi", ("#CODE", "#CODE"),
         ("what became of a person's messages", "ce que sont devenus les messages d'une personne"),
         _M),
    _row("read", "lire", ("CODE", "CODE"),
         ("show the words of a person, or of some of a cluster, while they are held",
          "montrer les mots d'une personne, ou de quelques-unes d'un groupe, tant qu'ils restent"),
         _M),
    _row("text", "texte", ("show [LANG] | try LANG WORDS | set LANG WORDS",
                           "voir [LANGUE] | essayer LANGUE MOTS | mettre LANGUE MOTS"),
         ("the words of the reply: show, check, change",
          "les mots de la réponse : montrer, vérifier, changer"), _M, second=True),
    _row("reply", "repondre", ("#CODE … WORDS", "#CODE … MOTS"),
         ("answer by hand, while a reply to them waits; price first, two people for several",
          "répondre à la main, tant qu'une réponse attend ; prix d'abord, à deux pour plusieurs"),
         _M),
    _row("sends", "envois", _NOTHING,
         ("sends whose end nobody knows, to decide",
          "envois dont on ignore la fin, à décider"), _M),
    _row("stats", "stats", ("[7d]", "[7j]"),
         ("figures and a chart", "des chiffres et un graphique"), _R),
    _row("erase", "effacer", _NOTHING,
         ("forget a person: a word that they must send from their address first",
          "oublier une personne : un mot qu'elle doit d'abord envoyer de son adresse"), _A),
    _row("export", "exporter", _NOTHING,
         ("give a person what is kept about them: the same proof first",
          "donner à une personne ce qui est gardé d'elle : d'abord la même preuve"), _A,
         second=True),
    _row("reveal", "reveler", ("#CODE", "#CODE"),
         ("show an address for five minutes, while a reply to them waits",
          "montrer une adresse pendant cinq minutes, tant qu'une réponse attend"), _A,
         second=True),
    _row("captcha", "captcha", ("CHANNEL ANSWER", "CANAL RÉPONSE"),
         ("solve a network's challenge", "résoudre l'épreuve d'un réseau"), _M),
    _row("who", "qui", _NOTHING,
         ("who may do what", "qui peut faire quoi"), _R),
    _row("log", "journal", ("[N]", "[N]"),
         ("who did what, and whether the chain holds",
          "qui a fait quoi, et si la chaîne tient"), _R),
    _row("yes", "oui", ("CODE", "CODE"),
         ("agree to what was asked", "accepter ce qui est demandé"), _R),
    _row("no", "non", ("CODE", "CODE"),
         ("refuse what was asked", "refuser ce qui est demandé"), _R),
)  # fmt: skip
"""In the order of the help."""

BY_NAME: Final = {one.name: one for one in TABLE}
BY_WORD: Final = {word: one for one in TABLE for word in (one.name, one.french)}

"""Why something was decided, in plain words, English and French.

One sentence for each reason and state that the policy floor knows; a test proves that none is
missing. A provider's own words are never shown to people, so they all get one general sentence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.policy import decision, lifecycle, numbers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One sentence in both languages of the console."""

    en: str
    fr: str


_R, _I, _S, _V = decision.Reason, numbers.Ineligible, lifecycle.State, decision.Verdict

_REASONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        _R.FIRST_CONTACT: (
            "First message from this person: they get one reply.",
            "Premier message de cette personne : elle reçoit une seule réponse.",
        ),
        _R.STOP: (
            "They asked for no messages; nothing more goes out to them.",
            "Cette personne ne veut pas de message ; plus rien ne lui sera envoyé.",
        ),
        _R.START: (
            "They take back their STOP; nothing is sent for that.",
            "Cette personne annule son STOP ; rien n'est envoyé pour cela.",
        ),
        _R.BLOCKED: (
            "A moderator blocked this person.",
            "Une modératrice ou un modérateur a bloqué cette personne.",
        ),
        _R.OPTED_OUT: (
            "They asked earlier for no messages.",
            "Cette personne a déjà demandé à ne rien recevoir.",
        ),
        _R.CALL: (
            "It was a call; a call is never answered with a message.",
            "C'était un appel ; un appel ne reçoit jamais de message.",
        ),
        _R.MACHINE: (
            "A program wrote this (a code, an advertisement, an automatic reply).",
            "Un programme a écrit ceci (code, publicité, réponse automatique).",
        ),
        _R.PENDING: (
            "A reply to this person is waiting already.",
            "Une réponse à cette personne attend déjà.",
        ),
        _R.ANSWERED: (
            "They had their one reply already.",
            "Cette personne a déjà eu sa seule réponse.",
        ),
        _R.RELEASE: (
            "Every reply waits for a moderator to release it.",
            "Chaque réponse attend d'être approuvée à la main.",
        ),
        _R.MONEY: (
            "The money set aside is used up; it waits for the next period or for a moderator.",
            "Le budget est épuisé ; elle attend la période suivante ou une décision.",
        ),
        _R.QUOTA: (
            "The channel has sent as much as it may; it waits for the next period.",
            "Le canal a envoyé tout ce qu'il peut ; elle attend la période suivante.",
        ),
        _R.PACE: (
            "Money is spread over the day; it waits for its share.",
            "L'argent est réparti sur la journée ; elle attend sa part.",
        ),
        _R.NEW_TOPIC: (
            "Many strangers suddenly write about the same new thing; a moderator decides.",
            "Beaucoup d'inconnus écrivent soudain sur un même sujet nouveau ; à vous de décider.",
        ),
        _R.MODE: (
            "The mode holds it back; it goes on when the mode is over or a moderator says so.",
            "Le mode la retient ; elle repart quand il prend fin ou sur décision.",
        ),
        _R.SEALED: (
            "It cannot be opened with the keys there are; nothing is sent.",
            "Elle ne s'ouvre pas avec les clés présentes ; rien ne part.",
        ),
        _R.MERGED: (
            "Two addresses turned out to be one person, who gets one reply.",
            "Deux adresses sont la même personne, qui reçoit une seule réponse.",
        ),
        _R.TOO_DEAR: (
            "A message there costs more than the ceiling; nothing is sent.",
            "Un message là-bas coûte plus que le plafond ; rien n'est envoyé.",
        ),
        _R.NO_ROUTE: (
            "No channel can reach this person from the address they wrote to.",
            "Aucun canal ne peut joindre cette personne depuis l'adresse utilisée.",
        ),
        _R.NIGHT: ("It waits for the morning.", "Elle attend le matin."),
        _R.EXPIRED: (
            "It could not be sent in time and is of no use any more.",
            "Elle n'a pas pu partir à temps et ne sert plus à rien.",
        ),
        _R.BY_HAND: (
            "A moderator decided this.",
            "Une modératrice ou un modérateur en a décidé ainsi.",
        ),
        _R.PRIORITY: (
            "Somebody should read this before anything goes out.",
            "Quelqu'un devrait lire ceci avant tout envoi.",
        ),
        _R.PROOF: (
            "They sent the word that they were asked for; nothing is sent for that.",
            "Cette personne a envoyé le mot demandé ; rien n'est envoyé pour cela.",
        ),
        _R.PAUSED: (
            "Sending is paused; it waits.",
            "Les envois sont en pause ; elle attend.",
        ),
        _R.RETRY: (
            "His phone could not be reached; one later attempt is worth it.",
            "Son téléphone était injoignable ; un seul nouvel essai en vaut la peine.",
        ),
        _R.NOBODY: (
            "It came with a crowd, and a look-up says that nobody has this number.",
            "Venue avec une foule ; une vérification dit que ce numéro n'est à personne.",
        ),
        _R.RESTORED: (
            "A backup was put back: they may have been answered since it was made.",
            "Une sauvegarde a été remise : une réponse est peut-être déjà partie depuis.",
        ),
        _I.SHORT_CODE: (
            "The sender is a short code, a machine; it is never answered.",
            "L'expéditeur est un numéro court, une machine ; on n'y répond jamais.",
        ),
        _I.ALPHANUMERIC: (
            "The sender is a name, not a number; it cannot be answered.",
            "L'expéditeur est un nom et non un numéro ; on ne peut pas y répondre.",
        ),
        _I.LANDLINE: (
            "A landline does not read messages.",
            "Une ligne fixe ne lit pas de messages.",
        ),
        _I.PREMIUM: (
            "A premium number: an answer would make somebody money.",
            "Un numéro surtaxé : une réponse rapporterait à quelqu'un.",
        ),
        _I.SATELLITE: (
            "A satellite number is too dear to answer.",
            "Un numéro satellite coûte trop cher.",
        ),
        _I.VOIP: (
            "An internet number is easily made up; it is not answered.",
            "Un numéro internet s'invente facilement ; on n'y répond pas.",
        ),
        _I.OTHER_TYPE: (
            "Not a mobile number; it is not answered.",
            "Ce n'est pas un numéro mobile ; on n'y répond pas.",
        ),
        _I.COUNTRY: (
            "A number of a country that is not answered.",
            "Un numéro d'un pays auquel on ne répond pas.",
        ),
        _I.WITHHELD: (
            "The number is withheld; there is nobody to answer.",
            "Le numéro est masqué ; il n'y a personne à qui répondre.",
        ),
        _I.OWN_NUMBER: (
            "It comes from an address of ours; two of ours never talk.",
            "Cela vient d'une de nos adresses ; elles ne se parlent jamais.",
        ),
        _I.UNASSIGNED: (
            "A number that belongs to nobody.",
            "Un numéro qui n'est à personne.",
        ),
        _I.INVALID: ("Not a number at all.", "Ce n'est pas un numéro."),
    }
)
_STATES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        _S.HELD: ("held for a moderator", "retenue pour décision"),
        _S.SCHEDULED: ("waits for its time", "attend son heure"),
        _S.SENDING: ("is being sent", "en cours d'envoi"),
        _S.SENT: ("sent", "envoyée"),
        _S.DELIVERED: ("delivered", "remise"),
        _S.FAILED: ("could not be sent", "n'a pas pu partir"),
        _S.UNKNOWN: (
            "may have gone out; never sent again by itself",
            "est peut-être partie ; jamais renvoyée d'elle-même",
        ),
        _S.CANCELLED: ("cancelled", "annulée"),
        _S.EXPIRED: ("expired", "périmée"),
    }
)
_VERDICTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        _V.REPLY: ("reply", "réponse"),
        _V.HOLD: ("hold", "retenue"),
        _V.SILENCE: ("silence", "silence"),
        _V.OPT_OUT: ("opt-out", "désinscription"),
    }
)
_GENERAL: Final = (
    "The network or the program gave a reason of its own; the log has it.",
    "Le réseau ou le programme a sa propre raison ; elle est dans le journal.",
)


def known() -> frozenset[str]:
    """All reasons with a sentence of their own."""
    return frozenset(map(str, _REASONS))


def of(reason: str) -> Words:
    """The sentence for a reason; a provider's own gets the general one."""
    return _words(_REASONS.get(reason, _GENERAL))


def of_state(state: str) -> Words:
    """What a reply's state means; the state itself for one that nobody knows."""
    return _words(_STATES.get(state, (state, state)))


def of_verdict(verdict: str) -> Words:
    """What was decided; the word itself for one that nobody knows."""
    return _words(_VERDICTS.get(verdict, (verdict, verdict)))


def _words(pair: tuple[str, str]) -> Words:
    return Words(en=pair[0], fr=pair[1])

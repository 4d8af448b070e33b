"""What people must hear of keys, devices, and events that are none, with the mend (C22, C25)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from bot.console.results import Words, said
from bot.console.room import cards
from bot.console.room import said as saying
from bot.contract import room
from bot.contract.room import Snag, Why
from bot.store import keyvalue, vault

_QUIET_MS: Final = 3_600_000

UNSIGNED: Final = said(
    "Not carried out: your device is not verified. Verify it in your client's settings, then say "
    "it again.",
    "Pas exécuté : votre appareil n'est pas vérifié. Vérifiez-le dans les réglages de votre "
    "application, puis redites-le.",
)
_REFUSED: Final[Mapping[Why, Words]] = {
    Why.EDIT: said(
        "An edited message is no command; write it as a new one.",
        "Un message modifié n'est pas une commande ; écrivez-la à nouveau.",
    ),
    Why.NOTICE: said(
        "A notice is no command; write it as an ordinary message.",
        "Un message automatique n'est pas une commande ; écrivez un message ordinaire.",
    ),
    Why.PLAIN_IN_ENCRYPTED: said(
        "Not carried out: it came without encryption into an encrypted room.",
        "Pas exécuté : arrivé sans chiffrement dans un salon chiffré.",
    ),
    Why.TORN: said(
        "A command could not be read; say it again.",
        "Une commande n'a pas pu être lue ; redites-la.",
    ),
    Why.REPLAYED: said(
        "An old message was delivered to me a second time, as if it were new. It was not carried "
        "out again. If nobody here did anything odd, tell the operator: the homeserver repeats "
        "what it should not (docs/matrix.md).",
        "Un ancien message m'a été remis une deuxième fois, comme s'il était nouveau. Il n'a pas "
        "été exécuté de nouveau. Si personne ici n'a rien fait d'étrange, dites-le à l'exploitant "
        ": le serveur Matrix répète ce qu'il ne devrait pas (docs/matrix.md).",
    ),
}
_SNAGS: Final[Mapping[Snag, Words]] = {
    Snag.STORE_LOST: said(
        "My keys were lost and made anew: older messages stay unreadable to me. The operator puts "
        "the recovery key back (docs/matrix.md); say again what I did not answer.",
        "Mes clés ont été perdues et refaites : je ne lis plus les anciens messages. L'exploitant "
        "remet la clé de récupération (docs/matrix.md) ; redites ce qui est resté sans réponse.",
    ),
    Snag.NEW_DEVICE: said(
        "{account} has a new device, verified by themselves; I trust it.",
        "{account} a un nouvel appareil, vérifié par ses soins ; je lui fais confiance.",
    ),
    Snag.UNSIGNED_DEVICE: said(
        "{account} has a device that is not verified. Commands from it are not carried out: "
        "verify it in the client's settings, or remove it.",
        "{account} a un appareil non vérifié. Ses commandes ne sont pas exécutées : vérifiez-le "
        "dans les réglages de l'application, ou retirez-le.",
    ),
    Snag.IDENTITY_CHANGED: said(
        "The identity of {account} has changed. Nothing of theirs is carried out until the "
        "operator confirms it (docs/matrix.md); ask them by another way first.",
        "L'identité de {account} a changé. Rien n'est exécuté de sa part tant que l'exploitant ne "
        "l'a pas confirmée (docs/matrix.md) ; demandez-lui d'abord par un autre moyen.",
    ),
    Snag.UNREADABLE: said(
        "I could not read a message of {account}; say it again. If that stays so, leave the app "
        "and open it again.",
        "Je n'ai pas pu lire un message de {account} ; redites-le. Si cela dure, fermez puis "
        "rouvrez l'application.",
    ),
    Snag.ENCRYPTION_OFF: said(
        "This room is encrypted and I cannot encrypt: I say nothing more until the operator has "
        "mended that (docs/matrix.md).",
        "Ce salon est chiffré et je ne peux pas chiffrer : je me tais jusqu'à ce que "
        "l'exploitant répare cela (docs/matrix.md).",
    ),
    Snag.NOT_CROSS_SIGNED: said(
        "My own device is not verified; some clients may hide what I say. The operator runs "
        "antirelou setup (docs/matrix.md).",
        "Mon propre appareil n'est pas vérifié ; certaines applications peuvent cacher ce que je "
        "dis. L'exploitant lance antirelou setup (docs/matrix.md).",
    ),
    Snag.GAP: said(
        "I was away for long and may have missed messages here; say again what I did not answer.",
        "J'étais absent longtemps et j'ai pu manquer des messages ; redites ce qui est resté sans "
        "réponse.",
    ),
    Snag.UPGRADED: said(
        "This room was replaced by {detail}. I stay here and follow nobody there by myself: the "
        "operator writes the new id under `room` and restarts me (docs/matrix.md); invite me there "
        "meanwhile.",
        "Ce salon est remplacé par {detail}. Je reste ici et n'y vais pas de moi-même : "
        "l'exploitant écrit le nouvel identifiant sous `room` et me redémarre (docs/matrix.md) ; "
        "invitez-moi là-bas en attendant.",
    ),
    Snag.VERIFICATION: said(
        "{account} asked to verify me by emoji or code. Nobody looks at my screen, so I refused. "
        "There is no need: my device is signed by my own account, and clients show me without a "
        "warning. If yours shows one, tell the operator (docs/matrix.md).",
        "{account} a demandé à me vérifier par émojis ou par code. Personne ne regarde mon écran : "
        "j'ai refusé. Ce n'est pas nécessaire : mon appareil est signé par mon propre compte, et "
        "les applications me montrent sans avertissement. Sinon, dites-le à l'exploitant "
        "(docs/matrix.md).",
    ),
    Snag.ELSEWHERE: said(
        "{account} invited me into another room. I come into this one alone, so nothing happens "
        "there. If it was to verify me: there is no need, my device is signed by my own account.",
        "{account} m'a invité dans un autre salon. Je ne viens que dans celui-ci : il ne se passe "
        "rien là-bas. Si c'était pour me vérifier : inutile, mon appareil est signé par mon propre "
        "compte.",
    ),
}


def refused(why: Why) -> Words | None:
    """Why it was no command; None where nothing may be said."""
    return _REFUSED.get(why)


def tell(
    tx: sa.Connection,
    keys: vault.Vault,
    where: saying.Where,
    event: room.Trouble,
    *,
    language: str,
    now_ms: int,
) -> None:
    """Say it with the mend, once an hour for each account."""
    key = f"{where.channel} {event.snag} {event.account} {event.device}"
    last = keyvalue.get(tx, "room.trouble", key)
    if last is not None and now_ms - int(last) < _QUIET_MS:
        return
    keyvalue.put(tx, "room.trouble", key, str(now_ms))
    words = cards.pick(_SNAGS[event.snag], language).format(
        account=event.account or "?", detail=event.detail or "?"
    )
    card = cards.Card(lines=(f"⚠ {words}",))
    saying.say(tx, keys, where, card, lane=room.Lane.NOTICE, now_ms=now_ms)

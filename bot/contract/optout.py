"""Whether a message is nothing but the wish to hear no more, or to hear again.

A word counts only when it is the whole message: "stop tu me plais" is a contact, "STOP." is a wish.
Pleas between people ("arrête", "basta", "para") are left out on purpose, and so is Twilio's YES:
both are ordinary answers. What a provider reports by itself (OptOutType) is read by its bridge.
The core reads every message; a bridge needs this only for edits, which are no contacts themselves.
The word lists are the union of what carriers and providers use in the seven languages (CTIA
messaging principles, AF2M's STOP, Twilio's default keywords).
"""

import re
import string
import unicodedata

from bot.contract import messages

_LONGEST_READ = 256
"""Characters after outer white space; nobody pads a STOP further, and work stays bounded."""


# Written as `_words` leaves them: lower case, no accents, one space between words.
_STOP_WORDS = frozenset(
    word.strip()
    for line in (
        # carriers' words, understood everywhere; stopall and the like are Twilio's defaults
        "stop, stopall, stop all, unsubscribe, end, quit, cancel, revoke, optout, opt out",
        "stop sms, sms stop, stop sms please, please stop sms, remove me, unsubscribe me",
        # fr: "arrete" and its misspelling "arreter" are pleas
        "arret, arret sms, stop svp, desabonner, desabonnement, me desabonner, desabonnez moi",
        "desinscription, desinscrire, me desinscrire, desinscrivez moi, resilier",
        # es: "para" and "alto" are ordinary words
        "baja, dar de baja, darme de baja, parar, cancelar, detener, desuscribir, desuscribirme",
        # de
        "stopp, abmelden, abmeldung, abbestellen, austragen",
        # it: "basta" is a plea
        "cancella, cancellami, disiscrivi, disiscrivimi, disiscrizione, annulla iscrizione",
        # nl
        "afmelden, afmelding, uitschrijven, opzeggen, stoppen",
        # pt
        "sair, remover, descadastrar, cancelar subscricao, anular subscricao",
    )
    for word in line.split(",")
)
_START_WORDS = frozenset(
    word.strip()
    for line in (
        "start, unstop, restart, resume, subscribe, optin, opt in",
        "reprendre, reprise, reabonner, reabonnement, me reabonner, reactiver",  # fr
        "alta, reanudar, reactivar",  # es
        "starten, anmelden, fortsetzen",  # de
        "inizia, riprendi, riattiva, iscrivimi",  # it
        "aanmelden, hervatten",  # nl
        "iniciar, retomar, reativar",  # pt
    )
    for word in line.split(",")
)
_NO_LETTERS = bytes(
    byte for byte in range(256) if not chr(byte).isascii() or not chr(byte).isalpha()
)
_MOST_LETTERS = max(len(word.replace(" ", "")) for word in _STOP_WORDS | _START_WORDS)
_BEGINNINGS = frozenset(word[:2] for word in _STOP_WORDS | _START_WORDS)

# Fillers are letters for Unicode, yet nobody sees them.
_INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"
# Letters in boxes and flags that compatibility folding (NFKC) leaves alone.
_BOXED = {
    start + offset: chr(ord("a") + offset)
    for start in (0x1F150, 0x1F170, 0x1F1E6)
    for offset in range(26)
}
_ODD_LETTERS: dict[int, str] = _BOXED | {ord(c): "" for c in _INVISIBLE_LETTERS}
_ODD = re.compile(f"[{''.join(map(chr, _ODD_LETTERS))}]")
_AROUND = string.punctuation + string.whitespace
_BETWEEN_WORDS = re.compile(r"[\s_./+-]+")


def read(text: str) -> messages.Wish | None:
    """Read the wish of a whole message, None for every other message."""
    stripped = text.strip()
    if not stripped or len(stripped) > _LONGEST_READ:
        return None
    # These letters stay what they are whatever is done to the others, and are too many for a word.
    letters = stripped.encode("ascii", "ignore").translate(None, _NO_LETTERS)
    if len(letters) > _MOST_LETTERS:
        return None
    apart = stripped
    if not stripped.isascii():
        if _ODD.search(stripped):
            stripped = stripped.translate(_ODD_LETTERS)
        apart = unicodedata.normalize("NFKD", stripped)
    word = _words(apart)
    wish = None
    if word in _STOP_WORDS:
        wish = messages.Wish.STOP
    elif word in _START_WORDS:
        wish = messages.Wish.START
    # Last, because hardly any message gets here: letters of another alphabet are words as well.
    if wish is not None and any(c.isalpha() and not c.isascii() for c in apart):
        return None
    return wish


def _words(apart: str) -> str:
    """Lower case, without accents, invisible characters and everything around the words."""
    plain = apart.encode("ascii", "ignore").decode().lower().strip(_AROUND)
    # Nearly every message begins otherwise than these words do.
    return _BETWEEN_WORDS.sub(" ", plain) if plain[:2] in _BEGINNINGS else ""

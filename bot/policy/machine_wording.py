"""The wordings that machines use in the seven languages, and those of people that overrule them.

Written for folded text (see `machine`): plain ASCII in lower case, so the patterns need neither
accents nor case. Every repetition is bounded, so the time is too. General wordings only: no
sender's name and no single campaign's phrase belongs here.
"""

import re


def _any(*alternatives: str) -> str:
    return "(?:" + "|".join(alternatives) + ")"


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts), re.ASCII)


_LINK = r"(?:https?://|www\.)\S|\b[a-z0-9-]{2,30}\.(?:com|fr|net|org|info|io|ly|me|co|eu|app)/\w"
HAS_DIGIT_OR_LINK = _pattern(r"[0-9]|://|www\.")

# Two people: a remark on something received, a question, a name given, the familiar you.
TALK = _pattern(
    r"\b",
    _any(
        r"j'?ai\b|jai\b|t'?as\b|tu m'?|tu as\b|t'?es\b|c'?est (?:qui|quoi)|c (?:qui|quoi|koi)\b",
        r"ton (?:colis|rdv|numero|num|tel)\b|qui (?:est|es)\b|c'?etait\b|on se \w"
        r"|moi c'?est|c'?est \d|de (?:toi|moi)\b",
        r"did you|i got|i received|i have\b|i've\b|you sent|you gave|who is|who's"
        r"|my (?:name|number)",
        r"me has\b|has (?:enviado|recibido)|he recibido|quien (?:es|eres)\b|soy \w",
        r"hast du|ich hab|du hast|wer (?:ist|bist)\b|ich bin\b",
        r"mi hai|hai ricevuto|ho ricevuto|chi (?:e|sei)\b|sono (?!previst|dispon|stat)\w",
        r"heb je|ik heb|je hebt|wie (?:is|ben)\b|ik ben\b",
        r"remember me|te souviens|\blol\b|\bmdr\b|bisous?\b|yesterday\b|hier soir\b",
        r"recebi\b|voce me\b|me mandou|quem (?:e|es)\b|sou [oa]\b|tens\b",
    ),
)

# --- one-time codes -----------------------------------------------------------------------------
_CODE = r"(?<![\w+.,-])(?:[a-z]{1,2}-)?(?:\d{4,8}|\d{2,4}[ -]\d{2,4})(?![\w,]?\d|[./:]\d)(?!\w)"
_CODE_PHRASE = _any(
    r"code (?:de |d'|d)?(?:verification|validation|confirmation|securite|connexion|activation"
    r"|acces|authentification|identification|paiement|retrait)",
    r"code (?:secret |sms )?(?:a usage|temporaire)|mot de passe (?:a usage|temporaire|unique)",
    r"(?:verification|security|confirmation|activation|log-?in|sign-?in|authentication|access"
    r"|pass|one[- ]time|otp|auth) ?(?:code|pin|password)|passcode|\botp\b|\b2fa\b",
    r"(?:bestatigungs|bestaetigungs|sicherheits|verifizierungs|verifikations|anmelde"
    r"|aktivierungs|einmal|freischalt)-?(?:code|kennwort|passwort|pin)|\b(?:sms|mobile)-?tan\b",
    r"codigo (?:de )?(?:verificaci?on|verificacao|seguridad|seguranca|confirmaci?on|confirmacao"
    r"|acceso|acesso|activacion|ativacao|autenticacion|autenticacao)",
    r"(?:contrasena|clave|senha) (?:de un solo uso|temporal|temporaria|unica|de uso unico)",
    r"codice (?:di )?(?:verifica|sicurezza|conferma|accesso|attivazione|autenticazione)",
    r"codice (?:otp|usa e getta)|password temporanea",
    r"(?:verificatie|bevestigings|beveiligings|inlog|toegangs|activerings)-?code",
)
_NEVER_SHARE = _any(
    r"ne (?:le |la )?(?:partagez|communiquez|transmettez|divulguez|donnez)",
    r"ne (?:le |la )?(?:partage|communique)\b",
    r"(?:do not|don'?t|never) (?:share|disclose|give|tell)|not share (?:it|this)",
    r"(?:teilen|geben) sie|nicht (?:weiter|an dritte)",
    r"no (?:lo |la )?(?:compart|revel|facilit)|nao (?:o |a )?(?:compart|partilh|divulg|revel)",
    r"non (?:lo |la )?(?:condivi|comunic|rivel)|deel (?:deze|dit|het|hem)?",
)
_VALID_FOR = _any(
    r"(?:valable|valid[eo]?|gultig|geldig|expir\w{0,4}|scade|vence|verloopt) .{0,20}\d+ ?min",
    r"expir\w{0,5} (?:in|dans|en|em)\b",
)
_OFFICIAL_CODE = _any(
    r"votre code(?: \w{2,20})?",
    r"your(?: [\w-]{2,20})? code",
    r"ihr(?: [\w-]{2,20})? code",
    r"(?:su|tu) codigo(?: de \w{2,20})?",
    r"(?:il tuo|il suo) codice(?: \w{2,20})?",
    r"(?:uw|je)(?: [\w-]{2,20})? code",
    r"o (?:seu|teu) codigo(?: \w{2,20})?",
)
ONE_TIME_CODES = (
    _pattern(_CODE_PHRASE, r"[^?]{0,60}?", _CODE),
    _pattern(_CODE, r"[^?\d]{0,40}?", _CODE_PHRASE),
    _pattern(_OFFICIAL_CODE, r" ?(?::|=|is|est|ist|es|e|lautet|=)? ?", _CODE, r"(?:[ .!]|$)"),
    _pattern(_CODE, r" (?:is|est|ist|es|e) ", _OFFICIAL_CODE),
    _pattern(r"\b(?:code|codigo|codice|pin|tan)\b.{0,12}", _CODE, r".{0,60}", _NEVER_SHARE),
    _pattern(r"\b(?:code|codigo|codice|pin|tan)\b.{0,12}", _CODE, r".{0,40}", _VALID_FOR),
    _pattern(r"^<#> .{0,80}", _CODE),  # how Android finds a code
    _pattern(_CODE, r".{0,80}\s@[\w.-]{4,40} #", r"\d"),
)

# --- parcels ------------------------------------------------------------------------------------
_PARCEL = (
    r"\b(?:colis|parcel|package|shipment|delivery|order|livraison|commande|paket|sendung|lieferung"
    r"|bestellung|paquete|envio|pedido|entrega|pacco|spedizione|consegna|ordine|pakket|zending"
    r"|bestelling|encomenda|pacote)\b"
)
_TRACKING = _any(
    r"\bsuivi\b|track(?:ing)?\b|sendungsnummer|sendungsverfolgung|seguimiento|tracciamento"
    r"|tracking|volgnummer|rastre\w{2,6}|localizador|\bn[o0]? ?[:.]|\bnr\.?\b|numero\b|number\b"
)
_REFERENCE = r"[ :#.]{0,3}(?:est |is )?(?=[a-z0-9]{5,30}\b)[a-z]{0,6}\d{4,24}[a-z]{0,4}\b"
_FORMAL = r"\b(?:votre|vos|your|ihre?n?|su|sus|il suo|la sua|il tuo|la tua|uw|o seu|a sua|sua) "
_STATUS = (
    r"\b(?:en attente|disponible|livre[e]?|expedie[e]?|en cours de|arrive[ra]{0,2}|en route|prete?"
    r"|has (?:been|arrived)|was|is (?:out|on|ready|waiting|held|being)|will be|could not|scheduled"
    r"|wird|wurde|liegt|ist (?:unterwegs|da|bereit|abholbereit)|esta|ha sido|sera|llegara|pendiente"
    r"|e stat[oa]|in (?:consegna|arrivo|transito|attesa|giacenza)|is onderweg|wordt|ligt|klaar"
    r"|bezorgd|foi|chegara|a caminho)\b"
)
DELIVERIES = (
    _pattern(_PARCEL, r".{0,60}?", _TRACKING, _REFERENCE),
    _pattern(_FORMAL, r"(?:\w{2,15} )?", _PARCEL, r".{0,80}?(?:", _STATUS, r").{0,160}?\d"),
    _pattern(_FORMAL, r"(?:\w{2,15} )?", _PARCEL, r".{0,200}?(?:", _LINK, r")"),
    _pattern(_PARCEL, r".{0,60}?(?:", _STATUS, r").{0,160}?(?:", _LINK, r")"),
)

# --- appointments -------------------------------------------------------------------------------
_START = (
    r"^(?:[\w .&'-]{1,30}[:,!-] ?)?"
    r"(?:(?:bonjour|hello|hola|hallo|guten tag|ciao)[,. !]{1,3})?"
)
_MEETING = (
    r"(?:rdv|rendez-?vous|appointment|termin|cita\b|appuntamento|visita\b|afspraak|consulta\b"
    r"|marcacao)"
)
APPOINTMENTS = (
    _pattern(
        _START,
        r"(?:rappel|reminder|recordatorio|promemoria|herinnering|lembrete|erinnerung)\b",
        r".{0,40}?",
        _MEETING,
        r".{0,80}?\d",
    ),
    _pattern(_MEETING, r" (?:reminder|rappel)\b.{0,80}?\d"),
    _pattern(r"\btermin-?erinnerung\b.{0,80}?\d"),
    _pattern(
        _FORMAL,
        r"(?:prochain |next |proxima |prossimo |volgende )?",
        _MEETING,
        r".{0,60}?\b(?:confirm\w{0,6}|bestatigt|bevestigd|est (?:prevu|fixe|annule)|scheduled",
        r"|is (?:booked|on)|avec (?:le )?d(?:octeu)?r|with dr|bei dr|con (?:el |il )?d(?:ot)?t?r",
        r"|programad[oa])\b",
    ),
)

# --- invoices and accounts ----------------------------------------------------------------------
_BILL = r"(?:facture|invoice|bill|rechnung|factura|fattura|bolletta|factuur|fatura)\b"
_AMOUNT = r"\d[\d ., ]{0,9} ?(?:eur\b|euros?\b|usd\b|gbp\b|chf\b|\$)|(?:eur|usd|gbp|chf|\$) ?\d"
_ACCOUNT = (
    r"(?:compte|carte (?:vitale|bancaire|bleue)|solde|forfait|abonnement|prelevement|amende|dossier"
    r"|account|bank card|credit card|balance|subscription|konto|guthaben|karte|abo\b|vertrag|cuenta"
    r"|tarjeta|saldo|suscripcion|conto|carta di|abbonamento|rekening|pakketje|conta\b|cartao"
    r"|assinatura|fine\b|tax refund|remboursement)"
)
INVOICES = (
    _pattern(_FORMAL, r"(?:\w{2,15} )?", _BILL, r".{0,80}?(?:", _AMOUNT, "|", _LINK, ")"),
    _pattern(
        r"\b",
        _BILL,
        r" ?(?:n[o0]?\b|nr|no|num|#|number)[ .:#o]{0,3}\w{0,4}\d{3}.{0,80}?(?:",
        _AMOUNT,
        ")",
    ),
    _pattern(
        r"\b(?:prelevement|paiement|payment|zahlung|lastschrift|pago|cargo|pagamento|addebito"
        r"|betaling|incasso) (?:de|of|von|uber|di|van)? ?(?:",
        _AMOUNT,
        r").{0,60}?\b(?:carte|card|karte|tarjeta|carta|kaart|cartao|compte|account|konto|cuenta"
        r"|conto|rekening|conta)\b",
    ),
)
ACCOUNTS = (
    _pattern(_FORMAL, r"(?:\w{2,15} ){0,2}", _ACCOUNT, r".{0,120}?(?:", _LINK, ")"),
    _pattern(
        _FORMAL,
        r"(?:\w{2,15} )?",
        _ACCOUNT,
        r".{0,60}?(?:est de|is|betragt|es de|e di|bedraagt)",
        r" .{0,10}?(?:",
        _AMOUNT,
        ")",
    ),
)
CALLS = (
    _pattern(
        r"^(?:vous avez|you have|sie haben|usted tiene|tiene|u heeft|voce tem|tem)? ?",
        r"(?:\d{1,2} |un |one |a |una? |een |ein(?:en)? )?",
        r"(?:nouve(?:au|aux) |new |neue |nuev[oa] )?",
        r"(?:appels? manques?|missed calls?|verpasste[rn]? anrufe?|llamadas? perdidas?|chiamat[ae]",
        r" pers[ae]|gemiste oproep|chamadas? perdidas?|messages? (?:vocal|vocaux)|voice ?mails?",
        r"|sprachnachricht\w?|mensajes? de voz|messaggi\w? vocal[ei])\b.{0,60}?\d",
    ),
    _pattern(
        r"^(?:vous avez|you have) \d{1,3} (?:nouveaux? |new )?(?:messages?|voice ?mails?|appels?)\b"
    ),
)

# --- advertising --------------------------------------------------------------------------------
_SHORT_CODE = r"(?<!\d)\d{4,6}(?![\d.,:]?\d)"
_TO = r" (?:au|to|an|al|naar|para|ao|no) (?:the |le |el )?(?:n[o0]? ?)?"
ADVERTS = (
    _pattern(
        r"\b(?:rep(?:ondez|ondre)?|reply|text|txt|antworten?|sende(?:n sie)?|envi[ea]|envoyez"
        r"|respond[ae]|risponda|rispondi|invia|inviare|antwoord|stuur|sms|stop)\b",
        r"[ :]{0,2}(?:(?:par |with |mit |con |met |com )?['\"]?[a-z]{1,12}['\"]?(?: sms)?)?",
        _TO,
        _SHORT_CODE,
    ),
    _pattern(r".{15}\bstop(?: ?sms)?(?: ?: ?| )\d{5}\W{0,3}$"),
    _pattern(
        r"(?:\bgagnez\b|vous avez (?:ete |gagne|remporte)|you(?:'ve| have)? (?:been selected|won\b)"
        r"|\bwin (?:a|an|the|one)\b|sie haben .{0,30}gewonnen"
        r"|has? (?:ganado|sido seleccionad)|ha vinto|hai vinto|u heeft .{0,30}gewonnen|voce ganhou"
        r"|ganhou um).{0,160}?(?:",
        _LINK,
        r"|(?:appel(?:ez)?|call|rufen sie|llame|chiam[ai]|bel|ligue)\b.{0,15}\d{4})",
    ),
    _pattern(
        r"(?:pour (?:ne plus|vous desabonner)|to (?:unsubscribe|opt[- ]?out"
        r"|stop (?:receiving|sms|txts))|zum abmelden|para (?:darse de baja|no recibir"
        r"|deixar de receber|cancelar)|per (?:non ricevere|disiscriverti|cancellarti)"
        r"|om (?:u )?af te melden|afmelden\?).{0,60}?(?:stop|",
        _LINK,
        ")",
    ),
    _pattern(r"(?:", _LINK, r").{0,80}\bstop(?: ?sms)?(?:", _TO, r")? ?\d{4,6}\b"),
    _pattern(r"-\d{2} ?%.{0,160}?(?:", _LINK, "|", r"\bstop\b", ")"),
)

# --- automatic answers --------------------------------------------------------------------------
_AUTO_STEMS = (
    "automat|autorepl|auto-repl|auto repl|out of office|out of the office|abwesenheitsnotiz|"
    "driving|conduis|conduire|au volant|fahre|am steuer|conduciendo|manejando|guidando|rijd|"
    "dirigindo|conduzir|not monitored|do not reply|ne pas repondre|nicht antworten|no-reply|"
    "noreply|no responda|no responder|non rispondere|niet antwoorden|nao responda|"
    "fuera de la oficina|fuori ufficio|niet op kantoor|absence du bureau"
)
AUTO_STEMS = tuple(_AUTO_STEMS.split("|"))
"""One of them stands in every text that AUTO_REPLIES match: a cheap look before the dear one."""
_DRIVING = (
    r"(?:i'?m|i am|im) (?:currently )?driving|je (?:conduis|suis (?:actuellement )?au volant)"
    r"|je suis en train de conduire|ich fahre(?: auto)?|ich bin am steuer|estoy (?:conduciendo"
    r"|manejando)|sto guidando|ik ben aan het rijden|ik rijd|estou (?:dirigindo|a conduzir)"
)
_NOW = (
    r"(?: (?:right now|at the moment|now|actuellement|en ce moment|pour le moment|gerade|momentan"
    r"|ahora|ahora mismo|en este momento|in questo momento|adesso|ora|op dit moment|momenteel"
    r"|neste momento|agora))"
)
AUTO_REPLIES = (
    _pattern(
        r"\b(?:reponse|message|sms) automatique\b"
        r"|\bauto(?:mat(?:ic|ed))?[- ]?(?:reply|response)\b|\bautomat(?:ed|ic) (?:message|text)\b"
        r"|\bautomatische (?:antwort|nachricht)|\brespuesta automatica|\bmensaje automatico"
        r"|\brisposta automatica|\bmessaggio automatico|\bautomatisch (?:antwoord|bericht)"
        r"|\bresposta automatica|\bmensagem automatica"
    ),
    _pattern(
        r"\b(?:out of (?:the )?office (?:until|from|and)|abwesenheitsnotiz|fuera de la oficina"
        r" hasta|fuori ufficio fino|niet op kantoor tot|absence du bureau)\b"
        r"|^(?:out of (?:the )?office|fuori ufficio|abwesenheitsnotiz)\b"
    ),
    _pattern(
        r"\b(?:do not reply to this|(?:this )?(?:number|inbox|mailbox) is not monitored|merci de"
        r" ne pas repondre|ne pas repondre a ce|bitte nicht antworten|(?:auf )?diese nachricht"
        r" nicht|no respond[ae]r? a este|non rispondere a questo|niet antwoorden op dit"
        r"|nao responda a esta|^no-?reply\b)"
    ),
    _pattern(
        r"^(?:sorry|desole|pardon|entschuldigung|lo siento|scusa|desculpe?)?[ ,.!-]{0,3}(?:",
        _DRIVING,
        r")(?:$|[.!]{1,3}$|",
        _NOW,
        r"(?:$|[ .,;:!-]{1,3}))",
    ),
    _pattern(
        r"(?:",
        _DRIVING,
        r").{0,40}(?:do not disturb|focus turned on|ne pas deranger|concentration"
        r"|nicht storen|no molestar|non disturbare|niet storen|nao incomodar|nao perturbe"
        r"|i'?ll (?:see your message|get back to you)|je verrai votre message)",
    ),
)

"""Ready answers by hand for the priority lane, one gesture each, in seven languages.

Each is one GSM-7 part, promises nothing and accuses nobody. Volunteers are no helpline: who is in
danger is told whom to call. Emergency numbers: 112 in the EU and the UK; 3114 (France), 116 123
(UK, Ireland, Germany), 024 (Spain), 113 and 1813 (Netherlands, Flanders) for suicidal thoughts.
"""

from __future__ import annotations

from typing import Final

from bot.policy.distress import Lane

_READY: Final[dict[Lane, dict[str, str]]] = {
    Lane.DISTRESS: {
        "fr": "Bonjour. Ici des bénévoles, pas un service d'aide. En danger, appelez le 112. "
        "Idées noires : en France le 3114, gratuit, jour et nuit. Prenez soin de vous.",
        "en": "Hello. We are volunteers, not a helpline. In danger, call 112 or 999. Dark "
        "thoughts: in the UK and Ireland 116 123, free, day and night. Please take care.",
        "es": "Hola. Somos gente voluntaria, no un servicio de ayuda. En peligro, llame al 112. "
        "Si piensa en hacerse algo: en España 024, gratis, a toda hora. Un saludo.",
        "de": "Hallo. Hier sind Freiwillige, kein Hilfsdienst. In Gefahr: 112. Dunkle Gedanken: "
        "in Deutschland 116 123, kostenlos, Tag und Nacht. Alles Gute.",
        "it": "Salve. Siamo volontari, non un servizio di aiuto. In pericolo chiami il 112. Se "
        "pensa di farsi del male, parli subito con un medico. Abbia cura di lei.",
        "nl": "Hallo. Wij zijn vrijwilligers, geen hulpdienst. In gevaar: bel 112. Donkere "
        "gedachten: in Nederland 113, in Vlaanderen 1813, dag en nacht. Sterkte.",
        "pt": "Este telefone é de um coletivo, sem profissionais de ajuda. Em perigo, ligue 112. "
        "Se pensa em fazer mal a si, fale hoje com um médico. Cuide de si.",
    },
    Lane.THREAT: {
        "fr": "Bonjour. Menacer quelqu'un est un délit. N'écrivez plus à ce numéro ni à la "
        "personne qui vous l'a donné. Merci. STOP",
        "en": "Hello. Threatening someone is a crime. Do not write again to this number or to the "
        "person who gave it to you. Thank you. STOP",
        "es": "Hola. Amenazar a alguien es un delito. No escriba otra vez a este teléfono ni a "
        "quien se lo dio. Gracias. STOP",
        "de": "Guten Tag. Jemanden zu bedrohen ist strafbar. Schreiben Sie dieser Nummer und der "
        "Person, die sie Ihnen gab, nicht mehr. Danke. STOP",
        "it": "Salve. Minacciare qualcuno è un reato. Non scriva più a questo numero né alla "
        "persona che gliel'ha dato. Grazie. STOP",
        "nl": "Hallo. Iemand bedreigen is strafbaar. Schrijf niet meer naar dit nummer, noch naar "
        "wie het u gaf. Dank u. STOP",
        "pt": "Intimidar alguém é crime. Por favor, pare de escrever para este telefone e para "
        "quem lho deu. Obrigado. STOP",
    },
    Lane.WRONG_NUMBER: {
        "fr": "Bonjour. Il y a eu une erreur de numéro. Personne ne vous reproche rien et plus "
        "rien ne suivra. Bonne journée.",
        "en": "Hello. There was a mix-up of numbers. Nobody blames you for anything and nothing "
        "more will follow. Have a good day.",
        "es": "Hola. Fue un error de teléfono. Nadie le reprocha nada. Ya no le escribimos. "
        "Saludos.",
        "de": "Guten Tag. Da wurde eine Nummer verwechselt. Niemand wirft Ihnen etwas vor, und es "
        "kommt nichts weiter. Alles Gute.",
        "it": "Salve. C'è stato un errore di numero. Nessuno le rimprovera nulla e non seguirà "
        "altro. Buona giornata.",
        "nl": "Hallo. Er was een vergissing met het nummer. Niemand verwijt u iets en er volgt "
        "niets meer. Fijne dag.",
        "pt": "Bom dia. Houve um engano no telefone. Nada se lhe aponta e nada mais se segue. "
        "Tudo de bom.",
    },
}


def ready(lane: Lane, language: str) -> str:
    """The ready answer; English for a language that has none."""
    return _READY[lane].get(language, _READY[lane]["en"])


def every() -> tuple[str, ...]:
    """All of them, for the linter and the tests."""
    return tuple(text for texts in _READY.values() for text in texts.values())

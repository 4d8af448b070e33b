"""What people say to each other in seven languages, whoever they are: known before anybody wrote.

The flood's topics start from here, so that a first day, or a first crowd of another language, is
not taken for news. It must hold no word of a raid, an advertisement or a call: those are what
topics are about.
"""

from __future__ import annotations

from typing import Final

from bot.policy import language

_TALK: Final = (
    "allo alo coucou kikou cc slt bjr bsr wesh yo re ici hi hey hiya heya howdy sup here hola"
    " buenas ey oye aquí servus moin grüezi tach na hallihallo ehi ehilà salve pronto qua hoi hé"
    " dag oi ei boas olá alô aqui nome linda lindo schön mooi beauté babe ami amie après arrivée"
    " attends beau belle bien bientôt bisous bon bonne boulot bus café chez ciné concert content"
    " demain dimanche dire dis encore faire fais fête fille fini hier jeudi jour journée jolie"
    " libre lundi mardi matin mec merci midi minuit mercredi nom nuit peux plage plaît prénom"
    " rencontre rentrée rien samedi semaine soir soirée souviens sympa tard temps train travail"
    " trouve veux vendredi verre vois vraiment week-end after alone back bar beach beautiful beer"
    " busy bye class club coffee cool cute date day dinner doing drink evening fine free friday"
    " friend fun gave girl going gonna good got great gym guy happy hear hello home hope know last"
    " later let's library lovely lunch meet meeting met monday morning movie name nice night party"
    " please pretty pub remember saturday see single sleep soon sorry sunday talk think thursday"
    " time today tomorrow tuesday wanna want week wednesday weekend well work amigo amiga ahora"
    " años bella besos bonita calle casa cena chica cine concierto conocer conocimos cuándo cumple"
    " dime domingo encanta esta fiesta fin gimnasio guapa hablar hablamos hasta hora hoy jueves"
    " llamo lunes luego martes metro miércoles momento mucho mujer nombre noche noches nos nuevo"
    " nunca playa plan puedo quedamos quieres rato sábado saber salir semana siempre tarde tardes"
    " tiempo tienes tomar trabajo tren vemos verte viernes vives voy abend abends alles allein"
    " arbeit bier bisschen bahn disko essen feier frau frei freitag freund freue freundin fest"
    " gefallen gesehen gibt gleich habe hallo hause heißt hoffe hübsch jetzt kaffee kennen kennst"
    " kino klar konzert kommst lange leute lieb liebe lust machst mann melde mittwoch mittag"
    " montag nacht nett nochmal nur samstag schlafen schläfst schreib sehen sehr sonntag spät"
    " später stadt strand süß tag tanzen treffen trinken uni vielleicht wiedersehen wochenende"
    " wohnst woche zeit zug zurück abiti adesso amico amica amore anni aperitivo bacio baci bene"
    " caffè chiamo cinema compleanno concerto conosciuti dai detto domenica dopo dove dormi fare"
    " festa fidanzata giorno giovedì insieme incontrati lavoro libera lunedì martedì mare mattina"
    " mercoledì mercato mi molto notte oggi palestra parlare pomeriggio posso presto prima qui"
    " ragazza ricordi sabato scusa sempre sentirci sera serata settimana spiaggia stasera stai"
    " tardi tempo treno tutto uscire vediamo venerdì visto volta vuoi vivi aardig alleen avond"
    " bioscoop dank dinsdag donderdag drankje eten even feest fijn fijne film gaan gaat gisteren"
    " goed graag groetjes heb hebben heten horen huis iets je jou ken kijk koffie komen kroeg kus"
    " laat langs lekker leuk leuke lief maandag maken meid mis moet mooie morgen naam nooit"
    " ochtend praten samen schat snel slaap slapen sportschool spreken station straks trein tijd"
    " thuis uit uitgaan vanavond vrij vrijdag vriend vriendin weer weet werk wil wilt woensdag"
    " wonen woon zaterdag zien zin zondag agora amanhã ano beber beijo beijos bem boa bom cara"
    " cedo chamo chegaste chegou comboio conheci conhecemos contigo dia dormir dormes encontrar"
    " escola fala falar fazer fica fim fim-de-semana ginásio gosto gostei hoje jantar lembras"
    " livre menina moras namorado noite novo onde ontem outra parece podemos podes praia prazer"
    " quarta quando queres querida quinta rapaz saudades segunda sexta sair tens terça trabalho"
    " ver vens verdade vida voltar"
)


def words() -> frozenset[str]:
    """All of them, with the small words of each language."""
    return language.small_words() | frozenset(_TALK.split())

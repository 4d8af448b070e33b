"""Machines are known by their general wordings; what people write is never taken for one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import machine, texts

CODE = machine.Machine.ONE_TIME_CODE
PARCEL = machine.Machine.DELIVERY_NOTICE
MEETING = machine.Machine.APPOINTMENT
BILL = machine.Machine.INVOICE
ACCOUNT = machine.Machine.ACCOUNT_NOTICE
CALL = machine.Machine.CALL_NOTICE
ADVERT = machine.Machine.ADVERTISING
AUTO = machine.Machine.AUTO_REPLY

_MACHINES = [
    # one-time codes
    (CODE, "Votre code de vérification est 482913."),
    (CODE, "482 913 est votre code de confirmation Exemple. Valable 10 min."),
    (CODE, "G-482913 is your Example verification code."),
    (CODE, "Your Example code is 4829-1377. Don\u2019t share it."),
    (CODE, "<#> Example: 482913\nFA+9qCX9VSu"),
    (CODE, "Example security code: 482913"),
    (CODE, "Your one-time password is 48291377"),
    (CODE, "Code : 4829. Ne le communiquez à personne."),
    (CODE, "Mot de passe à usage unique : 482913"),
    (CODE, "Ihr Bestätigungscode lautet 482913"),
    (CODE, "Ihre mobileTAN: 482913. Betrag 12,00 EUR"),
    (CODE, "Tu código de verificación es 482913"),
    (CODE, "Su clave de un solo uso es 482913"),
    (CODE, "Il tuo codice di verifica è 482913"),
    (CODE, "Je verificatiecode is 482913"),
    (CODE, "O seu código de confirmação é 482913"),
    (CODE, "４８２９１３ est votre code de sécurité"),
    # parcels
    (PARCEL, "Votre colis est en cours de livraison, suivi : 6A12345678901"),
    (PARCEL, "Colis 12 en attente: suivi 48291"),
    (PARCEL, "Votre colis n'a pas pu être livré https://exemple.fr/x"),
    (PARCEL, "Votre commande 48291 est disponible jusqu'au 12/10"),
    (PARCEL, "Your parcel is out for delivery today between 10:00 and 12:00"),
    (PARCEL, "Ihr Paket wird heute zugestellt. Sendungsnummer 00340434"),
    (PARCEL, "Su paquete está en reparto: https://ejemplo.es/a1"),
    (PARCEL, "Il tuo pacco è in consegna, tracking 1Z48291377"),
    (PARCEL, "Uw pakket wordt vandaag bezorgd tussen 14:00 en 16:00"),
    (PARCEL, "A sua encomenda será entregue hoje. Tracking: RR48291377PT"),
    # appointments
    (MEETING, "Rappel RDV demain 10h"),
    (MEETING, "CABINET X : Rappel de votre rendez-vous du 12/10 à 9h30"),
    (MEETING, "Votre rendez-vous avec le Dr Exemple est confirmé le 12/10"),
    (MEETING, "Reminder: your dental appointment is on 12 Oct at 9:30"),
    (MEETING, "Terminerinnerung: 12.10. um 9:30 Uhr"),
    (MEETING, "Recordatorio: tiene cita el 12/10 a las 9:30"),
    (MEETING, "Promemoria appuntamento 12/10 ore 9:30"),
    (MEETING, "Herinnering: uw afspraak op 12/10 om 9.30"),
    (MEETING, "Lembrete: consulta dia 12/10 às 9h30"),
    # bills and accounts
    (BILL, "Votre facture de 48,29 EUR est disponible"),
    (BILL, "Votre facture mobile de 12€ est prête"),
    (BILL, "Your invoice for £48.29 is ready: https://example.com/i"),
    (BILL, "Ihre Rechnung über 48,29 EUR ist da"),
    (BILL, "Su factura de 48,29 € ya está disponible"),
    (BILL, "La tua bolletta di 48,29 euro scade il 12/10"),
    (BILL, "Uw factuur van EUR 48,29 staat klaar"),
    (BILL, "A sua fatura de 48,29 EUR está disponível"),
    (BILL, "Paiement de 48,29 EUR avec la carte 1234"),
    (ACCOUNT, "Votre compte est suspendu, régularisez : https://exemple.fr/z"),
    (ACCOUNT, "Votre solde est de 12,30 EUR au 10/10"),
    (ACCOUNT, "Your bank account is locked. Verify at https://example.com/v"),
    (CALL, "Vous avez 2 nouveaux messages vocaux"),
    (CALL, "You have 1 new voicemail. Dial 888"),
    (CALL, "Appel manqué le 12/10 à 9h30"),
    # advertising
    (ADVERT, "Gagnez un voyage ! Répondez OUI au 12345"),
    (ADVERT, "Soldes -50% ce week-end https://exemple.fr STOP au 12345"),
    (ADVERT, "Pour ne plus recevoir nos offres 24h/24 : STOP"),
    (ADVERT, "You have won a prize! Call 0900 1234 to claim"),
    (ADVERT, "Text WIN to 12345 now"),
    (ADVERT, "Sie haben ein Auto gewonnen! www.beispiel.de"),
    (ADVERT, "Responde SI al 12345"),
    (ADVERT, "Hai vinto un premio: https://esempio.it/p"),
    (ADVERT, "Exemple : deux menus pour un ce soir. STOP 12345"),
    (ADVERT, "Afmelden? Sms STOP naar 1234"),
    # automatic answers
    (AUTO, "Réponse automatique : je suis absent jusqu'à lundi."),
    (AUTO, "I'm driving with Do Not Disturb While Driving turned on."),
    (AUTO, "I\u2019m driving right now. I\u2019ll get back to you later"),
    (AUTO, "I'm driving"),
    (AUTO, "Je conduis actuellement, je reviens vers vous"),
    (AUTO, "Out of office until Monday"),
    (AUTO, "This is an automated message, do not reply."),
    (AUTO, "Automatische Antwort: Ich bin im Urlaub"),
    (AUTO, "Abwesenheitsnotiz: zurück am Montag"),
    (AUTO, "Respuesta automática: estoy de vacaciones"),
    (AUTO, "Risposta automatica: sono in ferie"),
    (AUTO, "Automatisch antwoord: ik ben op vakantie"),
    (AUTO, "Resposta automática: estou de férias"),
    (AUTO, "Estoy conduciendo ahora mismo."),
    (AUTO, "Sto guidando in questo momento, ti richiamo"),
    (AUTO, "Ich fahre gerade."),
    (AUTO, "Ik ben aan het rijden op dit moment"),
]

_PEOPLE = """
c'est quoi le code de ta porte ?
le code de la porte c'est 4829
mon code c'est 1234B, 3e étage
code 4829 en bas puis 2e gauche
Code: 4829 pour l'interphone
on se voit à 18h30
mon numéro 0639980001
rappelle moi au 0639980001
appelle moi au 06 39 98 00 01
envoie un sms au 0639980001
rdv demain 10h ?
rdv à 20h30 devant le bar
on a rdv demain à 18h
notre rdv de 18h tient toujours ?
rappelle toi notre rdv de 18h
tu me rappelles pour le rdv de 10h
tu m'as donné ton colis
ton colis est arrivé chez moi au 12, passe à 18h
j'ai reçu votre colis par erreur, suivi 48291377
j'ai reçu un code de vérification 482913, c'est toi ?
t'as gagné 10 points
tu as gagné, je t'offre un verre à 20h
j'ai gagné 1000 euros au loto
tu me dois 20 euros
la facture du resto 48 EUR, on partage ?
je conduis là j'arrive dans 10 min
je suis au volant, je t'appelle après
c'est le mec au volant de la clio
I'm driving to your place, be there at 8
are you driving home tonight?
stop
stop 2 min
stop moi si je dis des bêtises
réponds stp
réponds moi avant 18h
reponds au 2 messages
je t'attends au 1234 rue Exemple
2017 c'était mieux
à 2000 % avec toi
tu es belle à 100%
-50% de chances que tu répondes
regarde https://exemple.fr/photo
mon insta www.exemple.fr/moi
here is the code for the door 4829
what's your zip code? mine is 75011
my pin is 1234 lol
did you get my package? tracking 48291377
your bill was 20 eur yesterday, remember me?
we said 8:30 right?
call me on 0639980001
text me at 8
send me a pic to 0639980001
you won my heart 1000 times
ich bin der Typ von gestern, 20 Uhr?
der Code für die Tür ist 4829
wann ist unser Termin? 18 Uhr?
ich fahre morgen um 8
mi número es 0639980001
nos vemos a las 20:30
el código de la puerta es 4829
sono Marco, ci vediamo alle 20:30
il codice del portone è 4829
ik ben om 8 uur bij jou
de code van de deur is 4829
te vejo às 20:30
o código da porta é 4829
salut c'est Marc du bar, 25 ans, dispo ce soir ?
dispo pour le vélo à 150 euros ?
le vélo 80e main propre ca va ?
combien ça coute deja ? 16 centimes
ton code de vérification c'est 4829 ?
appel manqué de toi à 18h
vous avez 3 messages de moi sans réponse
stop 2017
le code de confirmation envoie le au 0639980001
le code de confirmation envoie le au +33639980001
tu peux me dire stop 1234
""".strip().splitlines()


@pytest.mark.case("C13")
@pytest.mark.parametrize(("kind", "text"), _MACHINES)
def test_machines_are_known(kind: machine.Machine, text: str) -> None:
    assert machine.kind(text) is kind
    assert machine.kind(text.upper()) is kind
    assert machine.kind(f"  {text}\n") is kind


@pytest.mark.case("C13")
@pytest.mark.parametrize("text", _PEOPLE)
def test_people_are_not_machines(text: str) -> None:
    assert machine.kind(text) is None
    assert machine.kind(text.capitalize() + " !") is None


@pytest.mark.parametrize(
    "text", texts.TEXTS, ids=lambda text: f"{text.key}-{text.tone}-{text.language}"
)
def test_our_own_words_quoted_back_come_from_a_person(text: texts.Text) -> None:
    assert machine.kind(text.body) is None


@pytest.mark.parametrize(
    "unit",
    ["1 ", "1234 ", "12 34 ", "code 1234 ", "votre code ", "votre colis ", "colis suivi ", "www.",
     "www.a -12% ", "facture n 123 ", "your ", "-10% ", "a-", "<#> 1 ", "https://", "stop ",
     "votre compte est de 1", "eur 1,", "rappel rdv ", "gagnez ", "vous avez 1 "],
)  # fmt: skip
def test_time_is_bounded_on_long_texts(unit: str) -> None:
    text = (unit * 2000)[:2000] + "1"
    started = time.perf_counter()
    machine.kind(text)
    assert time.perf_counter() - started < 0.25  # about a millisecond here; wide for slow machines


@given(st.text(st.characters(exclude_categories=()), max_size=2000))
def test_never_raises(text: str) -> None:
    assert machine.kind(text) in {None, *machine.Machine}


@given(st.text(st.sampled_from("abcdefgéèà '?!.,😀\n"), max_size=200))
def test_words_without_digit_link_or_automatic_phrase_are_a_person(text: str) -> None:
    assert machine.kind(text) is None

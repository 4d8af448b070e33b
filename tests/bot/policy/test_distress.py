"""Words that somebody should read; and all those that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import segments
from bot.policy import distress, handwords, proof, texts
from bot.policy.distress import Lane

D, T, W = Lane.DISTRESS, Lane.THREAT, Lane.WRONG_NUMBER


@pytest.mark.parametrize(
    ("text", "lane"),
    [
        ("Je veux mourir", D),
        ("j\u2019ai plus envie de vivre", D),
        ("je vais me suicider ce soir", D),
        ("appelez la police s'il vous plaît", D),
        ("On m'a violée", D),
        ("I want to die", D),
        ("i'm going to kill myself", D),
        ("please call 911", D),
        ("quiero morir", D),
        ("Ich will mich umbringen... ich will sterben", D),
        ("voglio morire", D),
        ("ik wil dood", D),
        ("quero morrer", D),
        ("JE VAIS TE TUER", T),
        ("je sais où tu habites", T),
        ("I'm gonna kill you", T),
        ("i know where you live", T),
        ("te voy a matar", T),
        ("ich bringe dich um", T),
        ("ti ammazzo", T),
        ("ik maak je dood", T),
        ("vou te matar", T),
        ("mauvais numéro", W),
        ("Vous vous êtes trompé de numéro", W),
        ("wrong number mate", W),
        ("número equivocado", W),
        ("falsche Nummer", W),
        ("Sie haben sich verwählt", W),
        ("ha sbagliato numero", W),
        ("verkeerd nummer", W),
        ("número errado", W),
    ],
)
def test_what_somebody_should_read(text: str, lane: Lane) -> None:
    assert distress.lane(text) is lane
    assert distress.lane(f"  bon\n{text.upper()} !") is lane


@pytest.mark.parametrize(
    "text",
    [
        "",
        "salut ça va",
        "je veux mourir de rire",
        "je vais mourir de honte",
        "je vais te tuer mdr",
        "haha i'm gonna kill you",
        "tu m'as donné un faux numéro",
        "t'as filé un mauvais numéro",
        "is this the wrong number?",
        "you gave me a wrong number",
        "c'est le bon numéro",
        "ce film me tue",
        "killer soirée",
        "quel est ton numéro",
        "die Nummer von Hugo",
        "je te trouve à tomber",
        "suicide squad ce soir au ciné",
        "on se retrouve chez toi",
        "tu habites où",
        "where do you live",
        "stop",
    ],
)
def test_what_is_nothing(text: str) -> None:
    assert distress.lane(text) is None


def test_no_reply_of_ours_is_taken_for_one() -> None:
    assert [one.body for one in texts.TEXTS if distress.lane(one.body)] == []


@given(st.text(max_size=900))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert distress.lane(text) in {None, *Lane}


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_ready_answer_is_one_part(lane: Lane, language: str) -> None:
    size = segments.count(handwords.ready(lane, language))
    assert (size.parts, size.guilty) == (1, ())


def test_a_language_without_an_answer_gets_english() -> None:
    assert handwords.ready(Lane.THREAT, "xx") == handwords.ready(Lane.THREAT, "en")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("PROOF-ABCDEFGH23", "ABCDEFGH23"),
        (" proof abcdefgh23 \n", "ABCDEFGH23"),
        ("PROOFABCDEFGH23", "ABCDEFGH23"),
        ("PROOF-ABCDEFGH2", None),
        ("PROOF-ABCDEFGH234", None),
        ("PROOF-ABCDEFGH20", None),
        ("my PROOF-ABCDEFGH23", None),
        ("", None),
    ],
)
def test_a_proof_counts_only_as_the_whole_message(text: str, letters: str | None) -> None:
    assert proof.read(text) == letters

"""Floods made up from a seed, for benches and tests: nobody's numbers, nobody's words.

Senders are numbers of films (+33 6 39 98 xx xx), robots are short codes and names. The course is
that of a bad week: people come in waves and write again, then a few write by the hundred.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
import random
from collections.abc import Iterator
from typing import Any, Final

_OWN: Final = "+33639980000"
# Film numbers there are for senders: 10,000 less the one that is ours.
FILM_NUMBERS: Final = 9_999
_WORDS: Final = (
    "Salut, c'est Karim, on se voit quand ?",
    "coucou c'est Hugo du concert 😉",
    "hey it's Tom from yesterday, how are you",
    "Bonjour, tu fais quoi ce soir",
    "wesh t'es où",
    "t'as pas répondu",
    "allo ?",
    "on prend un verre demain ?",
    "Hola, soy Pablo, qué tal",
    "Ciao, sono Marco, ci vediamo?",
)
_ROBOTS: Final = (
    ("36180", "Votre colis 6A12345678901 arrive demain. Suivi : https://example.org/c"),
    ("Banque", "Code: 482913. Ne le partagez pas."),
)
_RUDE: Final = ("mdr", "allez encore un", "la dette monte", "spam spam")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the flood is made of. `hours`: how long people come; floods of the few fill the last."""

    people: int = 4_000
    more_messages: float = 0.8
    pests: int = 40
    pest_messages: int = 200
    robots: int = 30
    stops: int = 20
    hours: float = 72.0
    price: str = "0.08"
    start: str = "2017-10-27T08:00:00+02:00"
    timezone: str = "Europe/Paris"


def write(path: pathlib.Path, plan: Plan, seed: int) -> int:
    """Write a recording (gzip if the name ends so); how many messages it holds.

    Raises ValueError if the plan needs more senders than there are film numbers.
    """
    if plan.people + plan.pests + plan.stops > FILM_NUMBERS:
        raise ValueError(f"there are {FILM_NUMBERS} film numbers, no more")
    told = sorted(_messages(plan, random.Random(seed)), key=lambda line: line[0])
    world = {
        "world": "made",
        "start": plan.start,
        "timezone": plan.timezone,
        "to": _OWN,
        "signal": [],
        "sms_price_per_segment": {"currency": "EUR", "FR": plan.price, "default": "0.12"},
    }
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(world) + "\n")
        for number, (at, sender, body) in enumerate(told):
            file.write(json.dumps(_line(number, at, sender, body)) + "\n")
    return len(told)


def _line(number: int, at: float, sender: str, body: str) -> dict[str, Any]:
    return {"at": round(at, 3), "id": f"M{number:08}", "from": sender, "to": _OWN, "body": body}


def _messages(plan: Plan, rng: random.Random) -> Iterator[tuple[float, str, str]]:
    span_s = plan.hours * 3600
    # In steps that share no factor with their count, so that neighbours do not look alike.
    films = (f"+3363998{(i * 7_919) % 10_000:04}" for i in range(1, FILM_NUMBERS + 1))
    for _ in range(plan.people):
        sender, at = next(films), span_s * rng.betavariate(2, 2)
        yield at, sender, rng.choice(_WORDS)
        for _again in range(
            int(rng.expovariate(1 / plan.more_messages)) if plan.more_messages else 0
        ):
            yield min(at + rng.expovariate(1 / 1_800), span_s), sender, rng.choice(_WORDS)
    for _ in range(plan.pests):
        sender = next(films)
        for _each in range(plan.pest_messages):
            yield span_s * rng.uniform(0.67, 1), sender, rng.choice(_RUDE)
    for _ in range(plan.stops):
        sender, at = next(films), span_s * rng.uniform(0, 0.9)
        yield at, sender, rng.choice(_WORDS)
        yield at + rng.uniform(1, 3_000), sender, "STOP"
    for _ in range(plan.robots):
        sender, body = rng.choice(_ROBOTS)
        yield span_s * rng.random(), sender, body

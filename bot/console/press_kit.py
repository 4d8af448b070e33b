"""The figures for the press as files: a page that needs nothing else, two tables, a picture.

matplotlib is an extra (`charts`); without it the page has tables only and says so.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import datetime as dt
import io
from typing import Any, Final

import jinja2

from bot.console import press

PAGE: Final = "press.html"
PICTURE: Final = "days.png"
_FIGURES: Final = "figures.csv"
_DAYS: Final = "days.csv"
NAMES: Final = (PAGE, PICTURE, _FIGURES, _DAYS)
LANGUAGES: Final = ("en", "fr")
_SIZE: Final = (9.0, 3.6)
_WORDS: Final[dict[str, dict[str, str]]] = {
    "title": {"en": "A shared number: figures", "fr": "Un numéro partagé : les chiffres"},
    "span": {"en": "from {} to {} ({})", "fr": "du {} au {} ({})"},
    "messages": {"en": "messages received", "fr": "messages reçus"},
    "senders": {"en": "senders", "fr": "expéditeurs"},
    "replies": {"en": "replies sent", "fr": "réponses envoyées"},
    "refused": {"en": "replies refused by networks", "fr": "réponses refusées par les réseaux"},
    "complaints": {
        "en": "complaints: senders who then asked to be left alone (STOP)",
        "fr": "plaintes : expéditeurs qui ont ensuite demandé à ne plus rien recevoir (STOP)",
    },
    "rate": {"en": "complaint rate, of all replies", "fr": "taux de plaintes, sur les réponses"},
    "spent": {"en": "spent on replies", "fr": "dépensé en réponses"},
    "received_cost": {"en": "paid for receiving", "fr": "payé pour recevoir"},
    "donated": {"en": "donated", "fr": "dons reçus"},
    "way_of_2017": {
        "en": "what answering every message, as in 2017, would have cost",
        "fr": "ce qu'aurait coûté une réponse à chaque message, comme en 2017",
    },
    "few": {"en": "fewer than 10", "fr": "moins de 10"},
    "gone": {
        "en": "not known any more: forgotten after some weeks",
        "fr": "inconnu : oublié après quelques semaines",
    },
    "none": {"en": "cannot be told", "fr": "ne peut être donné"},
    "below": {"en": "below {} %", "fr": "moins de {} %"},
    "day": {"en": "day", "fr": "jour"},
    "no_chart": {
        "en": "Without a picture: matplotlib is not installed (pip install 'antirelou[charts]').",
        "fr": "Sans graphique : matplotlib n'est pas installé (pip install 'antirelou[charts]').",
    },
    "how": {
        "en": "How to read this. Whole days that ended at least a day ago; every figure is rounded "
        "to tens, and left out under ten. A sender is whoever wrote to the number: among them "
        "are wrong numbers and faked callers, so nobody is called a harasser. Each gets one "
        "message at most. No names, numbers or words are in these figures, and the collective "
        "does not keep them.",
        "fr": "Comment lire. Des jours entiers, finis depuis un jour au moins ; chaque chiffre est "
        "arrondi à la dizaine et omis en dessous de dix. Un expéditeur est quiconque a écrit au "
        "numéro : il y a parmi eux des erreurs et des numéros usurpés, personne n'est donc traité "
        "de harceleur. Chacun reçoit un message au plus. Ces chiffres ne contiennent ni nom, ni "
        "numéro, ni parole, et le collectif ne les garde pas.",
    },
}
_TEMPLATE: Final = """<!doctype html>
<html lang="{{ lang }}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ w.title }}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: start; padding: .3rem .6rem; border-bottom: 1px solid #8886 }
td:not(:first-child) { text-align: end; font-variant-numeric: tabular-nums }
img { max-width: 100%; height: auto; background: #fff }
</style></head><body>
<h1>{{ w.title }}</h1>
<p>{{ span }}</p>
<table>{% for name, value in rows %}<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% if picture %}<p><img src="data:image/png;base64,{{ picture }}" alt="{{ alt }}"></p>
{% else %}<p>{{ w.no_chart }}</p>
{% endif %}<p>{{ w.how }}</p>
<table><thead><tr><th>{{ w.day }}</th><th>{{ w.messages }}</th><th>{{ w.replies }}</th></tr></thead>
<tbody>{% for one in days %}<tr><td>{{ one.day }}</td><td>{{ one.messages or w.few }}</td>
<td>{{ one.replies or w.few }}</td></tr>
{% endfor %}</tbody></table>
</body></html>
"""


def made(of: press.Figures, language: str) -> dict[str, bytes]:
    """Name -> content of each file; without matplotlib there is no picture among them."""
    picture = _picture(of, language)
    files = {
        PAGE: _page(of, language, picture).encode(),
        _FIGURES: _csv([("figure", "value"), *_plain(of)]),
        _DAYS: _csv(
            [("day", "messages", "replies")]
            + [(one.day, one.messages or "<10", one.replies or "<10") for one in of.days]
        ),
    }
    return files | ({PICTURE: picture} if picture is not None else {})


def rows(of: press.Figures, language: str) -> list[tuple[str, str]]:
    """What is told of the whole time, name and value in words."""
    w = {key: told[language] for key, told in _WORDS.items()}
    few = w["few"]

    def count(n: int | None) -> str:
        return few if n is None else f"{n:,}".replace(",", "\u202f" if language == "fr" else ",")

    def cash(n: int | None) -> str:
        return f"{count(n)} {of.currency}"

    return [
        (w["messages"], count(of.messages)),
        (w["senders"], count(of.senders) if of.senders_known else w["gone"]),
        (w["replies"], count(of.replies)),
        (w["refused"], count(of.refused)),
        (w["complaints"], count(of.complaints)),
        (w["rate"], _rate(of, w, language)),
        (w["spent"], cash(of.spent)),
        (w["received_cost"], cash(of.received_cost)),
        (w["donated"], cash(of.donated)),
        (w["way_of_2017"], cash(of.way_of_2017)),
    ]


def _rate(of: press.Figures, w: dict[str, str], language: str) -> str:
    found = of.complaints_below if of.complaints_percent is None else of.complaints_percent
    if found is None:
        return w["none"]
    shown = str(found).replace(".", "," if language == "fr" else ".")
    return f"{shown} %" if of.complaints_percent is not None else w["below"].format(shown)


def _page(of: press.Figures, language: str, picture: bytes | None) -> str:
    w = {key: told[language] for key, told in _WORDS.items()}
    room = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return room.from_string(_TEMPLATE).render(
        lang=language,
        w=w,
        span=w["span"].format(of.first, of.last, of.timezone),
        rows=rows(of, language),
        days=of.days,
        picture=None if picture is None else base64.b64encode(picture).decode(),
        alt=f"{w['messages']}, {w['replies']}",
    )


def _plain(of: press.Figures) -> list[tuple[object, ...]]:
    left_out = {"days", "complaints_below", "senders_known"}
    fields = [one.name for one in dataclasses.fields(of) if one.name not in left_out]
    return [(name, "" if (v := getattr(of, name)) is None else v) for name in fields]


def _csv(lines: list[tuple[object, ...]]) -> bytes:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows(lines)
    return held.getvalue().encode()


def _picture(of: press.Figures, language: str) -> bytes | None:
    """Messages and replies by day; days of fewer than ten are drawn as none."""
    try:
        from matplotlib import dates, figure  # noqa: PLC0415 (an extra, and a second to import)
    except ImportError:
        return None
    drawn = figure.Figure(figsize=_SIZE, layout="constrained")
    axes = drawn.subplots()
    times: list[Any] = [dt.date.fromisoformat(one.day) for one in of.days]
    names = [_WORDS[key][language] for key in ("messages", "replies")]
    axes.bar(times, [d.messages or 0 for d in of.days], width=0.9, color="#b8c4d6", label=names[0])
    axes.bar(times, [d.replies or 0 for d in of.days], width=0.45, color="#1f5f8b", label=names[1])
    locator = dates.AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]  # theirs
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]  # theirs
    )
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    held = io.BytesIO()
    drawn.savefig(held, format="png", dpi=150)
    return held.getvalue()

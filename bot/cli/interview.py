"""The questions of `antirelou init`, and the settings that their answers make."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import typer

from bot import config, registry
from bot.cli import listening, options, pricing
from bot.contract import first_run
from bot.policy import neighbours, numbers, texts

_SIMULATED: Final = """
[channels.sms]
kind = "simulator"
network = "sms"
addresses = ["+33639980000"]
price = "0.08"
"""
# What they speak first where the number is at home; French otherwise, as the default is.
_SPOKEN: Final = {
    **dict.fromkeys(("DE", "AT", "LI"), "de"),
    **dict.fromkeys(("GB", "IE", "MT"), "en"),
    "ES": "es",
    "IT": "it",
    "NL": "nl",
    "PT": "pt",
}
# "2017" says nothing to whoever was not there.
_TONES: Final = {"neutral": "neutral", "2017": "2017 (as the number of that year said it)"}
# As people write numbers down, with spaces, dots, dashes, a zero in brackets.
_NUMBER: Final = re.compile(r"\+[0-9][0-9 .()/-]+")
_YES: Final = {"y", "yes", "o", "oui", "j", "ja"}
Sections = list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    kind: str
    start: first_run.Start
    table: Mapping[str, object]


def hold() -> str:
    """Ask everything; the text of a configuration that reads and whose channels can be made."""
    typer.echo(
        "A few questions; Enter takes what stands in brackets. Nothing is sent to anybody,\n"
        "and all of it can be changed later in the file (docs/settings.md).\n"
    )
    country, who = _who()
    sections = [_head(), who, _reply(_SPOKEN.get(country, "fr")), _budget(), _web()]
    channels = list(_channels(sections))
    if not channels:
        typer.echo("No channel: the file will run with a made-up phone in the browser, to try it.")
        return "".join(sections) + _SIMULATED
    return _joined(sections, channels)


def next_steps(text: str, path: pathlib.Path) -> list[str]:
    """What to type now, for the channels of that text."""
    lines, us = ["", "Now:"], _called()
    if 'password_file = "' in text:
        lines.append("  put each Matrix account's password into its password_file (chmod 600)")
    lines.append(f"  {us} check --offline --config {path}   # the file, and what a reply costs")
    lines.append(f"  {us} run --config {path}")
    names = [name for name, kind in _kinds(text) if kind != "simulator"]
    if names:
        lines += ["", "And beside it, once its public address answers (docs/deploy.md, TLS):"]
    lines += [f"  {us} setup {name} --config {path}   # shows; --apply does it" for name in names]
    if names:
        lines.append(f"  {us} check --config {path}   # asks the providers")
    return lines


def _called() -> str:
    """What was typed to start us: `.venv/bin/antirelou` in a clone that nobody activated."""
    typed = sys.argv[0]
    return typed if pathlib.Path(typed).name == "antirelou" and len(typed) < 60 else "antirelou"  # noqa: PLR2004


def _kinds(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("\n[channels.")[1:]:
        name, _, rest = part.partition("]")
        yield name, json.loads(rest.split("kind = ", 1)[1].split("\n", 1)[0])


# ---------------------------------------------------------------- the sections


def _head() -> str:
    return (
        "# Written by antirelou init. Secrets stand in here: keep it readable by its owner alone.\n"
        "# All settings with their meaning: docs/settings.md.\n\n"
        '[store]\nurl = "sqlite:antirelou.db"\nkey_file = "antirelou.key"\n'
    )


def _who() -> tuple[str, str]:
    typer.echo("WHERE  Only numbers of the countries named here are answered: a raid from afar")
    typer.echo("costs nothing then. Your number's country and its neighbours are a good start.")
    country = _until(
        "Country of your number, two letters",
        lambda told: told.upper(),
        lambda told: told in numbers.EEA_UK_CH_OVERSEAS,
        "one of " + " ".join(sorted(numbers.EEA_UK_CH_OVERSEAS)),
        default="FR",
    )
    found = _until(
        "Countries that are answered",
        lambda told: " ".join(told.upper().replace(",", " ").split()),
        lambda told: bool(told) and set(told.split()) <= numbers.EEA_UK_CH_OVERSEAS,
        "two letters each, with a space between",
        default=" ".join(neighbours.around(country)),
    )
    return country, f"\n[who]\ncountries = {json.dumps(found.split())}\n"


def _reply(language: str) -> str:
    typer.echo("\nWORDS  What he gets, once, an hour later:")
    told = _until(
        "Language of the collective",
        str.lower,
        lambda one: one in texts.LANGUAGES,
        "one of " + " ".join(sorted(texts.LANGUAGES)),
        default=language,
    )
    for tone in texts.TONES:
        typer.echo(f"  {_TONES[tone]}:\n    {texts.text(told, tone)}")
    tone = _until(
        "Tone",
        str.lower,
        lambda one: one in texts.TONES,
        "one of " + " ".join(texts.TONES),
        default="neutral",
    )
    typer.echo("At night a text wakes people, and may be answered in anger.")
    night = _yes("Hold replies between 0 and 8 o'clock?", default=False)
    return (
        f"\n[reply]\nlanguage = {json.dumps(told)}\ntone = {json.dumps(tone)}\n"
        f"night_hold = {json.dumps(night)}\n"
    )


def _budget() -> str:
    typer.echo("\nMONEY  The most that replies may cost. It is never passed, whatever comes; free")
    typer.echo("networks go on when it is used up.")
    day = _amount("Most in a day, EUR", "20.00")
    month = _amount("Most in a month, EUR", "200.00")
    return f'\n[budget]\ncurrency = "EUR"\ncap_day = "{day}"\ncap_month = "{month}"\n'


def _web() -> str:
    typer.echo("\nPLACE  Providers post messages to this server, and sign its very address.")
    url = _until(
        "Public address, https://... (empty: later)",
        lambda told: told.strip().rstrip("/"),
        lambda told: not told or told.startswith("https://"),
        "begin with https://, or leave it empty",
        default="",
    )
    line = (
        f"public_url = {json.dumps(url)}\n" if url else '#public_url = "https://sms.example.org"\n'
    )
    return f'\n[web]\nhost = "127.0.0.1"\nport = 8080\n{line}'


# ---------------------------------------------------------------- channels


def _channels(sections: Sections) -> Iterator[_Channel]:
    kinds = registry.beginnings()
    made: list[_Channel] = []
    typer.echo("\nCHANNELS  What do you have? One at a time; mix them as you like.")
    while True:
        for n, (_, start) in enumerate(kinds, 1):
            typer.echo(f"  {n}  {start.title}")
        told = _until(
            "Number, or Enter when that is all",
            str.strip,
            lambda one: not one or (one.isdecimal() and 1 <= int(one) <= len(kinds)),
            f"a number from 1 to {len(kinds)}, or nothing",
            default="",
        )
        if not told:
            return
        kind, start = kinds[int(told) - 1]
        if (one := _channel(sections, made, kind, start)) is not None:
            made.append(one)
            yield one


def _channel(
    sections: Sections, made: list[_Channel], kind: str, start: first_run.Start
) -> _Channel | None:
    typer.echo(f"\n{start.title}: docs/{start.page} says where to find what is asked here.")
    taken = {one.name for one in made}
    name = _until(
        "A name for it",
        str.strip,
        lambda one: one.isidentifier() and one.isascii() and one.islower() and one not in taken,
        "small letters, digits and _, and not a name that is taken",
        default=next(n for n in _names(start.name) if n not in taken),
    )
    table: Mapping[str, object] = {}
    while True:
        table = {question.key: _answer(question, table) for question in start.questions}
        one = _Channel(name, kind, start, table)
        faults = _faults(_joined(sections, [*made, one]))
        if not faults:
            return one
        for fault in faults:
            options.note(f"  {fault}")
        if not _yes("Answer these questions again? Enter keeps an answer", default=True):
            return None


def _names(first: str) -> Iterator[str]:
    yield first
    n = 2
    while True:
        yield f"{first}_{n}"
        n += 1


def _answer(question: first_run.Question, before: Mapping[str, object]) -> object:
    """`before`: what was typed the last time, which nobody should have to look up twice."""
    if question.fixed is not None:
        return question.fixed
    if question.why:
        typer.echo(f"  {question.why}")
    if question.many or question.pairs:
        return _lines(question)
    default = question.default() if callable(question.default) else question.default
    kept = before.get(question.key)
    told = typer.prompt(
        f"  {question.ask}",
        default=default if kept is None else str(kept),
        # A secret is never shown, the one that was just typed neither.
        show_default=not (question.secret and kept is not None),
        hide_input=question.secret,
        type=str,
    )
    text = str(told).strip()
    if not question.secret:
        text = _tidied(text)
    return int(text) if isinstance(default, int) and text.isdecimal() else text


def _lines(question: first_run.Question) -> object:
    found: list[str] = []
    while True:
        told = typer.prompt(f"  {question.ask} (Enter: no more)", default="", show_default=False)
        if not (told := str(told).strip()):
            break
        found.append(_tidied(told))
    if not question.pairs:
        return found
    return {one: rest.strip() for one, _, rest in (line.partition(" ") for line in found)}


def _tidied(told: str) -> str:
    """A telephone number without what people put between its digits."""
    if not _NUMBER.fullmatch(told):
        return told
    return "+" + re.sub(r"\D", "", told.replace("(0)", ""))


# ---------------------------------------------------------------- as a text


def _joined(sections: Sections, channels: list[_Channel]) -> str:
    return "".join((*sections, _fx(channels), *map(_table, channels)))


def _fx(channels: list[_Channel]) -> str:
    others = sorted({c.start.currency or "EUR" for c in channels} - {"EUR"})
    today = dt.datetime.now(dt.UTC).date()
    lines = [f'{one} = {{ rate = "1.00", dated = {today} }}\n' for one in others]
    if not lines:
        return ""
    return (
        "\n# One unit of it in budget.currency. 1.00 is on the safe side while it is worth less;\n"
        "# write the day's rate and its date here, and look at it now and then.\n[fx]\n"
    ) + "".join(lines)


def _table(one: _Channel) -> str:
    lines = [f"\n[channels.{one.name}]", f"kind = {json.dumps(one.kind)}"]
    lines += [f"{key} = {_toml(value)}" for key, value in one.table.items()]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value as TOML; its strings take JSON's escapes, but no surrogates and no raw DEL."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _faults(text: str) -> list[str]:
    """What `run` would refuse of it, one line each."""
    with tempfile.TemporaryDirectory(prefix="antirelou-init-") as folder:
        path = pathlib.Path(folder) / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        try:
            settings = config.load(path)
            pricing.make(settings)
            return list(listening.mistaken(settings))
        except config.ConfigError as error:
            return [str(fault).replace(f"{path}:", "line ") for fault in error.faults]
        except registry.RegistryError as error:
            return [f"{key}: {told}" for key, told in error.faults]


# ---------------------------------------------------------------- asking


def _until(
    ask: str, read: Callable[[str], str], good: Callable[[str], bool], wrong: str, *, default: str
) -> str:
    while True:
        told = read(str(typer.prompt(ask, default=default, show_default=bool(default))))
        if good(told):
            return told
        options.note(f"  {wrong}")


def _amount(ask: str, default: str) -> str:
    def good(told: str) -> bool:
        whole, _, part = told.partition(".")
        return whole.isdecimal() and len(whole) < 8 and (not part or part.isdecimal())  # noqa: PLR2004

    return _until(
        ask, lambda told: told.strip().replace(",", "."), good, "an amount: 20.00", default=default
    )


def _yes(ask: str, *, default: bool) -> bool:
    told = typer.prompt(f"{ask} (y/n)", default="y" if default else "n")
    return str(told).strip().lower() in _YES

"""Where values come from: a TOML file, then the environment, then `--set`; the later wins.

Each value keeps its origin, so that a fault can say where to look. Values are not judged here.
"""

from __future__ import annotations

import dataclasses
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bot.config import model
from bot.config.faults import ConfigError, Fault, KeyPath, spelled
from bot.contract import money

PREFIX: Final = "ANTIRELOU_"
_SECRET_WORDS: Final = frozenset(
    {"token", "secret", "password", "passwd", "passphrase", "auth", "credential", "apikey"}
)
_PASSWORD_IN_URL = re.compile(r"\w+://[^/@\s]*:[^/@\s]+@")
_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*")
_STEP = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*(\.)?")
_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|(end of document))\)\Z", re.DOTALL)
_TWICE = re.compile(r"Cannot declare \('channels', '([^']*)'\) twice")
# Beside its own error tomllib lets through what int, `money.exact` and the stack say.
_NO_TOML: Final = (ValueError, RecursionError)
_WORLD: Final = stat.S_IRWXG | stat.S_IRWXO


def looks_secret(key: str) -> bool:
    """Whether a key is named like a secret: `auth_token`, `api_key`; not `password_file`."""
    words = key.lower().split("_")
    if words[-1] in {"file", "path", "url"}:
        return False
    return words[-1] == "key" or not _SECRET_WORDS.isdisjoint(words)


@dataclasses.dataclass(slots=True, kw_only=True)
class Gathered:
    """What the sources say together: a tree of values, and where each came from."""

    tree: dict[str, Any] = dataclasses.field(default_factory=dict)
    origins: dict[KeyPath, str] = dataclasses.field(default_factory=dict)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    source: str = ""

    def where(self, path: KeyPath) -> str:
        """The origin of a key, or of the nearest one above it, or the file's name."""
        for length in range(len(path), 0, -1):
            if found := self.origins.get(path[:length]):
                return found
        return self.source

    def fault(self, where: str, key: str, wrong: str, mend: str) -> None:
        """Keep a fault for the end: all are shown at once."""
        self.faults.append(Fault(where=where, key=key, wrong=wrong, mend=mend))

    def put(self, path: KeyPath, value: object, origin: str) -> None:
        """Set one value over whatever stood there."""
        table = self.tree
        for step in path[:-1]:
            below = table.setdefault(step, {})
            if not isinstance(below, dict):
                self.fault(origin, spelled(path), f"{step} is not a table", "name another key")
                return
            table = below
        table[path[-1]] = value
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]
        self.origins[path] = origin


def gather(path: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Gathered:
    """Read all sources. Raises ConfigError alone for a file that nothing can be read from."""
    gathered = Gathered(source=path.name if path else "defaults")
    if path is not None:
        _read_file(gathered, path)
    _read_environment(gathered, environ)
    for override in overrides:
        key, sign, raw = override.partition("=")
        steps = tuple(step.strip() for step in key.split("."))
        if not sign or len(steps) < 2 or not all(steps):  # noqa: PLR2004 (section and key)
            # What stands there is not repeated: it may be a secret without its key.
            gathered.fault("--set", "", "cannot be read", "write --set section.key=value")
            continue
        gathered.put(steps, _value(steps, raw), "--set")
    return gathered


def _value(path: KeyPath, raw: str) -> object:
    """Text as a TOML value if it is one; secrets and phone numbers stay text."""
    if looks_secret(path[-1]) or raw.startswith("+"):
        return raw
    try:
        return tomllib.loads(f"v = {raw}", parse_float=money.exact)["v"]
    except _NO_TOML:
        return raw


# ---------------------------------------------------------------- the file


def _read_file(gathered: Gathered, path: Path) -> None:
    text = _text(path)
    try:
        gathered.tree = tomllib.loads(text, parse_float=money.exact)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_fault(path.name, str(error))]) from None
    except _NO_TOML:
        wrong, mend = "holds a number that is too long, or is nested too deep", "mend the line"
        raise ConfigError([Fault(where=path.name, key="", wrong=wrong, mend=mend)]) from None
    gathered.origins = {key: f"{path.name}:{line}" for key, line in _lines(text)}
    secrets = list(_secrets(gathered.tree, ()))
    mode = path.stat().st_mode
    if secrets and mode & _WORLD:
        gathered.fault(
            path.name,
            spelled(secrets[0]),
            f"is a secret in a file that others can read (mode {stat.S_IMODE(mode):04o})",
            f"chmod 600 {path.name}",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        wrong, mend = "there is no such file", "copy config.example.toml, or name another file"
    except UnicodeDecodeError as error:
        wrong, mend = f"is not UTF-8 (byte {error.start})", "save it as UTF-8"
    except OSError as error:
        wrong, mend = f"cannot be read ({type(error).__name__})", "look at its owner and mode"
    raise ConfigError([Fault(where=str(path), key="", wrong=wrong, mend=mend)])


def _syntax_fault(name: str, message: str) -> Fault:
    """TOML's own words hold keys and single characters, no values."""
    found = _SYNTAX.match(message)
    words, line, column = (found[1], found[2], found[3]) if found else (message, None, None)
    where = f"{name}:{line}:{column}" if line else f"{name}: at the end"
    if twice := _TWICE.search(words):
        return Fault(
            where=where,
            key=f"channels.{twice[1]}",
            wrong="two channels have this name",
            mend="give one of them another name",
        )
    place = f"line {line}, column {column}" if line else "the end of the file"
    return Fault(where=where, key="", wrong=f"not TOML: {words} ({place})", mend="mend the line")


def _secrets(tree: Mapping[str, Any], above: KeyPath) -> Iterator[KeyPath]:
    """Paths of values that are secrets by their key, or addresses with a password in them."""
    for key, value in tree.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from _secrets(value, path)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from _secrets(item, path)
                elif isinstance(item, str) and item and looks_secret(key):
                    yield path
        elif isinstance(value, str) and (
            (value and looks_secret(key)) or _PASSWORD_IN_URL.match(value)
        ):
            yield path


def _lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Key paths with their line numbers, as a reader would find them; the text is valid TOML.

    Only for pointing at a place: a key hidden in an inline table has its table's line.
    """
    table: KeyPath = ()
    depth, fence = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if line.count(fence) % 2 else fence
            continue
        bare = line.strip()
        if depth == 0 and bare.startswith("["):
            table = _steps(bare.strip("[ "))
            yield table, number
            continue
        if depth == 0 and bare and not bare.startswith("#"):
            yield (*table, *_steps(bare)), number
        for triple in ('"""', "'''"):
            if line.count(triple) % 2:
                fence = triple
        marks = _STRINGS.sub("", line.replace('"""', "").replace("'''", "") if fence else line)
        depth += sum(map(marks.count, "[{")) - sum(map(marks.count, "]}"))


def _steps(start: str) -> KeyPath:
    """The dotted key at the start of a line."""
    steps: list[str] = []
    position = 0
    while found := _STEP.match(start, position):
        steps.append(next(group for group in found.groups()[:3] if group is not None))
        position = found.end()
        if found[4] is None:
            break
    return tuple(steps)


# ---------------------------------------------------------------- the environment


def _read_environment(gathered: Gathered, environ: Mapping[str, str]) -> None:
    """`ANTIRELOU_SECTION__KEY`; `..._FILE` names a file that holds the value. Empty is unset."""
    taken: dict[KeyPath, str] = {}
    for name in sorted(environ):
        body = name.removeprefix(PREFIX)
        if body == name or "__" not in body or not environ[name]:
            continue
        path = _path(body)
        value: object
        if (secret := _without_file(path)) is not None:
            path = secret
            value = _held(gathered, name, environ[name])
        else:
            value = _value(path, environ[name])
        if path in taken:
            wrong = f"is given by {taken[path]} too"
            gathered.fault(name, spelled(path), wrong, "leave one of them out")
        elif value is not None:
            taken[path] = name
            gathered.put(path, value, name)


def _path(body: str) -> KeyPath:
    """Keys are lower case, but currencies and countries are not."""
    path = tuple(body.lower().split("__"))
    match path:
        case ("fx", currency, *rest) if currency != "margin_percent":
            return ("fx", currency.upper(), *rest)
        case ("budget", "country_cap_day", country):
            return ("budget", "country_cap_day", country.upper())
    return path


def _without_file(path: KeyPath) -> KeyPath | None:
    """The key whose value stands in a file, None if the variable is the value itself."""
    *above, last = path
    stem = last.removesuffix("_file")
    beside = model.known(above)
    if stem == last or last in beside:
        return None
    if stem in beside or (above[:1] == ["channels"] and looks_secret(stem)):
        return (*above, stem)
    return None


def _held(gathered: Gathered, name: str, file: str) -> str | None:
    """A secret from its file, without the line's end; None, and a fault, if it cannot be read."""
    try:
        held = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        wrong = f"names a file that cannot be read ({type(error).__name__})"
        gathered.fault(name, "", wrong, "look at its path, owner and mode")
        return None
    if not held:
        gathered.fault(name, "", "names an empty file", "put the secret into it")
        return None
    return held

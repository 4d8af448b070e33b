"""Structured lines that give nobody away: no address, no text, no secret, at any level (C33).

Our own lines: values under telling keys are hidden, addresses anywhere are masked. Lines of
libraries: words are printed only if they stand in the library's source; what a library puts
into them is hidden unless it is a number too short to be anybody's. Tracebacks keep places and
classes; only our own errors keep their words, which house rules keep clean. Inbound traffic is
counted in metrics; nothing writes a line a message at INFO.
"""

from __future__ import annotations

import enum
import linecache
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog

HIDDEN: Final = "[hidden]"
_TELLING: Final = frozenset(
    {
        "text",
        "body",
        "words",
        "message",
        "content",
        "sender",
        "recipient",
        "address",
        "addresses",
        "number",
        "phone",
        "to",
        "from",
        "from_",
        "aci",
        "mxid",
        "email",
        "url",
        "query",
        "headers",
        "cookie",
        "params",
        "token",
        "secret",
        "password",
        "passphrase",
        "key",
        "auth",
        "authorization",
        "credential",
    }
)
# A name that ends so tells as much.
_TELLING_ENDS: Final = ("_text", "_body", "_token", "_secret", "_password", "_key", "_address")
_UNITS: Final = ("_ms", "_s", "_at", "_micros", "_bytes", "_count", "_us", "_ns")
# Libraries whose own lines are written for operators and hold nothing of a message.
_TRUSTED: Final = ("uvicorn.error", "alembic")
# These print URLs, bodies, parameters or a line a request below WARNING.
_LOUD: Final = (
    "twilio.http_client",
    "twilio.async_http_client",
    "aiohttp",
    "aiohttp.access",
    "uvicorn.access",
    "sqlalchemy",
    "sqlalchemy.engine",
    "aiosqlite",
    "asyncio",
    "alembic.runtime.plugins",
    "nio",
    "peewee",
    "urllib3",
    "python_multipart",
)
_LONGEST: Final = 400
_DIGITS: Final = 7  # an E.164 number has at least so many
_GIVING_AWAY = re.compile(
    r"(?P<keep>(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])"
    r"|(?<![\d+])\d{4}-\d\d-\d\d(?!\d)"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d))?)"
    r"|(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<mxid>[@!#$][^\s:@,'\"]+:[\w.-]+\w)"
    r"|(?P<mail>[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<number>(?:\+|%2[Bb]|\b00)?\(?\d(?:[ .()/\u00a0\u202f-]{0,2}\d){6,})"
)
_PLACE = re.compile(r"%%|%(\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[diouxXeEfFgGrsac]")
Event = MutableMapping[str, Any]


def mask(text: str) -> str:
    """The text without numbers, handles, ACIs and mail addresses; reply ids and dates stay."""
    return _GIVING_AWAY.sub(lambda m: m[0] if m["keep"] else f"[{m.lastgroup}]", text)


def setup(level: str = "info", fmt: str = "console", stream: TextIO | None = None) -> None:
    """Send every line of the process, ours and the libraries', through the masks to `stream`.

    `level`: debug, info, warning, error; `fmt`: console or json. Also takes over what Python
    prints of uncaught errors. The store's engine must be made with `hide_parameters=True`.
    """
    out = stream or sys.stderr
    least = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _no_people,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _plain_traceback,
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer(ensure_ascii=False)]
        if fmt == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_over_stdlib(least, out, [_library_line, *shared], render)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, None)
    sys.unraisablehook = lambda told: _uncaught(told.exc_type, told.exc_value, None)


def _take_over_stdlib(
    least: int,
    out: TextIO,
    before: list[structlog.typing.Processor],
    render: list[structlog.typing.Processor],
) -> None:
    # On a broken format string logging would print the arguments to stderr, past every mask.
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    sink = logging.StreamHandler(out)
    sink.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [sink]
    root.setLevel(least)
    # uvicorn and others bring sinks of their own; all lines go one way.
    for name in (*_TRUSTED, *_LOUD, "uvicorn", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    for name in _LOUD:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    # How they start and end is told in our own words; theirs are for whoever looks for a fault.
    for name in _TRUSTED:
        chatty = least if least <= logging.DEBUG else max(least, logging.WARNING)
        logging.getLogger(name).setLevel(chatty)


# ---------------------------------------------------------------- our own lines


def _no_people(_logger: object, _method: str, event: Event) -> Event:
    """Hide what telling keys hold, mask addresses in the rest."""
    for key, value in event.items():
        if not key.startswith("_") and key not in {"exc_info", "level"}:
            event[key] = _safe(key, value)
    return event


def _telling(key: str) -> bool:
    return key.lower() in _TELLING or key.lower().endswith(_TELLING_ENDS)


def _safe(key: str, value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if _telling(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {mask(str(name)): _safe(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(key, item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, enum.Enum):
        return value if _short(value) or key.endswith(_UNITS) else HIDDEN
    return _spelled(value)


def _spelled(value: object) -> str:
    if isinstance(value, BaseException):
        return _named(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return HIDDEN
    return mask(str(value.value if isinstance(value, enum.Enum) else value))[:_LONGEST]


def _short(number: float) -> bool:
    """Too few digits for a phone number, or none at all (NaN)."""
    return not abs(number) >= 10 ** (_DIGITS - 1)


# ---------------------------------------------------------------- lines of libraries


def _library_line(_logger: object, _method: str, event: Event) -> Event:
    """Keep a library's own words, hide what it filled into them."""
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    event.pop("stack_info", None)
    event["event"] = _words(record, event.pop("positional_args", None))
    return event


def _words(record: logging.LogRecord, args: object) -> str:
    # structlog hands on the arguments beside a record that has lost them.
    template = str(record.msg)
    trusted = record.name.startswith(_TRUSTED)
    if not trusted and not _stands_in_source(template, record.pathname):
        return f"{HIDDEN} at {os.path.basename(record.pathname)}:{record.lineno}"  # noqa: PTH119 (a name, no file)
    if not args:
        return template
    show = _spelled if trusted else _filled
    # Hidden numbers are words, so every place in the template takes words.
    template = _PLACE.sub(lambda m: m[0] if m[0] == "%%" else f"%{m[1] or ''}s", template)
    try:
        if isinstance(args, Mapping):
            return template % {name: _arg(value, show) for name, value in args.items()}
        return template % tuple(_arg(value, show) for value in cast("tuple[object, ...]", args))
    except (TypeError, ValueError, KeyError):
        return template


def _stands_in_source(words: str, pathname: str) -> bool:
    """Whether the file that wrote them has the words as a literal: then they are nobody's."""
    source = "".join(linecache.getlines(pathname))
    return bool(words) and (f'"{words}"' in source or f"'{words}'" in source)


def _arg(value: object, show: Callable[[object], str]) -> object:
    """A value in a library's line: short numbers stay, the rest by how far it is trusted."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if _short(value) else HIDDEN
    return show(value)


def _filled(value: object) -> str:
    return _named(value) if isinstance(value, BaseException) else HIDDEN


# ---------------------------------------------------------------- errors


def _named(error: BaseException) -> str:
    """The class; our own errors with their words, the system's by their number."""
    name = type(error).__qualname__
    if type(error).__module__.partition(".")[0] in {"bot", "bridges"}:
        return f"{name}: {mask(str(error))[:_LONGEST]}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {os.strerror(error.errno)}"
    return name


def _plain_traceback(_logger: object, _method: str, event: Event) -> Event:
    """`exc_info` as places and classes; neither values nor foreign words."""
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["exception"] = _trace(error, set())
    return event


def _trace(error: BaseException, seen: set[int]) -> str:
    """Like Python's own, cause first; each error once."""
    seen.add(id(error))
    text = ""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        text = _trace(before, seen) + "\nthen\n"
    for frame in traceback.extract_tb(error.__traceback__):
        text += f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
    text += _named(error)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if id(inner) not in seen:
                text += "\none of:\n" + _trace(inner, seen)
    return text


def _uncaught(
    kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None
) -> None:
    """What nobody caught; Python would print its words and, of a hook, its object."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    structlog.get_logger("antirelou").critical("uncaught", error=kind.__qualname__, exc_info=error)

"""What `antirelou init` asks before it writes a channel's table: said by the bridge itself.

A bridge's module may have `START`, a tuple of `Start`. The answers become `[channels.NAME]`, which
goes through the bridge's own `create` before anything is written, so a question checks nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One key of the table.

    `ask` is shown at the prompt and `why` above it. `many`: a list, one answer a line, ended by an
    empty one; `pairs`: the same with two words a line, which become a table. `secret`: typed
    unseen. `default` None: an answer is needed; a function makes a fresh one each time. `fixed`:
    not asked at all.
    """

    key: str
    ask: str = ""
    why: str = ""
    default: str | int | Callable[[], str] | None = None
    secret: bool = False
    many: bool = False
    pairs: bool = False
    fixed: object = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a channel of this kind begins.

    `name`: proposed for the channel. `title` completes "I have ..."; `page` explains it in docs/.
    `currency`: the one that the provider bills in, if it is always the same.
    """

    name: str
    title: str
    page: str
    currency: str | None = None
    questions: tuple[Question, ...]

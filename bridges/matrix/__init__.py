"""Matrix: the moderators' room (`role = "room"`) and the public handle (`role = "public"`).

Two accounts, two channels. Neither ever logs in or out by itself; see docs/matrix.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.contract import bridge as contract
from bot.contract import first_run
from bridges.matrix import bridge, handle, settings

_LOGIN = (
    first_run.Question(
        key="homeserver",
        ask="Homeserver",
        why="The one of the bot's own account.",
        default="https://matrix.org",
    ),
    first_run.Question(key="user", ask="The bot's account", why="As @name:example.org"),
)
START = (
    first_run.Start(
        name="moderators",
        title="a Matrix room for the moderators",
        page="matrix.md",
        questions=(
            first_run.Question(key="role", fixed="room"),
            *_LOGIN,
            first_run.Question(key="folder", fixed="matrix-moderators"),
            first_run.Question(key="password_file", fixed="matrix-password"),
            first_run.Question(
                key="room",
                ask="Id of the room",
                why="Room settings, Advanced; it begins with an exclamation mark.",
            ),
            first_run.Question(
                key="roster",
                ask="Account and role",
                why="Who may do what: reader, moderator, treasurer or admin. "
                "For instance: @ada:example.org admin",
                pairs=True,
            ),
        ),
    ),
    first_run.Start(
        name="handle",
        title="a Matrix account for the public (replies are free)",
        page="matrix.md",
        questions=(
            first_run.Question(key="role", fixed="public"),
            *_LOGIN,
            first_run.Question(key="folder", fixed="matrix-handle"),
            first_run.Question(key="password_file", fixed="matrix-handle-password"),
        ),
    ),
)


def create(
    table: Mapping[str, object], context: contract.Context
) -> bridge.Moderators | handle.Handle:
    """The bridge of one `[channels.NAME]` with `kind = "matrix"`; raises SettingsError."""
    chosen = settings.read(table)
    if chosen.role == settings.ROOM:
        return bridge.Moderators(chosen, context)
    return handle.Handle(chosen, context)

"""The channel's table: every fault at once, each with its key, none with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.contract import bridge, room
from bridges.matrix import session, settings

TABLE: dict[str, object] = {
    "role": "room",
    "homeserver": "https://matrix.example.org/",
    "user": "@antirelou:example.org",
    "room": "!abc",
    "roster": {"@ada:example.org": "admin", "@bea:example.org": "reader"},
}


def test_a_whole_table(tmp_path: Path) -> None:
    made = settings.read({**TABLE, "folder": str(tmp_path), "unsigned_devices": "allow"})
    assert made.homeserver == "https://matrix.example.org"
    assert made.room_id == "!abc"
    assert made.roster == {
        "@ada:example.org": room.Role.ADMIN,
        "@bea:example.org": room.Role.READER,
    }
    assert not made.strict
    public = settings.read(
        {
            "role": "public",
            "homeserver": "http://127.0.0.1:8008",
            "user": "@h:x",
            "folder": "f",
            "state": "answering",
            "joins_per_hour": 3,
        }
    )
    assert (public.state, public.joins_per_hour) == (bridge.State.ANSWERING, 3)


@pytest.mark.case("C36")
def test_all_faults_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(bridge.SettingsError) as caught:
        settings.read(
            {
                "role": "room",
                "homeserver": "http://matrix.example.org",
                "user": "antirelou",
                "folder": str(tmp_path / "file"),
                "password_file": 3,
                "room": "#alias:example.org",
                "roster": {"ada": "admin", "@bea:x": "boss"},
                "unsigned_devices": "maybe",
                "joins_per_hour": 3,
                "token": "secret",
            }
        )
    keys = [key for key, _ in caught.value.faults]
    assert keys == [
        "joins_per_hour",
        "token",
        "homeserver",
        "user",
        "folder",
        "password_file",
        "room",
        "roster[0]",
        "roster[1]",
        "unsigned_devices",
    ]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("role", "both"),
        ("role", ["room"]),
        ("homeserver", "https://user:pw@x.org"),
        ("homeserver", "https://[::1"),
        ("folder", " "),
        ("roster", {"@ada:x": "reader"}),
        ("roster", {}),
        ("roster", []),
        ("room", "!"),
        ("unsigned_devices", []),
        ("kindness", 1),
    ],
)
def test_single_faults(key: str, value: object) -> None:
    with pytest.raises(bridge.SettingsError) as caught:
        settings.read({**TABLE, "folder": "f", key: value})
    assert key in [found for found, _ in caught.value.faults]


@pytest.mark.case("C36")
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = session.Folder(tmp_path / "keys")
    folder.keep_login(session.Login(user="@a:x", device="D", token="t"))
    assert folder.pickle_key() == folder.pickle_key()
    assert folder.open_to_others() == []
    assert settings.read({**TABLE, "folder": str(folder.path)}).folder == folder.path
    (folder.path / session.SESSION).chmod(0o640)
    with pytest.raises(bridge.SettingsError, match="chmod 600"):
        settings.read({**TABLE, "folder": str(folder.path)})


def test_a_torn_session_reads_as_none(tmp_path: Path) -> None:
    folder = session.Folder(tmp_path)
    assert folder.login() is None
    for torn in ("", "{", "[]", '{"user": 1}'):
        folder.write(session.SESSION, torn)
        assert folder.login() is None
    made = session.Login(user="@a:x", device="D", token="t")
    folder.keep_login(made)
    assert folder.login() == made
    assert "t" not in repr(made).removeprefix("<bridges.matrix.session.Login object at 0x")[8:]

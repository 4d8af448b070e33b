"""A page around bridges that only know their links."""

from __future__ import annotations

import datetime as dt

from bot.contract import address
from bot.web.public import site, state
from tests.fakes import world

NUMBER = "+33639980000"
ACCOUNT = "+33639980001"
HANDLE = "@nonmerci:example.org"
URL = "https://non.example.org/numero"
SEEN = state.Seen(
    offered=(("sms", NUMBER), ("signal", ACCOUNT), ("matrix", HANDLE)),
    figure=state.Figure(month=dt.date(2026, 10, 1), about=120),
)


class Handle(world.World):
    """Has links of its own."""

    def __init__(self, channel: str, link: str) -> None:
        super().__init__(channel)
        self.network = channel
        self._link = link

    def link(self, own: address.Address) -> str | None:
        return self._link + own.value


def setup(*, url: str = URL, **more: object) -> site.Setup:
    values: dict[str, object] = {
        "bridges": {
            "sms": world.World("sms"),
            "signal": Handle("signal", "https://signal.me/#p/"),
            "matrix": Handle("matrix", "https://matrix.to/#/"),
        },
        "kinds": {"sms": "sms.twilio", "signal": "signal", "matrix": "matrix"},
        "url": url,
    }
    return site.Setup(**(values | more))  # type: ignore[arg-type]


def html(path: str = "fr/", seen: state.Seen = SEEN, **more: object) -> str:
    made = site.Site(setup(**more)).file(path, "fr", seen)  # type: ignore[arg-type]
    assert made is not None
    return made.body.decode()

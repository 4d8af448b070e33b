"""Exact figures are for those who run it: one message changes them within seconds."""

from collections.abc import Mapping

import pytest

from bot.web import admin
from tests.bot.web import test_app
from tests.bridges.simulator import world

TOKEN = "0123456789abcdef"


async def seen(token: str, headers: Mapping[str, str], client: str = "127.0.0.1") -> bool:
    """Whether figures are shown; metrics and health agree."""
    web = admin.create(health=test_app.fine, metrics=lambda: b"antirelou_up 1\n", token=token)
    metrics = await world.call(web, "GET", "/metrics", b"", headers, client=client)
    health = await world.call(web, "GET", "/health", b"", headers, client=client)
    shown = metrics.status == 200
    if shown:
        assert metrics.body == b"antirelou_up 1\n"
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert health.json() == {"ok": True, "mode": "normal"}
    else:
        assert (metrics.status, metrics.body) == (404, b"Not Found")
        assert (health.status, health.body) == (404, b"Not Found")
    return shown


@pytest.mark.case("C40", "C44")
@pytest.mark.parametrize(
    ("headers", "client", "shown"),
    [
        ({}, "127.0.0.1", True),
        ({"host": "localhost:8080"}, "::1", True),
        ({"host": "[::1]:8080"}, "::1", True),
        ({}, "192.0.2.7", False),
        ({}, "", False),
        ({"x-forwarded-for": "192.0.2.7"}, "127.0.0.1", False),
        ({"Forwarded": "for=192.0.2.7"}, "127.0.0.1", False),
        ({"host": "antirelou.example.org"}, "127.0.0.1", False),
        ({"authorization": "Bearer "}, "192.0.2.7", False),
    ],
)
async def test_without_a_token_only_this_machine_sees_figures(
    headers: Mapping[str, str], client: str, *, shown: bool
) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    assert await seen("", lower, client) is shown


@pytest.mark.case("C40", "C44")
@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        (f"Bearer {TOKEN}x", False),
        ("Bearer \u00e9", False),
        ("", False),
    ],
)
async def test_with_a_token_it_is_asked_of_everybody(told: str, *, shown: bool) -> None:
    for client in ("127.0.0.1", "192.0.2.7"):
        assert await seen(TOKEN, {"authorization": told}, client) is shown


async def test_the_ill_are_told_no_more_either() -> None:
    async def ill() -> Mapping[str, object]:
        return {"ok": False, "late": ["tidy"]}

    public = test_app.made(health=ill)
    for client in ("127.0.0.1", "192.0.2.7"):
        answer = await world.call(public, "GET", "/health", client=client)
        assert (answer.status, answer.json()) == (503, {"ok": False})
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await world.call(public, "GET", "/metrics", b"", headers)).status == 404

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.contract import bridge
from bot.web import app, limits, own
from tests.bridges.simulator import world

CHANNELS = [
    {
        "channel": "sms",
        "network": "sms",
        "kind": "simulator",
        "addresses": ["+33639980000", "<b>"],
        "path": "/phone/",
    }
]


class Echo:
    """Says its name, and how much it was sent."""

    def __init__(self, name: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.name = name
        self.headers = headers or []
        self.got = 0
        self.cut = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        more = True
        while more:
            event = await receive()
            self.cut = event["type"] == "http.disconnect"
            self.got += len(event.get("body", b""))
            more = event.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.name.encode()})


async def fine() -> Mapping[str, object]:
    return {"ok": True, "mode": "normal"}


def made(
    *routes: tuple[str, bridge.AsgiApp],
    health: Any = fine,  # noqa: ANN401 (a coroutine function)
    edge: limits.Edge | None = None,
    public_url: str = "",
) -> bridge.AsgiApp:
    return app.create(
        routes=[bridge.Route(path=path, app=one) for path, one in routes],
        channels=CHANNELS,
        health=health,
        edge=edge,
        public_url=public_url,
    )


async def test_the_longest_path_answers() -> None:
    web = made(
        ("/phone/", Echo("page")),
        ("/phone/sms/", Echo("sms")),
        ("/hook", Echo("hook")),
    )
    for target, expected in (
        ("/phone/", b"page"),
        ("/phone/phone.js", b"page"),
        ("/phone/sms/api/x", b"sms"),
        ("/hook", b"hook"),
    ):
        assert (await world.call(web, "GET", target)).body == expected
    assert (await world.call(web, "GET", "/hook/below")).status == 404
    moved = await world.call(web, "GET", "/phone")
    assert (moved.status, moved.headers["location"]) == (307, "/phone/")


def test_one_path_has_one_application_unless_they_are_equal() -> None:
    one = Echo("one")
    made(("/x", one), ("/x", one))
    with pytest.raises(ValueError, match="/x"):
        made(("/x", one), ("/x", Echo("two")))
    for path in ("x", "/"):
        with pytest.raises(ValueError, match="start with"):
            made((path, one))


@pytest.mark.parametrize("target", ["/", "/health", "/metrics", "/api/channels", "/none", "/x"])
async def test_every_answer_carries_the_strict_headers(target: str) -> None:
    answer = await world.call(made(("/x", Echo("x"))), "GET", target)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_stricter_or_looser_policy_of_the_application_stands() -> None:
    headers = [(b"content-security-policy", b"script-src 'self'")]
    answer = await world.call(made(("/x", Echo("x", headers))), "GET", "/x")
    assert answer.headers["content-security-policy"] == "script-src 'self'"


async def test_health_says_so_in_the_status() -> None:
    async def ill() -> Mapping[str, object]:
        return {"ok": False, "workers": {"dispatcher": "never ran"}}

    async def vague() -> Mapping[str, object]:
        return {}

    assert (await world.call(made(), "GET", "/health")).status == 200
    answer = await world.call(made(health=ill), "GET", "/health")
    assert (answer.status, answer.json()) == (503, {"ok": False})
    assert (await world.call(made(health=vague), "GET", "/health")).status == 503


async def test_a_health_check_that_hangs_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs() -> Mapping[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(own, "HEALTH_LIMIT_S", 0.01)
    assert (await world.call(made(health=hangs), "GET", "/health")).status == 503


async def test_channels_are_told_and_metrics_are_not() -> None:
    assert (await world.call(made(), "GET", "/metrics")).status == 404
    assert json.loads((await world.call(made(), "GET", "/api/channels")).body) == CHANNELS


async def test_unknown_pages_and_methods_are_plain() -> None:
    missing = await world.call(made(), "GET", "/wp-login.php")
    assert (missing.status, missing.body) == (404, b"Not Found")
    assert (await world.call(made(), "POST", "/health")).status == 405


@pytest.mark.case("C10")
async def test_bodies_are_bounded_declared_or_not() -> None:
    echo = Echo("x")
    web = made(("/x", echo))
    for length, status in (("1048577", 413), ("-1", 400), ("1e3", 400), ("9" * 30, 400)):
        answer = await world.call(web, "POST", "/x", b"", {"content-length": length})
        assert answer.status == status
    assert echo.got == 0
    await world.call(web, "POST", "/x", [b"a" * 600_000] * 3)
    assert echo.cut
    assert echo.got == 600_000


async def test_websockets_are_turned_away() -> None:
    sent: list[Any] = []

    async def send(event: Any) -> None:  # noqa: ANN401 (ASGI)
        sent.append(event)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await made()({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]

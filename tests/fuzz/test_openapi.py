"""schemathesis against the public surface, in this process: no 5xx, documented answers only."""

from __future__ import annotations

import re
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck
from schemathesis.specs.openapi import checks

from bot.contract import bridge
from bot.contract.conformance import fakes
from bot.web import app, limits
from bridges import signal, simulator
from bridges.sms import seven, smsgate, twilio
from tests.bot.web.public import test_serve
from tests.bridges.simulator import world
from tests.bridges.sms.twilio import exchange
from tests.fuzz import surface
from tools.fuzz import hooks

PUBLIC = "https://sms.example.org"
TABLES: dict[str, tuple[bridge.Create, dict[str, Any]]] = {
    "twilio": (twilio.create, exchange.settings("http://127.0.0.1:1")),
    "seven": (
        seven.create,
        {"api_key": "k" * 20, "signing_key": hooks.KEY, "addresses": [hooks.OURS]},
    ),
    "smsgate": (
        smsgate.create,
        {
            "api": "phone",
            "url": "http://10.0.0.2:8080",
            "username": "u",
            "password": "p" * 12,
            "signing_key": hooks.KEY,
            "addresses": [hooks.OURS],
        },
    ),
    "signal": (
        signal.create,
        {
            "number": hooks.OURS,
            "secret": hooks.KEY,
            "url": "http://127.0.0.1:1",
            "transport": "webhook",
        },
    ),
}


PHONES: dict[str, tuple[bridge.Create, dict[str, Any]]] = {
    "sms": (simulator.create, {"addresses": [hooks.OURS]}),
    "handle": (simulator.create, {"network": "signal", "addresses": ["alex.00"]}),
}


def made(door: fakes.FakeIntake, *, phones: bool = False) -> tuple[bridge.AsgiApp, list[str]]:
    """The public application with one channel of each kind, and its bridges' paths.

    `phones`: simulated ones too, and the public page.
    """
    routes: list[bridge.Route] = []
    for name, (create, table) in (TABLES | (PHONES if phones else {})).items():
        context = bridge.Context(
            channel=name,
            clock=fakes.FakeClock(),
            storage=fakes.FakeStorage(),
            currency="EUR",
            public_url=PUBLIC,
        )
        one = create(table, context)
        assert isinstance(one, bridge.BringsRoutes)
        routes += one.routes(door)
    channels: list[dict[str, object]] = [
        {"channel": "a", "network": "sms", "kind": "b", "addresses": [], "path": None}
    ]
    page = test_serve.Served().pages if phones else None
    web = app.create(routes=routes, channels=channels, health=_fine, public_url=PUBLIC, page=page)
    return web, [one.path for one in routes]


async def _fine() -> dict[str, object]:
    return {"ok": True, "bridges": {"secret": "detail"}}


# The console is a house's, not an application's: tests/fuzz/test_surface.py has it.
OPERATIONS = {
    name: one
    for name, one in surface.operations(surface.PUBLIC_PAGE).items()
    if not name.startswith("console_")
}


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_strangers_get_documented_answers_and_leave_nothing(name: str) -> None:
    door = fakes.FakeIntake()
    web, _ = made(door, phones=True)
    operation = surface.operations(surface.PUBLIC_PAGE, web)[name]
    statuses: set[int] = set()
    # Whether a phone's words suit its network is not the description's to say.
    excluded = [checks.positive_data_acceptance] if name.startswith("phone_") else []

    @hypothesis.settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @hypothesis.given(case=operation.as_strategy())
    def tried(case: Any) -> None:  # noqa: ANN401 (schemathesis's Case)
        answer = case.call(allow_redirects=False)
        case.validate_response(answer, excluded_checks=excluded)
        statuses.add(answer.status_code)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"][0]

    tried()
    assert statuses
    # Only simulated phones need no signature.
    assert {one.channel for one in door.accepted} <= PHONES.keys()
    assert not door.taken_receipts


def test_every_route_of_every_bridge_is_in_the_description() -> None:
    _, paths = made(fakes.FakeIntake())
    told = [re.sub(r"\{\w+\}", "[^/]*", one.path) for one in OPERATIONS.values()]
    for path in paths:
        assert any(re.fullmatch(one, path) for one in told), path


EVERY = ("/health", "/api/channels", "/none", "/metrics", "/twilio/twilio/in", "/sms/seven/seven",
         "/sms/smsgate/events", "/signal/signal/x", "/signal/signal")  # fmt: skip


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "BREW"])
async def test_every_route_carries_the_strict_headers(path: str, method: str) -> None:
    web, _ = made(fakes.FakeIntake())
    answer = await world.call(web, method, path)
    told = answer.headers
    policy = told["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    assert told["cross-origin-opener-policy"] == told["cross-origin-resource-policy"]
    assert "camera=()" in told["permissions-policy"]
    assert told["cache-control"] == "no-store"
    assert told["strict-transport-security"].startswith("max-age=")
    assert "server" not in told
    assert answer.status < 500


@pytest.mark.parametrize(
    "path", ["/phone/", "/phone/sms/", "/phone/sms/api/replies", "/console/api/"]
)
async def test_nothing_of_the_phones_is_there_without_a_simulator(path: str) -> None:
    web, paths = made(fakes.FakeIntake())
    assert not [one for one in paths if "phone" in one or "console" in one]
    for method in ("GET", "POST"):
        assert (await world.call(web, method, path)).status in {404, 405}
    # The same page is there where a channel asks for it, and has no inline script either.
    one = simulator.create({"addresses": [world.OURS]}, world.context())
    shown = app.create(routes=one.routes(world.Door()), channels=[], health=_fine)
    answer = await world.call(shown, "GET", "/phone/")
    assert (answer.status, "unsafe" in answer.headers["content-security-policy"]) == (200, False)


def test_a_limit_of_the_edge_is_an_answer_that_is_documented() -> None:
    told = {status for one in OPERATIONS.values() for status in one.definition.raw["responses"]}
    assert {str(limits.TOO_MANY), "413", "414", "431"} <= told

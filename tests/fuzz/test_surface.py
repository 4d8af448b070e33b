"""schemathesis against the running program: the real connection, every listener, every page.

What is not described cannot be tried, so every route that there is must be described.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.specs.openapi import checks

from bot import app
from bot.console import api as console
from bot.web.public import words
from bridges.simulator import api
from bridges.simulator import page as page_
from tests.fuzz import surface
from tools.fuzz import mutate

FEW: Final = 12
SECONDS: Final = 5
OPERATIONS = surface.operations(surface.PUBLIC_PAGE)
PUBLIC = sorted(OPERATIONS.keys() - {surface.ELSEWHERE})
ADMINS = sorted(surface.operations(surface.ADMINS_PAGE))
CONSOLE = [name for name in PUBLIC if name.startswith("console_")]
STRICT: Final = (
    *("content-security-policy", "x-content-type-options", "referrer-policy", "x-robots-tag"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy"),
    "cache-control",
)
# Described, and answered 503 while a channel is down, as most of them are here.
ILL: Final = frozenset({"health", "admin_health"})
# What else must be right with a message or a gesture is the network's, not the description's.
STRICTER: Final = frozenset({"phone_message", "phone_let_loose", "phone_set_speed", "console_act"})
POSTED: Final = (
    *("/console/api/act", "/phone/sms/api/messages", "/phone/handle/api/forum"),
    *("/phone/sms/api/speed", "/twilio/twilio/in", "/sms/smsgate/events", "/signal/signal/x"),
)
UNDESCRIBED: Final[dict[str, str]] = {}
"""Routes that stand in no description, each with its reason; at present there is none."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[surface.Running]:
    with surface.running(tmp_path_factory.mktemp("surface")) as one:
        yield one


def tried(operation: Any, url: str, *, secure: bool, **asked: Any) -> list[int]:  # noqa: ANN401
    """The statuses of all that schemathesis thought of; raises at the first broken promise."""
    statuses: list[int] = []
    name = operation.definition.raw["operationId"]
    excluded: list[Any] = [checks.positive_data_acceptance] if name in STRICTER else []
    # It hides behind a 404, which its own test below asks for.
    excluded += [checks.ignored_auth] if name in ADMINS else []
    excluded += [schemathesis.checks.not_a_server_error] if name in ILL else []

    @hypothesis.settings(
        max_examples=int(os.environ.get(surface.EXAMPLES, FEW)),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @hypothesis.given(case=operation.as_strategy())
    def one(case: Any) -> None:  # noqa: ANN401 (schemathesis's Case)
        answer = case.call(base_url=url, timeout=SECONDS, allow_redirects=False, **asked)
        statuses.append(answer.status_code)
        assert answer.status_code < 500 or (name in ILL and answer.status_code == 503)
        missing = [name for name in STRICT if name not in answer.headers]
        assert not missing
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"][0]
        assert ("strict-transport-security" in answer.headers) == secure
        assert "server" not in answer.headers
        case.validate_response(answer, excluded_checks=excluded)

    one()
    surface.counted(name, statuses)
    return statuses


def unsigned(program: surface.Running) -> set[str]:
    """Channels with a row that nobody signed: only simulated phones need no signature."""
    return program.rows().keys() - set(surface.SIMULATED)


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", PUBLIC)
def test_what_strangers_get_over_the_wire_is_described(name: str, program: surface.Running) -> None:
    statuses = tried(OPERATIONS[name], program.public, secure=True)
    assert statuses
    assert not unsigned(program)
    if name in CONSOLE:
        assert set(statuses) == {403}


@pytest.mark.parametrize("name", CONSOLE)
def test_whoever_has_the_consoles_token_breaks_nothing(name: str, program: surface.Running) -> None:
    mine = {"X-Console-Token": surface.CONSOLE}
    statuses = tried(OPERATIONS[name], program.public, secure=True, headers=mine)
    assert 403 not in statuses
    assert 200 in statuses


@pytest.mark.case("C10")
@pytest.mark.parametrize("path", POSTED)
def test_bytes_that_are_nothing_are_refused_over_the_wire(
    path: str, program: surface.Running
) -> None:
    known = {"X-Console-Token": surface.CONSOLE, "Content-Type": "application/json"}
    with requests.Session() as session:
        for token in (b"", b"{", b"\xff\xfe", *mutate.TOKENS):
            answer = session.post(program.public + path, data=token, headers=known, timeout=SECONDS)
            assert 400 <= answer.status_code < 500
    assert not unsigned(program)


@pytest.mark.parametrize("name", ADMINS)
def test_the_admins_listener_is_nobodys_without_its_token(
    name: str, program: surface.Running
) -> None:
    operation = surface.operations(surface.ADMINS_PAGE)[name]
    for others in ({}, {"Authorization": "Bearer " + "x" * len(surface.ADMIN)}):
        assert set(tried(operation, program.admin, secure=False, headers=others)) == {404}
    mine = {"Authorization": "Bearer " + surface.ADMIN}
    known = set(tried(operation, program.admin, secure=False, headers=mine))
    assert known <= ({200, 503} if name in ILL else {200})


async def routes(folder: Path) -> tuple[list[str], list[str]]:
    """What the running program answers at, public and admins': bridges', core's, the page's."""
    house = await surface.opened(surface.told(folder))
    try:
        web: Any = house.app
        page, rest = web._rest.args
        seen = await page._live()
        found = [*web._exact, *_below(web._below), *_starlettes(rest)]
        found += [f"/{path}" for path in page._files.paths(seen)]
        found += [f"/{language}" for language in words.LANGUAGES]
        admin: Any = house.admin
        assert not admin._exact
        assert not admin._below
        return found, _starlettes(admin._rest)
    finally:
        await app._close(house.rooms.bridges)
        await house.rooms.store.close()


def _starlettes(application: Any) -> list[str]:  # noqa: ANN401 (Starlette)
    return [one.path for one in application.routes]


def _below(mounted: Any) -> Iterator[str]:  # noqa: ANN401 (pairs of a path and an application)
    """Each path below a mount, by what is mounted there."""
    for path, application in mounted:
        if isinstance(application, api.Api):
            source = inspect.getsource(api.Api._answer)
            yield from (
                f"{path}api/{name}" for name in re.findall(r'^ +"(\w+)": \{', source, re.MULTILINE)
            )
        elif isinstance(application, page_.Page):
            yield from page_._FILES
        elif path == console.PATH:
            source = inspect.getsource(type(application)._answer)
            yield from (path + name for name in re.findall(r'case "[A-Z]+", "(\w+)"', source))
        else:
            yield f"{path}x"


@pytest.mark.case("C10")
async def test_every_route_of_the_running_program_is_described(tmp_path: Path) -> None:
    public, admins = await routes(tmp_path)
    told = surface.templates(surface.PUBLIC_PAGE)
    strange = {one for one in public if not surface.described(one, told)}
    assert strange == set(UNDESCRIBED)
    assert set(admins) == set(surface.templates(surface.ADMINS_PAGE))
    # And nothing is described that is not there.
    for path, pattern in told.items():
        assert any(pattern.fullmatch(one) for one in public), path

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
import sqlalchemy as sa

from bot.console import api
from bot.contract import bridge
from bot.contract.conformance import asgi
from bot.store import tables
from tests.bot.console.house import ANNA, BERT, HOUR_MS, START_MS, House, Still

TOKEN = "a-token"


def served(house: House) -> bridge.AsgiApp:
    (route,) = api.routes(house.store, house.core, house.keys, Still(), TOKEN)
    assert route.path == "/console/api/"
    return route.app


async def get(house: House) -> dict[str, Any]:
    answer = await asgi.call(
        served(house),
        "/console/api/state",
        method="GET",
        headers={"X-Console-Token": TOKEN},
    )
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def act(house: House, asked: object, *, token: str = TOKEN) -> tuple[int, dict[str, Any]]:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    answer = await asgi.call(
        served(house), "/console/api/act", body=body, headers={"X-Console-Token": token}
    )
    return answer.status, json.loads(answer.body)


async def test_the_state_of_an_empty_house(house: House) -> None:
    found = await get(house)
    assert found["now_ms"] == START_MS
    assert (found["mode"], found["paused"], found["next_due_ms"]) == ("normal", False, None)
    assert found["queue"] == {"scheduled": 0, "held": 0, "sending": 0, "unknown": 0}
    assert found["bill"] == {
        "currency": "EUR",
        "replies": "0.00",
        "inbound": "0.00",
        "naive_2017": "0.00",
        "cap_day": "20.00",
        "used_today": "0.00",
        "cap_month": "200.00",
        "used_month": "0.00",
    }
    assert found["decisions"] == []


async def test_decisions_newest_first_in_plain_words(house: House) -> None:
    await house.write_in(ANNA)
    await house.write_in(ANNA, at_ms=START_MS + 1000)
    await house.write_in(BERT, "STOP", at_ms=START_MS + 2000)
    found = await get(house)
    stop, second, first = found["decisions"]
    assert (stop["decision"], stop["reply"]) == ("opt_out", None)
    assert first["words"]["fr"].startswith("Chaque réponse attend")
    assert first["reply"]["state"] == "held"
    assert second["reply"]["id"] == first["reply"]["id"]
    assert (first["who"], first["network"], first["at_ms"]) == (second["who"], "sms", START_MS)
    assert first["who"] != stop["who"]
    assert len(first["who"]) == 5
    assert (found["messages"], found["people"], found["replies"]) == (3, 2, 0)
    assert found["bill"]["naive_2017"] == "0.48"


async def test_at_most_fifty_decisions(house: House) -> None:
    for n in range(55):
        await house.write_in(ANNA, at_ms=START_MS + n)
    assert len((await get(house))["decisions"]) == 50


async def test_nothing_in_the_state_is_an_address(house: House) -> None:
    await house.write_in(ANNA, "mot secret")
    text = json.dumps(await get(house))
    assert ANNA not in text
    assert ANNA[1:] not in text
    assert "mot secret" not in text


async def test_pause_and_resume(house: House) -> None:
    assert await act(house, {"action": "pause"}) == (
        200,
        {
            "ok": True,
            "message": {"en": "Nothing is sent any more.", "fr": "Plus rien n'est envoyé."},
        },
    )
    assert (await get(house))["paused"]
    assert (await act(house, {"action": "resume"}))[0] == 200
    assert not (await get(house))["paused"]


@pytest.mark.parametrize(("action", "state"), [("approve", "scheduled"), ("drop", "cancelled")])
async def test_approve_and_drop(house: House, action: str, state: str) -> None:
    await house.write_in(ANNA)
    reply = (await get(house))["decisions"][0]["reply"]
    status, answer = await act(house, {"action": action, "reply": reply["id"]})
    assert (status, answer["ok"]) == (200, True)
    assert (await get(house))["decisions"][0]["reply"]["state"] == state
    status, answer = await act(house, {"action": "approve", "reply": reply["id"]})
    assert (status, answer["ok"]) == (409, False)
    assert answer["message"]["fr"].startswith("Elle n'attend personne")


@pytest.mark.parametrize(("action", "state"), [("approve", "scheduled"), ("drop", "cancelled")])
async def test_one_gesture_for_a_cluster(house: House, action: str, state: str) -> None:
    for person in (ANNA, BERT):
        await house.write_in(person, "mot secret")
    found = await get(house)
    (cluster,) = found["clusters"]
    assert (cluster["code"], cluster["held"], cluster["cost"]) == ("release", 2, None)
    assert cluster["why"]["fr"].startswith("2 retenue(s).")
    assert "secret" not in json.dumps(found["clusters"])
    status, answer = await act(house, {"action": action, "cluster": "release"})
    assert (status, answer["ok"]) == (200, True)
    after = await get(house)
    assert {one["reply"]["state"] for one in after["decisions"]} == {state}
    assert after["clusters"] == []
    status, answer = await act(house, {"action": action, "cluster": "release"})
    assert (status, answer["message"]["en"]) == (409, "Nothing is held under that name any more.")


async def test_a_mode_is_set_and_shown_with_its_reason(house: House) -> None:
    assert (await get(house))["mode_until_ms"] is None
    assert (await get(house))["mode_by_hand"] is False
    until_ms = START_MS + HOUR_MS
    asked = {"action": "mode", "mode": "review", "until_ms": until_ms}
    assert (await act(house, asked))[0] == 200
    found = await get(house)
    assert (found["mode"], found["mode_until_ms"]) == ("review", until_ms)
    assert found["mode_by_hand"] is True
    assert found["mode_why"]["en"] == "Set by hand by console."
    assert (await act(house, {"action": "mode", "mode": "normal"}))[0] == 200
    assert (await get(house))["mode"] == "normal"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "é"])
async def test_a_wrong_token_does_nothing(house: House, token: str) -> None:
    status, answer = await act(house, {"action": "pause"}, token=token)
    assert (status, answer["ok"]) == (403, False)
    assert not (await get(house))["paused"]
    answer_of_state = await asgi.call(
        served(house), "/console/api/state", method="GET", headers={"X-Console-Token": token}
    )
    assert answer_of_state.status == 403


async def test_no_token_at_all(house: House) -> None:
    answer = await asgi.call(served(house), "/console/api/state", method="GET")
    assert answer.status == 403
    with pytest.raises(ValueError, match="token"):
        api.routes(house.store, house.core, house.keys, Still(), "")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"action": "sudo"}, 400),
        ({}, 400),
        ([1], 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 4000, 400),
        (b" " * 5000, 400),
        ({"action": "mode"}, 400),
        ({"action": "mode", "mode": "panic"}, 400),
        ({"action": "mode", "mode": ["tight"]}, 400),
        ({"action": "mode", "mode": "tight", "until_ms": "soon"}, 400),
        ({"action": "approve", "cluster": {"a": 1}}, 409),
        ({"action": "approve"}, 404),
        ({"action": "drop", "reply": "0" * 32}, 404),
        ({"action": "drop", "reply": {"a": 1}}, 404),
    ],
)
async def test_odd_requests_are_refused(house: House, asked: object, status: int) -> None:
    code, answer = await act(house, asked)
    assert (code, answer["ok"]) == (status, False)
    assert set(answer["message"]) == {"en", "fr"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "act"), ("POST", "state"), ("GET", ""), ("GET", "state/")]
)
async def test_other_paths_are_not_there(house: House, method: str, path: str) -> None:
    answer = await asgi.call(
        served(house), f"/console/api/{path}", method=method, headers={"X-Console-Token": TOKEN}
    )
    assert answer.status == 404


async def test_a_database_that_is_away_is_said(house: House) -> None:
    await house.store.write(tables.control.drop)
    status, answer = await act(house, {"action": "pause"})
    assert (status, answer["ok"]) == (503, False)


async def test_a_sent_reply_shows_its_true_price(house: House) -> None:
    await house.write_in(ANNA)
    replies = tables.replies
    for reserved, price, shown in ((80_000, None, "0.08"), (80_000, 75_000, "0.075")):
        values = {"state": "sent", "reserved_micros": reserved, "price_micros": price}
        statement = sa.update(replies).values(**values)
        await house.store.write(functools.partial(sa.Connection.execute, statement=statement))
        assert (await get(house))["decisions"][0]["reply"]["cost"] == shown
    assert (await get(house))["decisions"][0]["reply"]["due_ms"] > START_MS + HOUR_MS - 1

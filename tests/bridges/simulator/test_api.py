import json
import re
from typing import Any

import pytest

from bot.contract import bridge, clock
from bridges.simulator import api, page
from tests.bridges.simulator import world


class Phone:
    """A simulator with its intake, called straight through ASGI."""

    def __init__(self, time: clock.Clock | None = None, **table: object) -> None:
        self.bridge = world.made(time, **table)
        self.door = world.Door()
        routes = self.bridge.routes(self.door)
        self.apps = {route.path: route.app for route in routes}

    async def get(self, name: str) -> world.Answer:
        return await world.call(self.apps["/phone/sms/"], "GET", f"/phone/sms/api/{name}")

    async def post(self, name: str, body: Any) -> world.Answer:  # noqa: ANN401 (JSON)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await world.call(self.apps["/phone/sms/"], "POST", f"/phone/sms/api/{name}", raw)


async def test_a_message_is_acknowledged_once_stored_and_stands_in_the_thread() -> None:
    phone = Phone()
    answer = await phone.post("messages", {"id": "m1", "from": world.HIS, "text": "salut"})
    assert (answer.status, answer.json()) == (200, {"ok": True, "id": "m1"})
    assert [message.text for message in phone.door.taken] == ["salut"]
    await phone.bridge.send(world.reply())
    thread = (await phone.get("thread?phone=%2B33639980001")).json()
    assert thread["now_ms"] == clock.to_ms(world.NOW)
    assert [(m["direction"], m["text"], m["cost"], m["parts"]) for m in thread["messages"]] == [
        ("sent", "salut", "0.00", 1),
        ("received", "Bonjour.", "0.08", 1),
    ]


@pytest.mark.case("C01")
async def test_what_was_not_stored_is_not_acknowledged() -> None:
    phone = Phone()
    phone.door.away = True
    answer = await phone.post("messages", {"from": world.HIS, "text": "salut"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert (await phone.get("thread?phone=%2B33639980001")).json()["messages"] == []


async def test_one_id_twice_is_one_line_but_reaches_the_core_twice() -> None:
    phone = Phone()
    for _ in range(2):
        await phone.post("messages", {"id": "m1", "from": world.HIS, "text": "salut"})
    assert len(phone.door.taken) == 2
    thread = (await phone.get("thread?phone=%2B33639980001")).json()
    assert len(thread["messages"]) == 1


async def test_ids_are_made_when_none_are_given() -> None:
    phone = Phone()
    ids = [(await phone.post("messages", {"from": world.HIS})).json()["id"] for _ in range(2)]
    assert len(set(ids)) == 2


async def test_replies_are_listed_from_a_number_on() -> None:
    phone = Phone()
    for digit in "abc":
        await phone.bridge.send(world.reply(reply_id=digit * 32))
    everything = (await phone.get("replies")).json()
    assert [reply["reply_id"][0] for reply in everything["replies"]] == ["a", "b", "c"]
    assert everything["replies"][0]["to"] == world.HIS
    later = (await phone.get(f"replies?after={everything['replies'][1]['seq']}")).json()
    assert [reply["reply_id"][0] for reply in later["replies"]] == ["c"]
    last = (await phone.get(f"replies?after={later['next']}")).json()
    assert (last["replies"], last["next"]) == ([], later["next"])


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 30, "%D9%A3"])
async def test_after_is_a_whole_number(after: str) -> None:
    assert (await Phone().get(f"replies?after={after}")).status == 400


@pytest.mark.case("C10")
async def test_bad_requests_have_an_answer_and_reach_nobody() -> None:
    phone = Phone()
    app = phone.apps["/phone/sms/"]
    target = "/phone/sms/api/messages"
    bad = await phone.post("messages", b"\xff")
    assert (bad.status, bad.json()["error"].split(":")[0]) == (400, "body")
    huge = b'{"from": "' + b"a" * 20_000 + b'"}'
    assert (await phone.post("messages", huge)).status == 413
    assert (await world.call(app, "POST", target, [b"a" * 9_000, b"b" * 9_000])).status == 413
    assert (await world.call(app, "POST", target, [])).status == 400
    plain = await world.call(app, "POST", target, b"{}", {"content-type": "text/plain"})
    assert plain.status == 415
    wrong = await world.call(app, "DELETE", target)
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert (await phone.get("nothing")).status == 404
    assert (await phone.get("thread")).status == 400
    assert (await phone.get("thread?phone=%FF")).status == 400
    assert phone.door.taken == []


async def test_the_speed_is_the_lapse_clocks() -> None:
    lapse = clock.LapseClock(clock.SystemClock())
    phone = Phone(lapse)
    assert (await phone.get("speed")).json()["can_change"] is True
    assert (await phone.post("speed", {"speed": 360})).json()["speed"] == 360
    assert lapse.speed == 360
    for speed in (0, -1, True, "360", None, 1e9):
        assert (await phone.post("speed", {"speed": speed})).status == 400
    assert lapse.speed == 360


async def test_a_real_clock_cannot_be_turned() -> None:
    phone = Phone()
    assert (await phone.get("speed")).json() == {
        "speed": 1.0,
        "can_change": False,
        "now_ms": clock.to_ms(world.NOW),
    }
    assert (await phone.post("speed", {"speed": 360})).status == 409


async def test_the_page_is_served_strictly_and_from_this_server_alone() -> None:
    phone = Phone()
    app = phone.apps["/phone/"]
    for name, kind in (("", "text/html"), ("phone.js", "text/javascript"), ("phone.css", "text/")):
        answer = await world.call(app, "GET", f"/phone/{name}")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
    for name in ("scene.js", "forum.js", "yours.js", "fr.js", "en.js", "show.css"):
        answer = await world.call(app, "GET", f"/phone/{name}")
        assert answer.status == 200
        assert b"://" not in answer.body
    assert (await world.call(app, "GET", "/phone/../settings.py")).status == 404
    assert (await world.call(app, "POST", "/phone/")).status == 405


@pytest.mark.parametrize(
    ("asked", "lang"),
    [
        ("fr-CH, en;q=0.9", "fr"),
        ("en-GB,fr;q=0.5", "en"),
        ("de, fr;q=0.3, en;q=0.8", "en"),
        ("de-DE", "en"),
        ("", "en"),
        ("fr;q=x, fr;q=0", "en"),
    ],
)
async def test_the_page_speaks_what_the_browser_would_rather_read(asked: str, lang: str) -> None:
    app = Phone().apps["/phone/"]
    answer = await world.call(app, "GET", "/phone/", headers={"accept-language": asked})
    assert f'<html lang="{lang}">'.encode() in answer.body
    assert answer.headers["vary"] == "accept-language"


async def test_both_languages_have_the_same_words() -> None:
    app = Phone().apps["/phone/"]
    names = []
    for lang in ("fr", "en"):
        text = (await world.call(app, "GET", f"/phone/{lang}.js")).body.decode()
        names.append(sorted(re.findall(r"^ +(\w+):", text, re.MULTILINE)))
    assert names[0] == names[1]
    assert len(names[0]) > 100


def test_two_channels_offer_equal_pages_and_different_apis() -> None:
    assert page.Page() == page.Page()
    made = world.made()
    routes = made.routes(world.Door())
    assert isinstance(routes[0].app, api.Api)
    assert isinstance(routes[1], bridge.Route)
    assert routes[0].app != made.routes(world.Door())[0].app

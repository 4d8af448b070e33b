"""Every request that the bridge makes is one that the app's own OpenAPI files allow.

The fake phone checks each request of every test here against the file of its API (phone.py). This
file says aloud where the files are missing, makes each kind of request once, and shows that the
judge would have refused a wrong one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

import pytest

from bot.contract import bridge
from tests.bridges.sms.smsgate import contract, phone, stage

FILES = {"phone": contract.PHONE, "server": contract.SERVER}


@pytest.fixture(params=["phone", "server"])
def judge(request: pytest.FixtureRequest, shared_dir: object) -> contract.Judge:
    name = FILES[request.param]
    if not (contract.folder() / name).is_file():
        pytest.skip(f"no {name} in {contract.folder()}: set ANTIRELOU_SHARED")
    found = phone.judge(request.param)
    assert found is not None
    return found


async def test_each_kind_of_request_is_allowed(judge: contract.Judge) -> None:
    api = "phone" if judge is phone.judge("phone") else "server"
    before = judge.checked
    async with stage.over(api) as on:
        await on.bridge.send(on.reply())
        await on.bridge.send(on.reply("ç" * 500, number=2))
        sent = bridge.SentReply(
            reply_id=f"{1:032x}", provider_id=None, recipient=None, sent_at=on.clock.now()
        )
        await on.bridge.fetch_status(sent)
        await on.bridge.sweep(on.door, on.clock.now() - dt.timedelta(days=2))
        await on.bridge.health()
        await on.bridge.set_up(apply=True)
        await on.bridge.check()
        kinds = set(on.phone.asked)
        assert judge.checked - before == on.phone.asked.total()
    assert kinds == {
        "POST /messages",
        "GET /messages",
        "GET /inbox",
        "POST /inbox",
        "GET /health",
        "GET /webhooks",
        "POST /webhooks",
        "PATCH /settings",
        "GET /devices",
    }


GOOD = {"id": "a" * 32, "textMessage": {"text": "a"}, "phoneNumbers": [phone.HIS], "ttl": 60}


@pytest.mark.parametrize(
    "change",
    [{"ttl": 4}, {"phoneNumbers": []}, {"simNumber": 4}, {"id": "a" * 37}, {"textMessage": {}}],
)
def test_the_judge_refuses_what_the_files_do_not_allow(
    judge: contract.Judge, change: Mapping[str, object]
) -> None:
    prefix = "" if judge is phone.judge("phone") else "/3rdparty/v1"

    def ask(body: Mapping[str, object]) -> None:
        judge.check(
            method="POST",
            path=f"{prefix}/messages",
            query={},
            headers={"Authorization": "Basic c21zOm1hZGUtdXA=", "Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    ask(GOOD)
    with pytest.raises(Exception, match=r"(?i)request body"):
        ask({**GOOD, **change})

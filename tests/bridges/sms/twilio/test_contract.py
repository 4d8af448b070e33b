"""Every request to Twilio against Twilio's own OpenAPI files, which lie beside the clone."""

import datetime as dt
import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import pytest
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

from bot.contract import address, bridge, outcomes
from tests.bridges.sms.twilio import bench, exchange

API = "https://api.twilio.com"
LOOKUPS = "https://lookups.twilio.com"


class Request:
    """One request of the bridge's, in openapi-core's words."""

    def __init__(  # noqa: PLR0917 (a request has so many parts)
        self,
        host: str,
        method: str,
        path: str,
        query: Mapping[str, str],
        form: Mapping[str, str],
        login: str,
    ) -> None:
        self.host_url = host
        self.path = path
        self.method = method.lower()
        self.content_type = "application/x-www-form-urlencoded"
        self.body = urllib.parse.urlencode(form).encode() if form else None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(query),
            header=Headers({"Authorization": login}),
            cookie=ImmutableMultiDict(),
        )


def spec(shared_dir: Path, name: str) -> OpenAPI:
    return OpenAPI.from_dict(json.loads((shared_dir / "contracts" / name).read_text("utf-8")))


async def test_every_request_is_what_the_api_says_it_takes(
    world: exchange.Exchange, on: bench.Bench, shared_dir: Path
) -> None:
    api = spec(shared_dir, "twilio_api_v2010.messages.json")
    sent = await on.bridge.send(on.reply())
    assert isinstance(sent, outcomes.Accepted)
    recipient = address.Address("sms", bench.HIS)
    for provider_id in (sent.provider_id, None):
        lost = bridge.SentReply(
            reply_id=f"{1:032x}",
            provider_id=provider_id,
            recipient=recipient,
            sent_at=on.clock.now(),
        )
        assert await on.bridge.fetch_status(lost) is not None
    await on.bridge.sweep(on.door, on.clock.now() - dt.timedelta(days=2))
    await on.bridge.set_up(apply=False)
    await on.bridge.health()
    for manner in ("redact", "delete"):
        other = bench.Bench(base=world.url, table={"at_provider": manner})
        assert isinstance(other.bridge, bridge.DeletesAtProvider)
        await other.bridge.delete(sent.provider_id)
        await other.bridge.close()
    checked = set()
    for (method, path, query, form), login in zip(world.seen, world.logins, strict=True):
        api.validate_request(Request(API, method, path, query, form, login))
        checked.add((method, path.rpartition("/")[2].partition(".")[0][:2]))
    assert {
        ("POST", "Me"),
        ("GET", "Me"),
        ("GET", "In"),
        ("POST", "SM"),
        ("DELETE", "SM"),
    } <= checked


async def test_look_ups_too(world: exchange.Exchange, shared_dir: Path) -> None:
    lookups = spec(shared_dir, "twilio_lookups_v2.phonenumbers.json")
    on = bench.Bench(base=world.url, table={"lookup": True})
    assert isinstance(on.bridge, bridge.GivesSecondOpinions)
    world.lines = {bench.HIS: {"type": "mobile"}}
    asked = address.Address("sms", bench.HIS)
    assert await on.bridge.opinions([asked]) == {asked: True}
    ((method, path, query, form),) = world.seen
    lookups.validate_request(Request(LOOKUPS, method, path, query, form, world.logins[0]))
    await on.bridge.close()


def test_the_judge_says_no_to_what_is_wrong(shared_dir: Path) -> None:
    api = spec(shared_dir, "twilio_api_v2010.messages.json")
    path = f"/2010-04-01/Accounts/{exchange.ACCOUNT}/Messages.json"
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever it raises)
        api.validate_request(Request(API, "POST", path, {}, {"Body": "no recipient"}, "Basic eA=="))

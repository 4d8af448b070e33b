"""Every request against the swagger of both versions, and the recorded answers of both."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from bot.contract import address
from bot.contract.conformance import fakes
from bridges import signal
from bridges.signal import answers, transport
from tests.bridges.signal import neighbour, world
from tests.bridges.signal.test_sends import sent, turn

VERSIONS = ("0.100", "HEAD-a08db23")
OBSERVED = re.compile(r"POST /v2/send (\{.*?\}) -> (\d+) (.*)")


class Swagger:
    """Judges requests: the path is known, the query is, the body fits its schema."""

    def __init__(self, path: Path) -> None:
        self._told: dict[str, Any] = json.loads(path.read_text())

    def check(self, asked: neighbour.Asked) -> str:
        """The template it matched; an AssertionError says what does not fit."""
        template = self._template(asked.path)
        operation = self._told["paths"][template][asked.method.lower()]
        given = operation.get("parameters", [])
        known = {one["name"] for one in given if one["in"] == "query"}
        assert {name for name, _ in asked.query} <= known, template
        wanted = {one["name"] for one in given if one["in"] == "query" and one.get("required")}
        assert wanted <= {name for name, _ in asked.query}, template
        for one in given:
            if one["in"] == "body" and asked.method != "GET":
                schema = {**one["schema"], "definitions": self._told["definitions"]}
                body = json.loads(asked.body)
                jsonschema.Draft4Validator(schema).validate(body)
                properties = self._properties(one["schema"])
                assert set(body) <= properties, template
        return template

    def _template(self, path: str) -> str:
        for template in self._told["paths"]:
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return str(template)
        raise AssertionError(f"no such path: {path}")

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        name = schema["$ref"].rpartition("/")[2]
        return set(self._told["definitions"][name]["properties"])


async def everything(side: neighbour.Neighbour, way: str) -> None:
    """Each request that the bridge can make."""
    clock = fakes.FakeClock()
    made = signal.create(world.table(side.url, way, canary=True), world.context(clock))
    await sent(made, clock, world.reply())
    await made.look_up([address.Address(address.SMS, "+33639980042")])
    await made.solve(neighbour.TOKEN, "signalcaptcha://x")
    await made.check()
    await made.health()
    asked = made._transport
    for question in (asked.go_covert(), asked.set_profile_name("."), asked.trust(world.HIM)):
        await question
    assert (await asked.note_to_self("note")).verdict is transport.Verdict.TAKEN
    if way == "polling":
        polling = asyncio.create_task(made.listen(fakes.FakeIntake()))
        await turn(clock, lambda: any("receive" in one.path for one in side.asked))
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
    await made.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_request_fits_the_swagger(version: str, shared_dir: Path) -> None:
    name = f"signal-cli-rest-api.swagger.{version}.json"
    swagger = Swagger(shared_dir / "contracts" / name)
    used: set[str] = set()
    for way in ("webhook", "polling"):
        side = neighbour.Neighbour(world.MODES[way])
        await side.open()
        await everything(side, way)
        used |= {swagger.check(one) for one in side.asked}
        await side.close()
    assert used >= {
        *("/v2/send", "/v1/about", "/v1/accounts", "/v1/search/{number}"),
        *("/v1/accounts/{number}/rate-limit-challenge", "/v1/receive/{number}"),
        *("/v1/identities/{number}", "/v1/identities/{number}/trust/{numberToTrust}"),
        *("/v1/profiles/{number}", "/v1/contacts/{number}", "/v1/attachments"),
        *("/v1/configuration", "/v1/configuration/{number}/settings"),
    }


def test_the_judge_refuses_what_does_not_fit(shared_dir: Path) -> None:
    name = f"signal-cli-rest-api.swagger.{VERSIONS[0]}.json"
    swagger = Swagger(shared_dir / "contracts" / name)
    good = {"number": "+33639980000", "recipients": ["x"], "message": "x"}
    for body in ({**good, "recipients": "x"}, {**good, "made_up": 1}, {"number": "x"}):
        asked = neighbour.Asked("POST", "/v2/send", (), json.dumps(body).encode())
        with pytest.raises((AssertionError, jsonschema.ValidationError)):
            swagger.check(asked)
    with pytest.raises(AssertionError):
        swagger.check(neighbour.Asked("GET", "/v1/about", (("made_up", "1"),), b""))


# By the last digits of the recorded recipient.
EXPECTED = {
    "1110": transport.Verdict.TAKEN,
    "1111": transport.Verdict.LIMITED,
    "1112": transport.Verdict.UNTRUSTED,
    "1113": transport.Verdict.UNSURE,
    "1114": transport.Verdict.UNSURE,
    "1115": transport.Verdict.UNSURE,
    "1117": transport.Verdict.UNSURE,
    "1118": transport.Verdict.UNSURE,
    "1119": transport.Verdict.UNREGISTERED,
}


@pytest.mark.case("C04")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_recorded_answers_are_understood(version: str, shared_dir: Path) -> None:
    recorded = (shared_dir / "contracts" / f"signal-rest-observed-{version}.txt").read_text()
    seen: dict[str, transport.Verdict] = {}
    for line in recorded.splitlines():
        found = OBSERVED.match(line)
        if found is None:
            continue
        asked = json.loads(found[1])
        name = asked["recipients"][0][-4:]
        if len(asked["recipients"]) == 1 and name in EXPECTED:
            answer = answers.of_send(int(found[2]), found[3].encode(), asked["number"])
            seen[name] = answer.verdict
    assert seen == EXPECTED

"""Alerts and dashboard: each expression parses and asks for metrics and labels that we show."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml

from bot.contract import clock
from bot.web import gauges
from tests.fakes import world as fake

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"][0]
BOARD = json.loads((DEPLOY / "grafana" / "antirelou.json").read_text("utf-8"))


def asked() -> list[str]:
    """Every expression of both."""
    shown = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    return [*(rule["expr"] for rule in RULES["rules"]), *shown]


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each metric in it with its matchers, as the parser reads them."""
    promql_parser.parse(expression)
    for name, inside in re.findall(r"\b((?:antirelou_\w+|up))(?:\{([^}]*)\})?", expression):
        yield name, re.findall(r'(\w+)(=~|=)"([^"]*)"', inside)


async def shown() -> dict[str, list[dict[str, str]]]:
    """Each metric that a house shows once messages were taken in, answered and held."""
    sms = fake.World()
    rooms = await fake.rooms(sms)
    await rooms.intake.accept([fake.message(n) for n in range(3)])
    await fake.lapse(rooms, 2)
    made = gauges.Gauges(
        lambda: dict.fromkeys(("dispatcher", "flood", "gauges", "janitor"), 0.0),
        budget=rooms.core.budget,
        channels=tuple(rooms.bridges),
        now_ms=lambda: clock.to_ms(rooms.clock.now()),
    )
    await rooms.store.read(made.refresh)
    found: dict[str, list[dict[str, str]]] = {"up": [{"job": "antirelou"}]}
    for line in made.render().decode().splitlines():
        if not line.startswith("#"):
            name, _, labels = line.rpartition(" ")[0].partition("{")
            found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
    return found


# What a quiet hour does not show, with the place that counts it.
RARE = re.compile(r"held:\w+|silence:\w+|receipt:\w+|rejected|unknown|sent")


async def test_every_expression_asks_for_what_there_is() -> None:
    known = await shown()
    n_seen = 0
    for expression in asked():
        for name, matchers in selectors(expression):
            assert name in known, expression
            for label, how, value in matchers:
                values = {labels[label] for labels in known[name] if label in labels}
                assert values, f"{name} has no label {label}: {expression}"
                wanted = value.split("|") if how == "=~" else [value]
                for one in wanted:
                    there = any(re.fullmatch(one, other) for other in values)
                    assert there or RARE.fullmatch(one.replace(".*", "x")), (expression, one)
                n_seen += 1
    assert n_seen >= 20


@pytest.mark.parametrize("wrong", ["antirelou_nothing > 0", "rate(antirelou_replies"])
async def test_what_is_wrong_would_be_seen(wrong: str) -> None:
    known = await shown()
    with pytest.raises((AssertionError, ValueError)):
        assert all(name in known for name, _ in selectors(wrong)), wrong


def test_each_alert_says_what_to_do_and_only_loss_wakes_people() -> None:
    for rule in RULES["rules"]:
        told = rule["annotations"]
        assert told["summary"], rule["alert"]
        assert len(told["description"]) > 40, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "look"}
    waking = {rule["alert"] for rule in RULES["rules"] if rule["labels"]["severity"] == "page"}
    assert waking == {"AntirelouDown", "AntirelouWorkerStuck", "AntirelouInboundDear"}


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])

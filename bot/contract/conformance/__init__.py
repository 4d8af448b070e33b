"""The bridge conformance kit: import it in a test file, supply a `Harness`, run pytest.

    class TestMine(conformance.BridgeConformance):
        harness = MyWorld

Each failure is a `ConformanceError` that names what is wrong and the docstring that asks
otherwise. Checks that need an ability your harness or bridge lacks are skipped with the reason.
`docs/new-bridge.md` goes through it. Nothing of this is imported in production.
"""

from __future__ import annotations

from bot.contract.conformance.asgi import Answer, call
from bot.contract.conformance.describing import Describes
from bot.contract.conformance.extras import Extras
from bot.contract.conformance.fakes import FakeClock, FakeIntake, FakeStorage
from bot.contract.conformance.faults import ConformanceError
from bot.contract.conformance.harness import (
    Acknowledges,
    AsksToWait,
    Breaks,
    DeliversMalformed,
    Hangs,
    Harness,
    Inbound,
    MountsRoutes,
    Refuses,
    Sent,
)
from bot.contract.conformance.listening import Listens
from bot.contract.conformance.sending import Sends


class BridgeConformance(Describes, Listens, Sends, Extras):
    """All checks as pytest tests; subclass it as `TestSomething` and set `harness`."""


__all__ = [
    "Acknowledges",
    "Answer",
    "AsksToWait",
    "Breaks",
    "BridgeConformance",
    "ConformanceError",
    "DeliversMalformed",
    "FakeClock",
    "FakeIntake",
    "FakeStorage",
    "Hangs",
    "Harness",
    "Inbound",
    "MountsRoutes",
    "Refuses",
    "Sent",
    "call",
]

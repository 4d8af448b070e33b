"""The tutorial's bridge keeps the contract."""

from __future__ import annotations

from bot.contract import conformance
from tests.docs import filedrop_world


class TestFileDrop(conformance.BridgeConformance):
    harness = filedrop_world.FileDropWorld

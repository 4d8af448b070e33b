from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from typer import testing

from bot import cli
from tests.bot.console import house as building

T = TypeVar("T")
ROOT = pathlib.Path(__file__).resolve().parents[3]
CONFIG = """
[web]
port = 0
[channels.sms]
kind = "simulator"
network = "sms"
addresses = ["+33639980000"]
price = "0.08"
[channels.signal]
kind = "simulator"
network = "signal"
addresses = ["00000000-0000-4000-8000-000000000001"]
"""


@dataclasses.dataclass(slots=True)
class Place:
    """A folder with a configuration, in which commands are typed."""

    folder: pathlib.Path

    def run(self, *words: str, stdin: str | bytes = "") -> testing.Result:
        """The command in this process."""
        return testing.CliRunner().invoke(cli.app, list(words), input=stdin)

    def json(self, *words: str) -> Any:  # noqa: ANN401 (whatever the command prints)
        """What it prints for programs; it must succeed."""
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def process(
        self, *words: str | bytes, stdin: bytes = b"", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        """The command as a process of its own, as people start it."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def fill(self, work: Callable[[building.House], Awaitable[T]]) -> T:
        """Make the database if there is none, and do something with it."""

        async def run() -> T:
            house = await building.opened(self.folder)
            try:
                return await work(house)
            finally:
                await house.store.close()

        return asyncio.run(run())


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """No database yet."""
    for name in [name for name in os.environ if name.startswith("ANTIRELOU_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture
def installed(place: Place) -> Place:
    """A database in which ANNA and BERT have written; their replies are held."""

    async def work(house: building.House) -> None:
        now_ms = building.now_ms()
        await house.write_in(building.ANNA, at_ms=now_ms)
        await house.write_in(building.BERT, at_ms=now_ms)

    place.fill(work)
    return place

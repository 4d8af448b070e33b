"""Small recordings, written line by line: film numbers only."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OWN = "+33639980000"
HOUR = 3600.0
WORLD: dict[str, Any] = {
    "world": "small",
    "start": "2017-10-27T08:00:00+02:00",
    "timezone": "Europe/Paris",
    "to": OWN,
    "signal": [],
    "sms_price_per_segment": {"currency": "EUR", "FR": "0.08", "GB": "0.045", "default": "0.12"},
}

Said = tuple[float, str, str]


def film(number: int) -> str:
    """One of the 10,000 French numbers of films; 0 is ours."""
    return f"+3363998{number:04}"


def line(at: float, sender: str, body: str, **more: object) -> dict[str, Any]:
    """One message; its id is made of its time and sender unless given."""
    return {"at": at, "id": f"{sender}@{at}", "from": sender, "to": OWN, "body": body, **more}


def write(path: Path, said: Sequence[Said | dict[str, Any]], **world: object) -> Path:
    """A recording of these messages, gzip if the name ends so."""
    lines = [m if isinstance(m, dict) else line(*m) for m in said]
    text = "".join(json.dumps(one) + "\n" for one in [{**WORLD, **world}, *lines])
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def replies(path: Path) -> list[dict[str, Any]]:
    """What `run` wrote."""
    return [json.loads(one) for one in path.read_text().splitlines()]

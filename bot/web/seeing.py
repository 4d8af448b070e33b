"""What one look at the store saw for the metrics: no address, no text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at the store. Money in millionths; `caps` has no entry where there is no cap."""

    states: Mapping[str, int]
    late_ms: int
    counts: Mapping[str, int]
    used: Mapping[str, int]
    caps: Mapping[str, int]
    mode: str
    paused: Mapping[str, bool]

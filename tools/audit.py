"""Looks the locked packages up in the list of known vulnerabilities (pip-audit), in `make check`.

    python tools/audit.py

Ends with 1 at a known vulnerability, named with its package and the version that mends it, and at
an entry of tools/audit_allow.toml that has run out or fits nothing. Where the list cannot be had,
or does not know our packages (a mirror without it), nothing is known: that is said in a line that
begins with SKIPPED, and is no pass.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
ALLOW: Final = ROOT / "tools" / "audit_allow.toml"
LIMIT_S: Final = 180
_SHOWN: Final = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the look-up gave: lines to print, and the exit code."""

    lines: tuple[str, ...]
    code: int


def judge(
    report: Mapping[str, Any], allowed: Mapping[str, Mapping[str, Any]], today: dt.date
) -> Verdict:
    """Of pip-audit's JSON. Raises KeyError or TypeError where it is none."""
    packages: Sequence[Mapping[str, Any]] = report["dependencies"]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    known = len(packages) - len(unknown)
    lines, faults, met = [], 0, set()
    for one in packages:
        for hole in one.get("vulns", ()):
            names = {hole["id"], *hole.get("aliases", ())}
            met |= names
            entry = next((allowed[name] for name in names if name in allowed), None)
            fixed = ", ".join(hole.get("fix_versions") or ()) or "no version yet"
            told = f"{one['name']} {one['version']}: {hole['id']}; mended in: {fixed}"
            if entry is not None and entry["package"] == one["name"] and today <= entry["until"]:
                lines.append(f"audit: allowed until {entry['until']}: {told} ({entry['reason']})")
            else:
                faults += 1
                lines.append(f"audit: VULNERABLE: {told}")
    if known:
        for name in sorted(allowed.keys() - met):
            faults += 1
            lines.append(f"audit: {ALLOW.name}: {name} fits nothing any more; take it out")
    if unknown:
        lines.append(
            f"audit: SKIPPED: {len(unknown)} of {len(packages)} packages are not in the list that "
            f"can be had here, so nothing is known of them: {', '.join(unknown[:5])} …"
        )
    if known:
        lines.append(f"audit: {known} packages looked up, {faults} faults")
    return Verdict(lines=tuple(lines), code=1 if faults else 0)


def skipped(why: str) -> Verdict:
    """The list cannot be had."""
    return Verdict(lines=(f"audit: SKIPPED, nothing was looked up: {why[:_SHOWN]}",), code=0)


def ask() -> Verdict:
    """Run pip-audit over the lock; versions and hashes are there, so pip need not run."""
    command = [
        *(sys.executable, "-m", "pip_audit", "-r", str(ROOT / "requirements.lock")),
        *("--disable-pip", "--require-hashes", "--format", "json", "--desc", "off"),
        *("--aliases", "on", "--progress-spinner", "off", "--timeout", "15"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return skipped(f"no answer within {LIMIT_S} s")
    allowed = tomllib.loads(ALLOW.read_text("utf-8"))
    try:
        return judge(json.loads(done.stdout), allowed, dt.datetime.now(dt.UTC).date())
    except (ValueError, KeyError, TypeError):
        words = (done.stderr or done.stdout).strip().splitlines()
        return skipped(words[-1] if words else f"pip-audit ended with {done.returncode}")


def main() -> int:
    """From the command line."""
    verdict = ask()
    for line in verdict.lines:
        print(line)
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())

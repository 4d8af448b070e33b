"""A real Synapse of the tests' own, on loopback and SQLite, made by tools/peers/synapse.sh.

`start` gives a running homeserver; its rate limits are off unless asked for. Accounts are made
through the shared-secret admin API. Ready means that Synapse itself said so in its log.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import secrets
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache" / "peers" / "synapse" / "bin" / "python"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
SHARED_SECRET = "only-a-test"
NAME = "localhost"
DATABASE = "homeserver.db"
_RATES = (
    "rc_message",
    "rc_registration",
    "rc_registration_token_validity",
    "rc_admin_redaction",
    "rc_3pid_validation",
    "rc_room_creation",
    "rc_presence",
    "rc_delayed_event_mgmt",
    "rc_reports",
    "rc_user_directory",
)
_NESTED = {
    "rc_login": ("address", "account", "failed_attempts"),
    "rc_joins": ("local", "remote"),
    "rc_joins_per_room": (),
    "rc_invites": ("per_room", "per_user", "per_issuer"),
    "rc_key_requests": (),
}
_LOGGING = """
version: 1
formatters: {plain: {format: '%(levelname)s %(name)s %(message)s'}}
handlers: {out: {class: logging.StreamHandler, stream: ext://sys.stdout, formatter: plain}}
root: {level: INFO, handlers: [out]}
disable_existing_loggers: false
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Synapse:
    """A homeserver that runs. `database`: its SQLite file, for who looks at what it stored."""

    url: str
    database: Path

    def register(self, name: str, password: str, *, admin: bool = False) -> str:
        """Make an account; its MXID."""
        nonce = self._ask("GET", None)["nonce"]
        parts = (nonce, name, password, "admin" if admin else "notadmin")
        mac = hmac.new(
            SHARED_SECRET.encode(), b"\x00".join(p.encode() for p in parts), hashlib.sha1
        )
        made = self._ask(
            "POST",
            {
                "nonce": nonce,
                "username": name,
                "password": password,
                "admin": admin,
                "mac": mac.hexdigest(),
            },
        )
        return str(made["user_id"])

    def _ask(self, method: str, body: dict[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self.url}/_synapse/admin/v1/register",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 (loopback)
            told: dict[str, Any] = json.load(answer)
        return told


def needed() -> None:
    """Skip, saying how to get it, where there is no Synapse."""
    if not PYTHON.exists():
        pytest.skip("no Synapse: bash tools/peers/synapse.sh")


def _settings(folder: Path, port: int, *, limited: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "server_name": NAME,
        "pid_file": str(folder / "pid"),
        "listeners": [
            {
                "port": port,
                "type": "http",
                "tls": False,
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / DATABASE)}},
        "log_config": str(folder / "log.yaml"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": SHARED_SECRET,
        "macaroon_secret_key": secrets.token_hex(16),
        "form_secret": secrets.token_hex(16),
        "report_stats": False,
        "suppress_key_server_warning": True,
        "trusted_key_servers": [],
        "enable_registration": False,
        "bcrypt_rounds": 4,
        "caches": {"global_factor": 0.5},
    }
    free = {"per_second": 100_000, "burst_count": 100_000}
    # A test logs a whole collective in, all from one address.
    made["rc_login"] = dict.fromkeys(_NESTED["rc_login"], free)
    if not limited:
        made |= dict.fromkeys(_RATES, free)
        for key, parts in _NESTED.items():
            made[key] = dict.fromkeys(parts, free) if parts else free
    return made


@contextlib.contextmanager
def start(folder: Path, *, limited: bool = False) -> Iterator[Synapse]:
    """A homeserver that ends with the block.

    `limited`: with Synapse's own default rate limits, but for logging in.
    """
    needed()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = _settings(folder, port, limited=limited)
    seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {seed}\n")
    (folder / "log.yaml").write_text(_LOGGING)
    # JSON is YAML.
    (folder / "homeserver.yaml").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [PYTHON, "-m", "synapse.app.homeserver", "-c", folder / "homeserver.yaml"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ready = threading.Event()
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, ready, lines), daemon=True)
    reader.start()
    try:
        if not ready.wait(START_WITHIN_S) or process.poll() is not None:
            pytest.fail("Synapse did not start: " + "".join(lines[-15:]), pytrace=False)
        yield Synapse(url=f"http://127.0.0.1:{port}", database=folder / DATABASE)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(STOP_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], ready: threading.Event, lines: list[str]) -> None:
    """Empty the pipe; ready at its own word, or at its end (then `poll` tells)."""
    for line in process.stdout or ():
        lines.append(line)
        del lines[:-200]
        if "now listening on" in line:
            ready.set()
    ready.set()

"""Messages a second through HTTP into a real SQLite file, each acknowledged when it is durable.

The program beside a reference in the same run, taking turns: a bare Starlette endpoint that
inserts one row and commits for each request (WAL, synchronous=FULL, as ours). Every message is of
a new person, which is the dearest kind.

    python -m bench.intake
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from typing import Final

from bench import startup

CONNECTIONS: Final = (1, 16, 64)
ROUNDS: Final = 3
SECONDS: Final = 2.0
_PATH: Final = "/phone/signal/api/messages"


async def _client(port: int, end_s: float) -> int:
    """One connection that sends one message after the other; how many were acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    try:
        while time.perf_counter() < end_s:
            name = uuid.uuid4()
            body = b'{"id":"%b","from":"%b","text":"salut"}' % (
                name.hex.encode(),
                str(name).encode(),
            )
            writer.write(
                b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (_PATH.encode(), len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"refused: {head.splitlines()[0]!r}")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            done += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return done


async def _rate(port: int, connections: int) -> float:
    """Acknowledged messages a second over so many connections."""
    began_s = time.perf_counter()
    end_s = began_s + SECONDS
    counts = await asyncio.gather(*(_client(port, end_s) for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - began_s)


def reference(port: int, path: str) -> None:
    """Serve the reference until ended."""
    import uvicorn  # noqa: PLC0415 (the client does not need it)
    from starlette import applications, requests, responses, routing  # noqa: PLC0415 (as above)

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS inbound (id TEXT PRIMARY KEY, body TEXT)")

    async def take(request: requests.Request) -> responses.Response:
        told = await request.json()
        connection.execute("INSERT INTO inbound VALUES (?, ?)", (told["id"], told["text"]))
        return responses.JSONResponse({"ok": True})

    async def ready(_request: requests.Request) -> responses.Response:
        return responses.JSONResponse({})

    app = applications.Starlette(
        routes=[
            routing.Route(_PATH, take, methods=["POST"]),
            routing.Route("/ready", ready),
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def measure() -> dict[str, float]:
    """Messages a second by connections: ours, the reference's, medians of the rounds."""
    out: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="antirelou-bench-") as name:
        folder = pathlib.Path(name)
        port = startup.free_port()
        other = [sys.executable, "-m", "bench.intake", "reference", str(port), f"{folder}/ref.db"]
        with (
            startup.program(folder) as (ours, _),
            startup.started(other, port, "/ready"),
        ):
            for connections in CONNECTIONS:
                rates: list[tuple[float, float]] = [
                    (
                        asyncio.run(_rate(ours, connections)),
                        asyncio.run(_rate(port, connections)),
                    )
                    for _ in range(ROUNDS)
                ]
                ours_rate = statistics.median(rate for rate, _ in rates)
                their_rate = statistics.median(rate for _, rate in rates)
                out[f"messages_per_s_{connections}"] = round(ours_rate, 1)
                out[f"reference_per_s_{connections}"] = round(their_rate, 1)
    return out


if __name__ == "__main__":
    if sys.argv[1:2] == ["reference"]:
        reference(int(sys.argv[2]), sys.argv[3])
    else:
        print(json.dumps(measure(), indent=2))

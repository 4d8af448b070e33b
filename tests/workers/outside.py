"""The outside world in a process of its own: phones that write down what reached them.

    python -m tests.workers.outside LEDGER

Prints its port, then the number of messages so far after each. Every message takes a moment, so
that a kill or a stop meets some in mid-send. What is in the ledger went out, whoever asked for it.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys

_SEND_S = 0.03


async def serve(ledger: pathlib.Path) -> None:
    """Until it is killed."""
    with ledger.open("a", buffering=1) as book:
        count = 0

        async def phone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            name = (await reader.readline()).decode().strip()
            if name:
                book.write(name + "\n")
                count += 1
                print(count, flush=True)  # noqa: T201 (the test reads it)
                await asyncio.sleep(_SEND_S)
                writer.write(b"accepted\n")
            writer.close()

        server = await asyncio.start_server(phone, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (the same)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(pathlib.Path(sys.argv[1])))

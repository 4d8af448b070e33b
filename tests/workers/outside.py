"""The outside world in a process of its own: phones that write down what reached them.

    python -m tests.workers.outside LEDGER SECONDS

Prints its port, then the sender's process number for each message. Every message takes SECONDS,
so that a kill or a stop meets some in mid-send. What is in the ledger went out, whoever asked.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys


async def serve(ledger: pathlib.Path, seconds: float) -> None:
    """Until it is killed."""
    with ledger.open("a", buffering=1) as book:

        async def phone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            words = (await reader.readline()).decode().split()
            if words:
                book.write(words[0] + "\n")
                print(words[1], flush=True)  # noqa: T201 (the test reads it)
                await asyncio.sleep(seconds)
                writer.write(b"accepted\n")
            writer.close()

        server = await asyncio.start_server(phone, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (the same)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(pathlib.Path(sys.argv[1]), float(sys.argv[2])))

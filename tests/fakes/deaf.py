"""An address of this machine that takes no further connection: its backlog is full."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def address() -> Iterator[str]:
    """HOST:PORT; whoever connects there hears nothing, neither yes nor no."""
    with contextlib.ExitStack() as opened:
        full = opened.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waits = opened.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(full.getsockname())
        host, port = full.getsockname()
        yield f"{host}:{port}"

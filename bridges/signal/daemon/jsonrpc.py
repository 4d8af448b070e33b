"""JSON-RPC 2.0 as signal-cli speaks it, one JSON a line. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

# signal-cli's own codes (SignalJsonRpcCommandHandler) and those of the standard.
USER_ERROR = -1
IO_ERROR = -3
UNTRUSTED_KEY = -4
RATE_LIMIT = -5
INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603
PARSE_ERROR = -32700


class RefusedError(Exception):
    """The daemon answered with an error.

    `words` are its own and name people: to be looked at, never to be shown. `data` is what it
    added: `{"response": ...}` is the result of a command that failed after all.
    """

    def __init__(self, code: int, words: str = "", data: object = None) -> None:
        """Only the code is shown."""
        super().__init__(f"signal-cli answered with error {code}")
        self.code = code
        self.words = words
        self.data = data


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Response:
    """The answer to request `ident`: a result, or an error."""

    ident: str
    result: object = None
    error: RefusedError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event:
    """Something said unasked. `params` of `receive` hold an envelope, perhaps in `result`."""

    method: str
    params: object = None


def request(ident: str, method: str, params: Mapping[str, object]) -> bytes:
    """One line, newline included, in one piece: signal-cli acts on each line it sees the end of."""
    asked: dict[str, object] = {"jsonrpc": "2.0", "id": ident, "method": method}
    if params:
        asked["params"] = dict(params)
    return json.dumps(asked, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read(line: bytes | str) -> Response | Event:
    """What one line says; ValueError if it is none of ours."""
    try:
        said = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ValueError:
        raise ValueError("no JSON") from None  # the decoder's own error would quote it
    match said:
        case {"method": str(method), **rest}:
            return Event(method=method, params=rest.get("params"))
        case {"id": str(ident), "error": {"code": int(code), **rest}}:
            words = rest.get("message")
            error = RefusedError(code, words if isinstance(words, str) else "", rest.get("data"))
            return Response(ident=ident, error=error)
        case {"id": str(ident), "result": result}:
            return Response(ident=ident, result=result)
    raise ValueError("neither an answer nor an event")

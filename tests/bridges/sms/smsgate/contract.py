"""The app's own OpenAPI files as a judge of our requests.

The files are not ours to copy, so they are read where they lie beside the clone. Two faults of
theirs are mended on the way: the phone's file says `type: object` of what is an enum of texts, and
the server's file is Swagger 2, which openapi-core does not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openapi_core
from openapi_core import testing

ROOT = Path(__file__).resolve().parents[4]
PHONE = "android-sms-gateway.local-api.openapi-v1.68.0-0cdc5d8.json"
SERVER = "android-sms-gateway.server-api.swagger2-v1.47.1-22074dd.json"
HOST = "http://phone.test"


def folder() -> Path:
    """Where the recorded contracts lie, whether they are there or not."""
    told = os.environ.get("ANTIRELOU_SHARED")
    return (Path(told) if told else ROOT.parent / "shared") / "contracts"


class Judge:
    """One of the two files; `check` raises for a request that it does not allow."""

    def __init__(self, name: str) -> None:
        raw = json.loads((folder() / name).read_text(encoding="utf-8"))
        spec = raw if "openapi" in raw else _from_swagger(raw)
        spec["servers"] = [{"url": HOST}]
        spec["info"]["version"] = "1"
        self._api = openapi_core.OpenAPI.from_dict(_mended(spec))
        self.checked = 0

    def check(
        self,
        *,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """Raise what openapi-core raises if the file does not allow this request."""
        request = testing.MockRequest(
            HOST,
            method.lower(),
            path,
            args=dict(query),
            headers=dict(headers),
            data=body or None,
            content_type=headers.get("Content-Type", "application/json"),
        )
        self._api.validate_request(request)
        self.checked += 1


def _mended(node: Any) -> Any:  # noqa: ANN401 (JSON)
    """`{"allOf": [one], "type": "object"}` is that one: its own type counts."""
    if isinstance(node, list):
        return [_mended(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _mended(value) for key, value in node.items()}
    if "allOf" in made and made.get("type") == "object" and "properties" not in made:
        del made["type"]
    return made


def _from_swagger(raw: dict[str, Any]) -> dict[str, Any]:
    """Swagger 2 as OpenAPI 3, as far as requests need it."""
    told = json.loads(json.dumps(raw).replace("#/definitions/", "#/components/schemas/"))
    schemes = {
        name: {"type": "http", "scheme": "basic"} if one["type"] == "basic" else one
        for name, one in told["securityDefinitions"].items()
    }
    paths = {
        path: {method: _operation(one) for method, one in operations.items()}
        for path, operations in told["paths"].items()
    }
    return {
        "openapi": "3.0.1",
        "info": told["info"],
        "paths": paths,
        "components": {"schemas": told["definitions"], "securitySchemes": schemes},
    }


def _operation(told: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "responses": {code: {"description": "-"} for code in told["responses"]},
        "parameters": [],
        "security": told.get("security", []),
    }
    for one in told.get("parameters", []):
        if one["in"] == "body":
            content = {"application/json": {"schema": one["schema"]}}
            made["requestBody"] = {"required": one.get("required", False), "content": content}
            continue
        kept = {key: one[key] for key in ("name", "in", "required") if key in one}
        schema = {
            key: value
            for key, value in one.items()
            if key not in {"name", "in", "required", "description"}
        }
        made["parameters"].append({**kept, "schema": schema})
    return made

"""JSON as Node's Express sends it."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

JSON_TYPE = "application/json; charset=utf-8"


def json_answer(payload: Any, status: int = 200) -> Response:
    """Answer with compact JSON, keys in the order given."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "surrogatepass"), status=status, content_type=JSON_TYPE)

"""A backend of nothing but model lists, in place of any socket."""

from __future__ import annotations

import json

import responses

from support.recorded import FILES, recorded

URL = "http://127.0.0.1:1234"
UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}


class ListedBackend:
    """A backend whose three lists answer as they are told; anything not told is answered as LM Studio does."""

    def __init__(self, mock):
        self.mock = mock
        for path in FILES:
            self.answers(path, UNEXPECTED)

    def answers(self, generation, body, status=200):
        data = body if isinstance(body, (bytes, Exception)) else json.dumps(body).encode()
        self.mock.upsert(responses.GET, URL + generation.value, body=data, status=status)

    def is_of(self, generation):
        for path in FILES:
            self.answers(path, recorded(path) if path is generation else UNEXPECTED)

    @property
    def asked(self):
        return [call.request.url.removeprefix(URL) for call in self.mock.calls]

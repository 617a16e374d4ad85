"""A backend of nothing but model lists, in place of any socket."""

from __future__ import annotations

import json

import responses

from support.recorded import FILES, recorded

URL = "http://127.0.0.1:1234"
UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}


class ModelListBackend:
    """A backend with three lists; those that a test does not give are answered as LM Studio does."""

    def __init__(self, mock, url=URL):
        self.mock = mock
        self.url = url
        self.generation = None
        for path in FILES:
            self.set_list(UNEXPECTED, path)

    def set_version(self, generation):
        """Be of that generation: with its list and without the others."""
        self.generation = generation
        for path in FILES:
            self.set_list(recorded(path) if path is generation else UNEXPECTED, path)

    def set_list(self, body, generation=None, status=200):
        """List this where ``generation`` has its list, by default the one that the backend is of."""
        data = body if isinstance(body, (bytes, Exception)) else json.dumps(body).encode()
        path = (generation or self.generation).value
        self.mock.upsert(responses.GET, self.url + path, body=data, status=status, content_type="application/json")

    @property
    def paths(self):
        """What was asked for, the oldest first."""
        return [call.request.url.removeprefix(self.url) for call in self.mock.calls]

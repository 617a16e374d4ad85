"""An LM Studio of any generation that remembers what was loaded, unloaded and downloaded, and answers chats in a word.

with Remembering(tiny=4096, other=None) as studio:      # tiny is loaded, other is not
    ...                                                 # point the shim at studio.url
    assert studio.models == {"tiny": None, "other": 4096}
"""

from __future__ import annotations

import threading
from typing import Any

from support.fake_backend import UNKNOWN, Asked, FakeBackend, Said, v0_model, v1_model

CONTEXT = 4096
CHAT = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
NONE_LOADED = Said(404, {"error": {"message": "No models loaded. Please load a model in the developer page."}})
CRASHED = Said(500, {"error": {"message": "Failed to load model. Out of memory.", "type": "model_load_failed"}})
NOT_THERE = Said(404, {"error": {"message": "No such model on offer.", "code": "model_not_found"}})
JOB = {"job_id": "job_1", "status": "downloading", "total_size_bytes": 100}

_LISTS = {"v1": "/api/v1/models", "v0": "/api/v0/models", "openai": "/v1/models"}


class Remembering(FakeBackend):
    """Lists ``models``, whose values are the contexts they are loaded with, None if they are not.

    ``answers`` replaces what is answered on a path. ``offers`` maps what may be downloaded to the keys it brings.
    ``may_load`` is an event that every load waits for.
    """

    def __init__(self, generation: str = "v1", **models: int | None) -> None:
        self.generation = generation
        self.models = dict(models)
        self.kinds: dict[str, str] = {}
        self.answers: dict[str, Any] = {}
        self.offers: dict[str, list[str]] = {}
        self.may_load = threading.Event()
        self.may_load.set()
        super().__init__(self._answer)

    def posted(self, path: str) -> list[Any]:
        """Return the bodies that were sent to a path, the oldest first."""
        return [asked.json for asked in self.asked if asked.path == path]

    def _answer(self, asked: Asked) -> Any:
        if asked.path in self.answers:
            return self.answers[asked.path]
        if asked.path == _LISTS[self.generation]:
            return self._list()
        does = _DOES.get(asked.path)
        if does is None or (asked.path.startswith("/api/v1/") and self.generation != "v1"):
            return UNKNOWN
        return does(self, asked.json)

    def _list(self) -> dict[str, Any]:
        if self.generation == "openai":
            return {"data": [{"id": key} for key in self.models]}
        name, row = ("models", v1_model) if self.generation == "v1" else ("data", v0_model)
        rows = [row(key, self.kinds.get(key, "llm"), context_length=length) for key, length in self.models.items()]
        return {name: rows}

    def _load(self, body: Any) -> Any:
        self.may_load.wait(10)
        self.models[body["model"]] = body.get("context_length", CONTEXT)
        return {"instance_id": body["model"], "status": "loaded"}

    def _unload(self, body: Any) -> Any:
        self.models[body["instance_id"]] = None
        return body

    def _chat(self, body: Any) -> Any:
        self.models[body["model"]] = self.models[body["model"]] or CONTEXT
        return CHAT

    def _download(self, body: Any) -> Any:
        return JOB if body["model"] in self.offers else NOT_THERE

    def _downloaded(self, _: Any) -> Any:
        self.models |= {key: None for keys in self.offers.values() for key in keys}
        return {**JOB, "status": "completed", "downloaded_bytes": 100}


_DOES = {
    "/api/v1/models/load": Remembering._load,
    "/api/v1/models/unload": Remembering._unload,
    "/api/v1/models/download": Remembering._download,
    "/api/v1/models/download/status/job_1": Remembering._downloaded,
    "/v1/chat/completions": Remembering._chat,
    "/v1/embeddings": lambda studio, body: {"data": [{"embedding": [0.6, 0.8], "index": 0}], "usage": {}},
}

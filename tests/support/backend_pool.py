"""Several scripted LM Studios by name, and one shim in front of them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from flask_shim.config import shim_file
from support.apps import several_apps
from support.fake_lmstudio import CHAT, FakeLMStudio
from support.wine import IS_WINE

Models = Mapping[str, int | None]
"""What :class:`FakeLMStudio` takes: keys, and the context they are loaded with."""

BREAK: dict[str, Callable[[FakeLMStudio], object]] = {
    "refusing": FakeLMStudio.kill,
    "frozen": lambda studio: studio.server.freeze(),
}
"""What may happen to a machine, and how it is then."""

if sys.platform != "win32" or IS_WINE:  # a full queue of connections is refused, or none is ever full
    BREAK["unplugged"] = lambda studio: studio.server.unplug()


def mend(studio: FakeLMStudio) -> None:
    """Undo any of :data:`BREAK`."""
    if studio.server.is_running:
        studio.back()
    else:
        studio.server.recover()


def to_toml(urls: Mapping[str, str], more: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return the text of a ``flask-shim.toml`` with these LM Studios, and more keys for some of them."""
    tables = [{"name": name, "url": url, **(more or {}).get(name, {})} for name, url in urls.items()]
    lines = [[f"{key} = {json.dumps(value)}" for key, value in table.items()] for table in tables]
    return "\n".join("\n".join(["[[backend]]", *each, ""]) for each in lines)


class PooledShim:
    """The shim, asked from threads as by clients at the same time; ``studios`` by name."""

    def __init__(self, client: Callable[[], FlaskClient], studios: Mapping[str, FakeLMStudio], file: Path) -> None:
        self.studios = studios
        self.file = file
        self._client = client
        self._threads = ThreadPoolExecutor(64)

    def __getitem__(self, name: str) -> FakeLMStudio:
        return self.studios[name]

    def get(self, path: str) -> Any:
        """Send a request and return the response."""
        return self._client().get(path, buffered=True)

    def post(self, path: str, body: Any) -> Any:
        """Send a request with JSON and return the response."""
        return self._client().post(path, json=body, buffered=True)

    def chat(self, text: str = "Hello", model: str = "tiny", **more: Any) -> Answer:
        """Chat and return the whole answer."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return Answer(self.post("/api/chat", body))

    def chats(self, count: int, **more: Any) -> list[Future[Answer]]:
        """Begin so many chats, each a conversation of its own."""
        return [self._threads.submit(self.chat, f"Question {number}", **more) for number in range(count)]

    def names(self) -> set[str]:
        """Return the names of the models in the list."""
        return {model["name"].removesuffix(":latest") for model in self.get("/api/tags").json["models"]}

    def chats_at(self) -> dict[str, int]:
        """Return how many chats each LM Studio has received."""
        return {name: len(studio.asked_for(CHAT)) for name, studio in self.studios.items()}

    def close(self) -> None:
        """Wait for the chats."""
        self._threads.shutdown()


class Answer:
    """The answer to a chat: all of it, or what came before it failed."""

    def __init__(self, response: Any) -> None:
        self.status = response.status_code
        self.lines = [json.loads(line) for line in response.data.splitlines()]

    @property
    def text(self) -> str:
        """The text of the answer."""
        return "".join(line["message"]["content"] for line in self.lines if "message" in line)

    @property
    def errors(self) -> list[str]:
        """The error records."""
        return [line["error"] for line in self.lines if "error" in line]

    @property
    def is_whole(self) -> bool:
        """Whether the answer ended as it should, and without an error."""
        return self.status == 200 and not self.errors and self.lines[-1].get("done") is True


@contextlib.contextmanager
def pool_apps(folder: Path) -> Iterator[Callable[..., PooledShim]]:
    """Yield a function that starts LM Studios by name with their models, and a shim that joins them.

    ``tables`` are more keys of their tables, ``parallel`` is of all of them, the rest are settings.
    """
    with contextlib.ExitStack() as owned:
        app_of = owned.enter_context(several_apps(data_dir=folder / "data", request_retries=0))

        def start(
            studios: Mapping[str, Models],
            tables: Mapping[str, Mapping[str, Any]] | None = None,
            parallel: int | None = None,
            **settings: Any,
        ) -> PooledShim:
            running = {
                name: owned.enter_context(FakeLMStudio(models, parallel=parallel)) for name, models in studios.items()
            }
            path = folder / shim_file.FILE_NAME
            path.write_text(to_toml({name: each.url for name, each in running.items()}, tables), encoding="utf-8")
            file, problems = shim_file.read(path)
            assert problems == []
            pool = PooledShim(app_of(file=file, **settings).test_client, running, path)
            owned.callback(pool.close)
            return pool

        yield start

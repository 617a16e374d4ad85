"""The demo as the examples on paper see it: asked what they ask, at the same beginning each time."""

from __future__ import annotations

from pathlib import Path

import requests

from flask_shim.embedded import MiniLMStudio
from flask_shim.services import services_of
from support.curl import ExampleRequest
from support.demo import Shim

DEADLINE_SECONDS = 20


class ExampleDemo(Shim):
    """A shim and a miniature, set as ``flask-shim demo`` sets them."""

    def __init__(self, folder: Path) -> None:
        """Start both; ``folder`` takes all files."""
        self.miniature = MiniLMStudio()
        super().__init__(
            self.miniature.url,
            folder,
            default_regular_model="tiny-chat",
            default_vision_model="tiny-vision",
        )

    def reset(self) -> None:
        """Be as just started: nothing loaded, no names but the models' own."""
        services = services_of(self.app)
        for instance in self.miniature.services.loaded_models.all():
            self.miniature.services.loaded_models.unload(instance.id)
        for alias in services.aliases.aliases().values():
            services.aliases.delete(alias.name)
        services.backends.first.client.catalogue.expire()

    def ask(self, asked: ExampleRequest) -> requests.Response:
        """Send the request."""
        files = {name: part if part[0] else (None, part[1]) for name, part in asked.parts.items()}
        return requests.request(
            asked.method,
            self.url + asked.path,
            headers=asked.headers,
            data=asked.body,
            files=files or None,
            timeout=DEADLINE_SECONDS,
        )

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.miniature.stop()


def text_of(response: requests.Response) -> str:
    """Return what curl prints: the body, or the head where only that was asked for."""
    if response.request.method != "HEAD":
        return response.content.decode()
    head = [f"HTTP/1.1 {response.status_code} {response.reason}"]
    return "\n".join(head + sorted(f"{name}: {value}" for name, value in response.headers.items()))

"""The shim as users run it, on a port of its own: before any backend, or before a miniature LM Studio."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gguf

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.embedded import MiniLMStudio
from flask_shim.embedded.library import TINY
from flask_shim.services import services_of
from flask_shim.serving.listeners import open_listeners
from flask_shim.serving.server import Server
from support.catalogue import Catalogue

FACTS = Path(__file__).parents[1] / "data" / "tiny-facts.json"

PLAIN_TEMPLATE = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""A chat template that knows neither tools nor thinking."""


def write_plain_models(folder: Path, *names: str) -> Path:
    """Put models into ``folder`` that can do nothing but chat; return it."""
    for name in names:
        path = folder / f"{name}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        _with_template(TINY / "tiny-chat.gguf", path, PLAIN_TEMPLATE)
    return folder


def _with_template(source: Path, target: Path, template: str) -> None:
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, str(reader.fields["general.architecture"].contents()))
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in (
            "general.architecture",
            "general.name",
            "tokenizer.chat_template",
        ):
            item = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=item)
    writer.add_name(target.stem)
    writer.add_chat_template(template)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Shim:
    """A running shim in front of any backend; a context manager. ``settings`` are of its Config."""

    def __init__(self, backend_url: str, data_dir: Path, **settings: Any) -> None:
        """Start it on a port of its own."""
        self.config = Config(backend_url=backend_url, data_dir=data_dir, hosts=("127.0.0.1",), port=0, **settings)
        self.app = create_app(self.config)
        listeners = open_listeners(self.config)
        self.port = int(listeners[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = Server(self.app, self.config, listeners)
        self._thread = threading.Thread(target=self._server.run, name="shim", daemon=True)
        self._thread.start()

    def __enter__(self) -> Shim:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
        services_of(self.app).close()


class Demo(Shim):
    """A running shim and its miniature.

    In addition to the tiny models it has ``plain`` and one of another publisher, ``acme/visitor``; ``acme/fresh`` and
    ``acme/second`` are there to be downloaded.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Start both; ``folder`` takes all files."""
        catalogue = write_plain_models(folder / "catalogue", "acme/fresh", "acme/second")
        self.miniature = MiniLMStudio()
        self.catalogue = Catalogue(self.miniature, catalogue, folder / "downloads")
        own = write_plain_models(folder / "models", "plain", "acme/visitor")
        self.miniature.services.library.folders += [own, folder / "downloads"]
        super().__init__(self.miniature.url, folder / "data", **settings)

    def unload_all(self) -> None:
        """Make the miniature forget what is loaded, and the shim notice."""
        for instance in self.miniature.services.loaded_models.all():
            self.miniature.services.loaded_models.unload(instance.id)
        services_of(self.app).backends.first.client.catalogue.expire()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.catalogue.close()
        self.miniature.stop()

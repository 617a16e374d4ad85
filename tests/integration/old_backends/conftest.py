"""A shim in front of an LM Studio from before 0.4, with its lms tool on PATH."""

import pytest
from support.fake_lms import CAN_RUN_SCRIPTS, WHY_NOT, FakeLms, in_memory, on_disk
from support.fake_lmstudio import Status, v0_model
from support.fake_lmstudio_fixtures import backend, shim

__all__ = ["backend", "shim"]

GREETING = {"lmstudio": True}


@pytest.fixture
def lms(tmp_path, monkeypatch):
    """Return a function that puts a fake tool with some state on PATH."""
    if not CAN_RUN_SCRIPTS:
        pytest.skip(WHY_NOT)

    def installed(**state):
        fake = FakeLms(tmp_path / "bin", **state)
        monkeypatch.setenv("PATH", str(fake.folder))
        return fake

    return installed


class OldStudio:
    """Lists models as the tool's state says, loads nothing by itself, and makes vectors of what is loaded."""

    def __init__(self, fake, *keys, greeting=GREETING):
        self.fake, self.greeting = fake, greeting
        self.keys = keys

    def rows(self):
        """What /api/v0/models lists now."""
        return [v0_model(key, "embeddings", context_length=4096 * (key in self.fake.loaded)) for key in self.keys]

    def __call__(self, asked):
        if asked.path == "/lmstudio-greeting":
            return self.greeting
        if asked.json["model"] not in self.fake.loaded:
            return Status(400, {"error": "No models loaded. Please load a model in the developer page."})
        return {"data": [{"index": 0, "embedding": [1.0]}]}


@pytest.fixture
def old(lms, backend, shim):
    """Return a function that gives a shim's client, the tool and the backend, for models on disk and in memory."""

    def of(*keys, loaded=(), greeting=GREETING, generation="v0", **state):
        fake = lms(models=[on_disk(key) for key in keys], loaded=[in_memory(key) for key in loaded], **state)
        studio = OldStudio(fake, *keys, greeting=greeting)
        server = backend(studio, studio.rows, generation)
        return shim(server.url), fake, server

    return of

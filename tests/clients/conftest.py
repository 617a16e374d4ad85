"""One running shim in front of a real engine, for all clients; none may find a proxy or a server of the tester's."""

from __future__ import annotations

import gc
import warnings

import pytest

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from support.demo import Demo

FOREIGN = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("OLLAMA_HOST", "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
)


@pytest.fixture(scope="session", autouse=True)
def own_environment():
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module", autouse=True)
def nothing_left_over():
    """Collect what a library has left open while its own tests run, not during later ones."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def url(demo):
    return demo.url

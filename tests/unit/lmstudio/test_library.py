"""The client without the shim: what it needs, and that its guide tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.processes import clean_environment

GUIDE = Path(__file__).parents[3] / "docs" / "LIBRARY.md"
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
EXAMPLES = EXAMPLE.findall(GUIDE.read_text(encoding="utf-8"))

BLOCKED = ("flask", "werkzeug", "jinja2", "waitress", "click", "rich", "prometheus_client", "PIL")

WITHOUT_FLASK = f"""
import sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.lmstudio import ClientOptions, LMStudio, ensure_ready
assert not {{"marshmallow", "platformdirs", "dotenv"}} & set(sys.modules)
try:
    ensure_ready(LMStudio(ClientOptions(base_url="http://127.0.0.1:9")))
except BackendUnavailable as exc:
    print(exc.why)
"""


def test_client_works_where_flask_is_not_installed():
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_FLASK], env=clean_environment(), capture_output=True, text=True, timeout=30
    )
    assert (result.stdout, result.stderr) == ("connection refused\n", "")


@pytest.fixture
def lm_studio(tmp_path):
    """Start a miniature LM Studio with the models of the guide, and one to download."""
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    from support.catalogue import Catalogue

    from flask_shim.embedded import MiniLMStudio
    from flask_shim.embedded.library import TINY

    folder, downloads = tmp_path / "catalogue", tmp_path / "downloads"
    (folder / "maker").mkdir(parents=True)
    downloads.mkdir()
    (folder / "maker" / "New-Model-F16.gguf").write_bytes((TINY / "tiny-chat.gguf").read_bytes())
    with MiniLMStudio() as miniature, closing(Catalogue(miniature, folder, downloads)):
        miniature.services.library.folders.append(downloads)
        yield miniature


@pytest.mark.parametrize(("code", "output"), EXAMPLES, ids=map(str, range(1, len(EXAMPLES) + 1)))
def test_example_of_the_guide_works(monkeypatch, capsys, tmp_path, lm_studio, code, output):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMSTUDIO_URL", lm_studio.url)
    exec(compile(code, str(GUIDE), "exec"), {})
    assert not output or capsys.readouterr().out == output

"""Starting and stopping: nothing is left behind."""

import errno
import subprocess
import sys
import threading

import pytest

from flask_shim.embedded import MiniLMStudio, MiniSettings, engine
from flask_shim.lmstudio.errors import NotSupported


def test_three_starts_and_stops_leave_nothing(connect):
    before = threading.active_count()
    for _ in range(3):
        with MiniLMStudio() as miniature:
            connect(miniature).chat("Hello")
            (instance,) = miniature.services.loaded_models.all()
        assert instance.engine.exit_code == 0
        assert threading.active_count() <= before


def test_stop_ends_a_running_answer_and_may_be_repeated(connect):
    miniature = MiniLMStudio(MiniSettings(endless=True))
    with connect(miniature).chat("Tell me a long story.", stream=True) as response:
        chunks = response.iter_content(None)
        next(chunks)
        (instance,) = miniature.services.loaded_models.all()
        miniature.stop()
        assert instance.engine.exit_code is not None
    miniature.stop()


def test_taken_port_is_an_error(miniature):
    with pytest.raises(OSError) as taken:  # noqa: PT011 - the text is the system's
        MiniLMStudio(port=miniature.port)
    assert taken.value.errno == errno.EADDRINUSE


def test_engine_ends_when_its_parent_is_killed(until):
    script = (
        "import sys, time\n"
        "from flask_shim.embedded import MiniLMStudio\n"
        "miniature = MiniLMStudio()\n"
        "entry = miniature.services.library.find('tiny-chat')\n"
        "instance = miniature.services.loaded_models.borrow(entry, None, None, lambda: False)\n"
        "print(instance.engine.client.options.base_url.rpartition(':')[2], flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        port = int(parent.stdout.readline())
        assert answers(port)
        parent.kill()
    until(lambda: not answers(port))


def answers(port):
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_missing_engine_is_reported_with_the_remedy(monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(NotSupported, match=r"not installed\. Install it: .* xllamacpp$"):
        MiniLMStudio()


def test_engine_that_cannot_be_imported_is_reported_at_start(monkeypatch, tmp_path):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('DLL load failed')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    remedy = "install msvc-runtime" if sys.platform == "win32" else "install xllamacpp --force-reinstall"
    with pytest.raises(NotSupported, match=rf"ImportError: DLL load failed\. .*{remedy}"):
        MiniLMStudio()

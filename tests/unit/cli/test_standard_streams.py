"""Streams whose encoding has not all bytes or characters."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_pipe_may_have_bytes_outside_its_encoding():
    command = [sys.executable, "-m", "flask_shim", "run", "tiny", "--url", "http://127.0.0.1:9"]
    environ = os.environ | {"PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, input="hällo 🦊".encode(), capture_output=True, env=environ, check=False)
    assert ended.returncode == 1
    assert b"Traceback" not in ended.stderr

"""Try the shim that is installed for the Python that runs this: its demo has to answer, from a folder of its own.

PYTHONPATH=tests .venv/bin/python tools/try_installed.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import requests
from support.processes import ShimProcess

import flask_shim

ROOT = Path(__file__).parents[1]
CHAT = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": False}


def main() -> None:
    """Start the demo, ask it, stop it; end with a text if anything is not as it should be."""
    if ROOT in Path(flask_shim.__file__).parents and Path(sys.prefix) not in Path(flask_shim.__file__).parents:
        raise SystemExit(f"this is the checkout, not what is installed: {flask_shim.__file__}")
    with ShimProcess(arguments=("demo", "--port", "0")) as shim:
        url = shim.until(r"  shim +(\S+)", 60)[1]
        answer = requests.post(f"{url}/api/chat", json=CHAT, timeout=60)
        if answer.status_code != 200:
            raise SystemExit(f"the demo answers {answer.status_code}: {answer.text}")
        if shim.stop():
            raise SystemExit(f"the demo does not stop as it should:\n{shim.log}")
    sys.stdout.write(f"flask-shim {flask_shim.__version__} says: {answer.json()['message']['content']}\n")


if __name__ == "__main__":
    main()

"""An ``lms`` tool for tests: a script that keeps its models in a file beside it and behaves like the real one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from flask_shim.lmstudio.lms.locate import PROGRAM

CAN_RUN_SCRIPTS = sys.platform != "win32"
WHY_NOT = "on Windows a script cannot stand in for lms.exe"

SCRIPT = """#!{python}
import json, pathlib, sys, time

here = pathlib.Path(__file__).parent
state_file = here / "state.json"
state = json.loads(state_file.read_text(encoding="utf-8"))
command, *rest = sys.argv[1:]
with (here / "calls.jsonl").open("a", encoding="utf-8") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")


def save():
    state_file.write_text(json.dumps(state), encoding="utf-8")


def fail(text):
    sys.stderr.write("\\x1b[91mError:\\x1b[39m " + text + "\\n")
    sys.exit(1)


def bar(percent, text):
    blocks = "\\u2588" * (percent // 10)
    sys.stdout.write("\\x1b[?25l\\x1b[s\\r\\u280b [" + blocks + "] " + str(percent) + ".00% | " + text)
    sys.stdout.flush()


def option(name):
    return int(rest[rest.index(name) + 1]) if name in rest else None


if state.get("hang"):
    (here / "hanging").touch()
    time.sleep(60)
if command in state.get("failing", ()):
    fail(state["failing"][command])
if command == "ls":
    print(json.dumps(state["models"]))
elif command == "ps":
    print(json.dumps(state["loaded"]))
elif command == "load":
    [model] = [one for one in state["models"] if one["path"] == rest[-1]]
    state["loaded"].append(
        {{"identifier": model["modelKey"], "modelKey": model["modelKey"], "contextLength": option("--context-length")}}
    )
    save()
elif command == "unload":
    state["loaded"] = [one for one in state["loaded"] if one["identifier"] != rest[-1]]
    save()
elif command == "get":
    name = rest[-1].partition("@")[0]
    if name in state.get("similar", ()):
        sys.stderr.write("Multiple models found. Automatically selecting the first one due to --yes.\\n")
        sys.stderr.flush()
        (here / "hanging").touch()
        time.sleep(60)
    if name not in state["offered"]:
        fail("No models found with the specified search criteria.")
    for percent in (0, 50, 100):
        bar(percent, "{{:.2f}} MB / 1.00 MB | 2.00 MB/s | ETA 00:01".format(percent / 100))
        time.sleep(state.get("pause", 0))
    sys.stderr.write("\\nFinalizing download...\\nDownload completed.\\n")
    state["models"].append({{"modelKey": name, "path": name + "/model.gguf", "sizeBytes": 1000000}})
    save()
"""


class FakeLms:
    """The tool in ``folder``.

    ``state`` may hold models, loaded, offered, similar, failing (texts by command), hang, and a pause in seconds.
    """

    def __init__(self, folder: Path, **state: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.program = folder / PROGRAM
        self.program.write_text(SCRIPT.format(python=sys.executable), encoding="utf-8")
        self.program.chmod(0o755)
        self.state_file = folder / "state.json"
        self.state_file.write_text(json.dumps({"models": [], "loaded": [], "offered": []} | state), encoding="utf-8")

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of every start, in order."""
        log = self.folder / "calls.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    @property
    def is_hanging(self) -> bool:
        """Whether it has come to where it hangs."""
        return (self.folder / "hanging").exists()

    @property
    def loaded(self) -> list[str]:
        """What it believes to be loaded."""
        state = json.loads(self.state_file.read_text(encoding="utf-8"))
        return [row["identifier"] for row in state["loaded"]]


def on_disk(key: str) -> dict[str, object]:
    """Return a row of ``lms ls``."""
    return {"modelKey": key, "path": f"maker/{key}/model.gguf", "sizeBytes": 1000}


def in_memory(identifier: str, key: str | None = None) -> dict[str, object]:
    """Return a row of ``lms ps``."""
    return {"identifier": identifier, "modelKey": key or identifier, "contextLength": 4096}

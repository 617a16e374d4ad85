"""Names made here, and files that cannot be (sections 7.9 to 7.14)."""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.row import JSON, NDJSON, Many, Row, delete, error, get, head, nothing, post
from support.shapes import ANYTHING, TEXT, mapping, matching

LAYER = {"status": matching("(using existing|creating new) layer sha256:[0-9a-f]{64}")}
WRITING = {"status": "writing manifest"}
SUCCESS = {"status": "success"}

HELLO = "/api/blobs/sha256:" + hashlib.sha256(b"hello").hexdigest()
NO_FILES = "LM Studio takes no model files over HTTP: put them into its models folder, or use the models it has"

FILES_DIFFER = (
    "Blobs cannot be stored and models cannot be created from files (501): LM Studio accepts no model files over HTTP."
)
QUANTIZE_DIFFERS = "Models are not quantized, and adapters, drafts and `remote_host` are rejected (501)."
PUSH_DIFFERS = "Nothing can be pushed (501): LM Studio has no registry."
DELETE_DIFFERS = "LM Studio's own models cannot be deleted (501); names made with copy and create can."
HIDING_DIFFERS = (
    "A name that LM Studio uses for another model is rejected (400), because it would hide that "
    "model. A model may get settings under its own name."
)
PULL_FROM_DIFFERS = "create does not pull the model in `from`: a missing model is 500 with a hint to pull it first."


def made(name: str, **more: Any) -> tuple[str, str, Any]:
    """Make a name before a row."""
    return ("POST", "/api/create", {"model": name, "from": "plain", "stream": False, **more})


def create(name: str, body: dict[str, Any], status: int, text: Any, **more: Any) -> Row:
    """Make a row of a create that is refused."""
    return post("7.11", name, "/api/create", body, **error(status, text), **more)


MARIO = {
    "system": "You are Mario.",
    "parameters": {"temperature": 0, "stop": ["x", "y"]},
    "license": ["A", "B"],
    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
}

ROWS = (
    post(
        "7.11",
        "a name is made step by step",
        "/api/create",
        {"model": "mario", "from": "plain", **MARIO},
        type=NDJSON,
        lines=[Many(LAYER), WRITING, SUCCESS],
    ),
    post(
        "7.11",
        "a name is made at once",
        "/api/create",
        {"model": "mario2", "from": "plain", "stream": False},
        type=JSON,
        json=SUCCESS,
    ),
    post(
        "7.11",
        "the old field for the name does",
        "/api/create",
        {"name": "mario3", "from": "tiny-chat", "stream": False},
        type=JSON,
        json=SUCCESS,
    ),
    post(
        "7.11",
        "a name may be made again",
        "/api/create",
        {"model": "twice", "from": "tiny-chat", "stream": False},
        before=(made("twice"),),
        type=JSON,
        json=SUCCESS,
    ),
    post(
        "7.3",
        "what a name was made of is shown",
        "/api/show",
        {"model": "mario4"},
        before=(made("mario4", **MARIO),),
        json=mapping(
            ANYTHING,
            {
                "license": "A\nB",
                "modelfile": matching(
                    ".*# FROM mario4:latest\n\nFROM plain\n.*\nSYSTEM You are Mario.\n"
                    "PARAMETER stop x\nPARAMETER stop y\nPARAMETER temperature 0\n.*"
                    "MESSAGE user a\nMESSAGE assistant b\n.*"
                ),
                "parameters": matching('stop {27}"x"\nstop {27}"y"\ntemperature {20}0.*'),
                "system": "You are Mario.",
                "details": mapping(ANYTHING, {"parent_model": "plain:latest"}),
                "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            },
        ),
    ),
    post(
        "7.6",
        "what a name was made of is used",
        "/api/chat",
        {"model": "rumpel", "messages": [{"role": "user", "content": "Who are you?"}], "stream": False},
        before=(made("rumpel", system="You are Rumpel.", parameters={"temperature": 0}),),
        json=mapping(
            ANYTHING, {"model": "rumpel", "message": {"role": "assistant", "content": matching("I am Rumpel.*")}}
        ),
    ),
    post(
        "7.6",
        "a system message of the request goes before that of the name",
        "/api/chat",
        {
            "model": "rumpel2",
            "stream": False,
            "messages": [{"role": "system", "content": "You are Bodo."}, {"role": "user", "content": "Who are you?"}],
        },
        before=(made("rumpel2", system="You are Rumpel.", parameters={"temperature": 0}),),
        json=mapping(ANYTHING, {"message": {"role": "assistant", "content": matching("I am Bodo.*")}}),
    ),
    post(
        "7.5",
        "generate uses it, too",
        "/api/generate",
        {"model": "rumpel3", "prompt": "Who are you?", "stream": False},
        before=(made("rumpel3", system="You are Rumpel.", parameters={"temperature": 0}),),
        json=mapping(ANYTHING, {"response": matching("I am Rumpel.*")}),
    ),
    post(
        "7.6",
        "parameters of a wrong type show when they are used",
        "/api/chat",
        {"model": "hot", "messages": [{"role": "user", "content": "Hello"}]},
        before=(made("hot", parameters={"temperature": "hot"}),),
        **error(500, 'option "temperature" must be of type float32'),
    ),
    create("create needs a source", {"model": "m"}, 400, "neither 'from' or 'files' was specified"),
    create(
        "create needs a source, streaming or not",
        {"model": "m", "stream": False},
        400,
        "neither 'from' or 'files' was specified",
    ),
    create(
        "a modelfile is not read",
        {"model": "m", "modelfile": "FROM plain"},
        400,
        "neither 'from' or 'files' was specified",
    ),
    create("the source needs a sound name", {"model": "m", "from": "bad name"}, 400, "invalid model name"),
    create("no files are no source", {"model": "m", "files": {}}, 400, "unknown type"),
    create("a file needs a digest", {"model": "m", "files": {"a.gguf": ""}}, 400, "invalid digest format"),
    create(
        "a file stays in its folder",
        {"model": "m", "files": {"../a.gguf": "sha256:" + "0" * 64}},
        400,
        "file path must be relative",
    ),
    create(
        "a template ends",
        {"model": "m", "from": "plain", "template": "{{ .Bad"},
        400,
        "template error: template: :1: unclosed action",
    ),
    create(
        "a license is text",
        {"model": "m", "from": "plain", "license": 5},
        500,
        "json: cannot unmarshal number into Go value of type []string",
    ),
    create(
        "a model from files is not made",
        {"model": "m", "files": {"a.gguf": "sha256:" + "0" * 64}},
        501,
        NO_FILES,
        differs=FILES_DIFFER,
    ),
    create(
        "nothing is quantized",
        {"model": "m", "from": "plain", "quantize": "q4_K_M"},
        501,
        TEXT,
        differs=QUANTIZE_DIFFERS,
    ),
    create(
        "there are no adapters",
        {"model": "m", "from": "plain", "adapters": {"a": "sha256:" + "0" * 64}},
        501,
        TEXT,
        differs=QUANTIZE_DIFFERS,
    ),
    create(
        "no model runs on another server",
        {"model": "m", "from": "plain", "remote_host": "https://example.com"},
        501,
        TEXT,
        differs=QUANTIZE_DIFFERS,
    ),
    create(
        "a source that is not there is not pulled", {"model": "m", "from": "nope"}, 500, TEXT, differs=PULL_FROM_DIFFERS
    ),
    post(
        "7.12",
        "a copy is made",
        "/api/copy",
        {"source": "plain", "destination": "copied"},
        **nothing(),
        sent={"Content-Length": "0"},
    ),
    post(
        "7.12",
        "a copy is made over another",
        "/api/copy",
        {"source": "tiny-chat", "destination": "copied2"},
        before=(made("copied2"),),
        **nothing(),
    ),
    post(
        "7.12",
        "a copy does not take another model's name",
        "/api/copy",
        {"source": "plain", "destination": "tiny-chat"},
        **error(400, '"tiny-chat" is LM Studio\'s name for tiny-chat: choose another name'),
        differs=HIDING_DIFFERS,
    ),
    post(
        "7.12", "a copy onto itself is nothing", "/api/copy", {"source": "plain", "destination": "plain"}, **nothing()
    ),
    post(
        "7.3",
        "a copy can do what its source can",
        "/api/show",
        {"model": "copied3:8b"},
        before=(("POST", "/api/copy", {"source": "tiny-chat", "destination": "copied3:8b"}),),
        json=mapping(ANYTHING, {"capabilities": ["completion", "tools", "insert"]}),
    ),
    delete(
        "7.13",
        "a name is deleted",
        "/api/delete",
        {"model": "gone"},
        before=(made("gone"),),
        **nothing(),
        sent={"Content-Length": "0"},
    ),
    delete(
        "7.13",
        "a name is deleted by its old field",
        "/api/delete",
        {"name": "gone2", "model": ""},
        before=(made("gone2"),),
        **nothing(),
    ),
    delete(
        "7.13",
        "a name is deleted whatever its case",
        "/api/delete",
        {"model": "GONE3:latest"},
        before=(made("gone3"),),
        **nothing(),
    ),
    delete(
        "7.13",
        "a deleted name is gone",
        "/api/delete",
        {"model": "gone4"},
        before=(made("gone4"), ("DELETE", "/api/delete", {"model": "gone4"})),
        **error(404, "model 'gone4' not found"),
    ),
    delete(
        "7.13",
        "what is LM Studio's stays",
        "/api/delete",
        {"model": "plain"},
        **error(501, TEXT),
        differs=DELETE_DIFFERS,
    ),
    post("7.10", "nothing is pushed", "/api/push", {"model": "plain"}, **error(501, TEXT), differs=PUSH_DIFFERS),
    head("7.14", "a blob is not there", HELLO, status=404, type=ANYTHING),
    head("7.14", "a blob needs a digest", "/api/blobs/bogus", status=400, type=ANYTHING),
    post("7.14", "a file needs a digest", "/api/blobs/bogus", b"hello", **error(400, "invalid digest format")),
    post("7.14", "a file is not taken", HELLO, b"hello", **error(501, NO_FILES), differs=FILES_DIFFER),
    post(
        "7.14",
        "a file is not taken by its other name",
        HELLO.replace("sha256:", "sha256-"),
        b"hello",
        **error(501, NO_FILES),
        differs=FILES_DIFFER,
    ),
    get("7.14", "blobs are not handed out", HELLO, status=405, type="text/plain", text="405 method not allowed"),
)

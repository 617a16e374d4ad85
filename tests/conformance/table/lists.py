"""The greeting, the version and the lists (sections 7.1 to 7.4)."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, error, get, post
from support.shapes import (
    ANYTHING,
    HEX64,
    LOCAL,
    NATURAL,
    POSITIVE,
    STRING,
    TEXT,
    Shape,
    every,
    mapping,
    matching,
    one_of,
    optional,
)

NAME = matching(r"[\w./-]+:[\w.-]+", "a name with its tag")
CAPABILITIES = every(one_of("completion", "tools", "insert", "vision", "embedding", "decision", "thinking"), 1)

DETAILS: dict[Any, Any] = {
    "parent_model": STRING,
    "format": "gguf",
    "family": TEXT,
    "families": every(TEXT, 1),
    "parameter_size": TEXT,
    "quantization_level": TEXT,
}

TAG = {
    "name": NAME,
    "model": NAME,
    "modified_at": LOCAL,
    "size": POSITIVE,
    "digest": HEX64,
    "details": {**DETAILS, optional("context_length"): POSITIVE, optional("embedding_length"): POSITIVE},
    "capabilities": CAPABILITIES,
}

RUNNING = {
    "name": NAME,
    "model": NAME,
    "size": POSITIVE,
    "digest": HEX64,
    "details": DETAILS,
    "expires_at": LOCAL,
    "size_vram": NATURAL,
    "context_length": POSITIVE,
}

SHOWN = {
    optional("license"): TEXT,
    "modelfile": TEXT,
    optional("parameters"): TEXT,
    "template": TEXT,
    optional("system"): TEXT,
    "details": DETAILS,
    optional("messages"): every({"role": TEXT, "content": STRING}, 1),
    "model_info": mapping(ANYTHING, {"general.architecture": TEXT}),
    optional("projector_info"): mapping(ANYTHING),
    optional("tensors"): every({"name": TEXT, "type": TEXT, "shape": every(POSITIVE)}),
    "capabilities": CAPABILITIES,
    optional("thinking"): {"values": every(one_of(True, False, "low", "medium", "high"), 1), "default": ANYTHING},
    "modified_at": LOCAL,
}

ON_GPU = Shape("as much on the GPU as there is", lambda model: model["size_vram"] == model["size"] > 0)

HELLO_PLAIN = ("POST", "/api/chat", {"model": "plain", "keep_alive": 300})


def without(*keys: str) -> Shape:
    """Describe an object that has none of these keys."""
    return Shape(f"an object without {', '.join(keys)}", lambda value: not value.keys() & set(keys))


def show(name: str, body: dict[str, Any], holding: dict[str, Any], **more: Any) -> Row:
    """Make a row of a show."""
    return post("7.3", name, "/api/show", body, json=mapping(ANYTHING, holding), **more)


def _can(name: str, *capabilities: str) -> Row:
    return show(f"what {name} can do", {"model": name}, {"capabilities": list(capabilities)})


ROWS = (
    get("7.1", "the greeting", "/", type="text/plain; charset=utf-8", text="Ollama is running"),
    get("7.1", "the version", "/api/version", json={"version": "0.40.12"}, sent={"Content-Length": "21"}),
    get("7.1", "there is no cloud", "/api/status", json={"cloud": {"disabled": True, "source": "config"}}),
    get("7.2", "the list", "/api/tags", json={"models": every(TAG, 6)}),
    get(
        "7.2",
        "a model's digest is of what it is",
        "/api/tags",
        json={"models": every(mapping(ANYTHING, {"digest": HEX64}), 6)},
        differs=(
            "`digest` is computed from name, size, quantization, settings and capabilities, because LM "
            "Studio does not hash model files. It differs for each name and changes with each of these."
        ),
    ),
    get(
        "7.2",
        "a model's date is when we saw it first",
        "/api/tags",
        json={"models": every(mapping(ANYTHING, {"modified_at": LOCAL}), 6)},
        differs=(
            "`modified_at` (and `created` of /v1/models/{id}) is when the shim first saw the model, or when "
            "a name was made here: LM Studio reports no dates."
        ),
    ),
    get(
        "7.2",
        "a model's context is what it has",
        "/api/tags",
        json={"models": every(mapping(ANYTHING, {"details": mapping(ANYTHING, {"context_length": POSITIVE})}), 6)},
        differs=(
            "`details.context_length` is that of the loaded model, else the model's maximum; "
            "`embedding_length` is unknown."
        ),
    ),
    post("7.3", "a model is shown", "/api/show", {"model": "plain"}, json=SHOWN),
    post(
        "7.3",
        "a model is shown at length",
        "/api/show",
        {"model": "plain", "verbose": True},
        json=SHOWN,
        differs=(
            "`verbose` has no effect: LM Studio reports neither vocabulary nor tensors, so `model_info` has "
            "no arrays, and `tensors` and `projector_info` are missing."
        ),
    ),
    post("7.3", "an embedding model is shown", "/api/show", {"model": "tiny-embed"}, json=SHOWN),
    post("7.3", "a model that sees is shown", "/api/show", {"model": "tiny-vision"}, json=SHOWN),
    _can("plain", "completion"),
    _can("tiny-chat", "completion", "tools", "insert"),
    _can("tiny-think", "completion", "tools", "thinking"),
    _can("tiny-vision", "completion", "vision", "tools"),
    _can("tiny-embed", "embedding"),
    show("how tiny-think thinks", {"model": "tiny-think"}, {"thinking": {"values": [False, True], "default": True}}),
    post(
        "7.3",
        "think values of plain are left out",
        "/api/show",
        {"model": "plain"},
        json=without("thinking"),
        differs="`thinking` is there only for models whose levels LM Studio reports, not as `[false]` for all others.",
    ),
    post(
        "7.3",
        "the renderer is left out",
        "/api/show",
        {"model": "tiny-chat"},
        json=without("renderer", "parser", "template_source"),
        differs=(
            "`renderer`, `parser` and `template_source` are missing: LM Studio does not report how it renders a prompt."
        ),
    ),
    get(
        "7.2",
        "a model has no runner",
        "/api/tags",
        json={"models": every(without("runner"), 6)},
        differs="Entries name no `runner`, and each model is listed once: LM Studio chooses the engine.",
    ),
    show(
        "model_info has what clients look for",
        {"model": "tiny-chat"},
        {
            "model_info": {
                "general.architecture": "llama",
                "general.basename": TEXT,
                "general.parameter_count": POSITIVE,
                "llama.context_length": POSITIVE,
            }
        },
        differs=(
            "`model_info` has what LM Studio reports: architecture, base name, parameter count and context "
            "length. Other GGUF values, such as `general.file_type`, are missing."
        ),
    ),
    show(
        "the modelfile says where it is from",
        {"model": "plain"},
        {
            "modelfile": matching(
                '# Modelfile generated by "ollama show"\n# To build a new Modelfile based on this, replace'
                " FROM with:\n# FROM plain:latest\n\nFROM plain\n.*"
            )
        },
        differs="`FROM` in a modelfile is LM Studio's model key; Ollama's is the path of the weights.",
    ),
    show(
        "system replaces what the modelfile says",
        {"model": "plain", "system": "You are Mario."},
        {"modelfile": matching(".*\nSYSTEM You are Mario.\n.*"), "system": "You are Mario."},
    ),
    show(
        "options go to the modelfile",
        {"model": "plain", "options": {"temperature": 0.5, "stop": ["a", "b"]}},
        {"modelfile": matching(".*\nPARAMETER temperature 0.5\nPARAMETER stop a\nPARAMETER stop b\n.*")},
    ),
    show(
        "the template says what the model takes",
        {"model": "tiny-chat"},
        {"template": matching(r".*\.Tools.*\.Suffix.*\.Prompt.*")},
        differs=(
            "`template` is a placeholder that names what the model accepts (`.System`, `.Tools`, `.Suffix`, "
            "`.Prompt`): LM Studio applies the model's own template and does not report it."
        ),
    ),
    show(
        "the template of a model without tools does not speak of them",
        {"model": "plain"},
        {"template": matching(r"((?!tools|Tools|Suffix).)*")},
    ),
    show(
        "a loaded model is listed with its context",
        {"model": "plain"},
        {"parameters": matching(r"num_ctx {23} 4096")},
        before=(HELLO_PLAIN,),
        differs=(
            "`parameters` of a loaded model contain `num_ctx` with its loaded context, and "
            "`<arch>.context_length` is the same number: clients size their prompts by it."
        ),
    ),
    get("7.4", "what is loaded", "/api/ps", before=(HELLO_PLAIN,), json={"models": every(RUNNING, 1)}),
    get(
        "7.4",
        "all of what is loaded counts as being on the GPU",
        "/api/ps",
        before=(HELLO_PLAIN,),
        json={"models": every(ON_GPU, 1)},
        differs=(
            "`size` in /api/ps is the size on disk, and `size_vram` is the same: LM Studio does not report "
            "memory use, and clients show a smaller number as running on the CPU."
        ),
    ),
    post("7.3", "show needs a body", "/api/show", **error(400, "missing request body")),
)

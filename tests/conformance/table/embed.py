"""POST /api/embed and /api/embeddings (sections 7.7 and 7.8)."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, error, post
from support.shapes import ANYTHING, NATURAL, NUMBER, POSITIVE, Shape, every, fault_in, mapping, matching, unit_vector

WIDTH = 64


def embed(name: str, body: dict[str, Any], shape: Any, **more: Any) -> Row:
    """Make a row of embeddings that come."""
    return post("7.7", name, "/api/embed", {"model": "tiny-embed", **body}, json=shape, **more)


def refused(name: str, body: dict[str, Any], status: int, text: Any, **more: Any) -> Row:
    """Make a row of embeddings that do not."""
    return post("7.7", name, "/api/embed", {"model": "tiny-embed", **body}, **error(status, text), **more)


def vectors(count: int, width: int = WIDTH, model: str = "tiny-embed") -> dict[str, Any]:
    """Describe an answer with vectors in it."""
    return {
        "model": model,
        "embeddings": [unit_vector(width)] * count,
        "total_duration": POSITIVE,
        "load_duration": POSITIVE,
        "prompt_eval_count": NATURAL,
    }


NONE: dict[str, Any] = {"model": "tiny-embed", "embeddings": []}
RAW = Shape(f"{WIDTH} numbers", lambda value: fault_in(value, every(NUMBER)) is None and len(value) == WIDTH)
LONG = "the sky is blue " * 400

ROWS = (
    embed("a text", {"input": "hello world"}, vectors(1)),
    embed(
        "tokens without a count are left out",
        {"input": "hello"},
        mapping(ANYTHING, {"prompt_eval_count": 0}),
        differs="`prompt_eval_count` is 0, as LM Studio reports it: it does not count the tokens of embeddings.",
    ),
    embed(
        "vectors are as exact as LM Studio tells them",
        {"input": "hello"},
        vectors(1),
        differs="Numbers in vectors may have more digits than Ollama's, which are rounded to float32.",
    ),
    embed("several texts", {"input": ["hello", "the sky is blue", "hello"]}, vectors(3)),
    embed("an empty text in a list is one", {"input": [""]}, mapping(ANYTHING, {"embeddings": every(ANYTHING, 1)})),
    embed(
        "a name is repeated as it was written",
        {"model": "TINY-EMBED:latest", "input": "x"},
        vectors(1, model="TINY-EMBED:latest"),
    ),
    embed("vectors are cut and brought to length 1", {"input": "hello", "dimensions": 8}, vectors(1, 8)),
    *(
        embed(f"{count} dimensions change nothing", {"input": "hello", "dimensions": count}, vectors(1))
        for count in (0, -1, 64, 999)
    ),
    *(
        embed(f"{words} only loads", body, NONE)
        for words, body in (
            ("no input", {}),
            ("a null input", {"input": None}),
            ("an empty text", {"input": ""}),
            ("an empty list", {"input": []}),
        )
    ),
    *(
        refused(f"{value!r} is no input", {"input": value}, 400, "invalid input type")
        for value in (5, [5], {"a": 1}, [["x"]], ["x", None], True)
    ),
    refused("the type of the input comes before the model", {"model": "nope", "input": 5}, 400, "invalid input type"),
    refused(
        "the name comes before the type of the input", {"model": "bad name", "input": 5}, 400, "invalid model name"
    ),
    refused(
        "an option has a type",
        {"input": "x", "options": {"num_ctx": "q"}},
        500,
        'option "num_ctx" must be of type integer',
    ),
    embed("a text that is too long is cut", {"input": LONG}, vectors(1)),
    refused(
        "a text that is too long may be refused",
        {"input": LONG, "truncate": False},
        400,
        matching(".*context length.*"),
    ),
    embed(
        "a text is cut to the loaded context",
        {"input": "one two three four five", "options": {"num_ctx": 3}},
        vectors(1),
        differs="A text is cut to the context that is loaded, also when `num_ctx` is smaller: LM Studio cuts, and has"
        " no route that counts tokens. `truncate: false` rejects what has more words than `num_ctx`.",
    ),
    refused(
        "a text that is too long for a small context may be refused",
        {"input": "one two three four five", "truncate": False, "options": {"num_ctx": 3}},
        400,
        "the input length exceeds the context length",
    ),
    refused(
        "no text fits into one token",
        {"input": "hello", "options": {"num_ctx": 1}},
        400,
        "input after truncation exceeds maximum context length",
    ),
    embed("other fields are not read", {"input": "x", "name": "foo", "stream": True, "prompt": 5}, vectors(1)),
    post(
        "7.8", "a prompt", "/api/embeddings", {"model": "tiny-embed", "prompt": "hello world"}, json={"embedding": RAW}
    ),
    post(
        "7.8",
        "a prompt that is too long",
        "/api/embeddings",
        {"model": "tiny-embed", "prompt": LONG},
        **error(500, matching(".*context length.*")),
    ),
    *(
        post("7.8", f"{words} only loads", "/api/embeddings", {"model": "tiny-embed", **body}, json={"embedding": []})
        for words, body in (("no prompt", {}), ("a null prompt", {"prompt": None}), ("an empty prompt", {"prompt": ""}))
    ),
    post(
        "7.8",
        "names have no case here either",
        "/api/embeddings",
        {"model": "TINY-EMBED", "prompt": "hello"},
        json={"embedding": RAW},
        differs="/api/embeddings ignores the case of a model's name, as all other routes do; Ollama's does not.",
    ),
    post(
        "7.8",
        "options have types",
        "/api/embeddings",
        {"model": "tiny-embed", "prompt": "x", "options": {"seed": "x"}},
        **error(500, 'option "seed" must be of type integer'),
    ),
)

"""Bodies that cannot be read (section 1.7)."""

from __future__ import annotations

from conformance.row import Row, error, post

_BODIES = (
    ("nothing", b"", "missing request body"),
    ("an object that is cut", b'{"model":"x"', "unexpected EOF"),
    ("a key without quotes", b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
)
"""Some of what tests/unit/schemas/test_json_syntax.py has."""

_ROUTES = (
    ("POST", "/api/generate", "GenerateRequest"),
    ("POST", "/api/chat", "ChatRequest"),
    ("POST", "/api/embed", "EmbedRequest"),
    ("POST", "/api/embeddings", "EmbeddingRequest"),
    ("POST", "/api/show", "ShowRequest"),
    ("POST", "/api/pull", "PullRequest"),
    ("POST", "/api/push", "PushRequest"),
    ("POST", "/api/create", "CreateRequest"),
    ("POST", "/api/copy", "CopyRequest"),
    ("DELETE", "/api/delete", "DeleteRequest"),
)

_KINDS = (("array", b"[]"), ("string", b'"x"'), ("number", b"1"), ("bool", b"true"))

_FIELDS = (
    ("chat", {"messages": [{"content": []}]}, "array", "ChatRequest.messages.content", "string"),
    ("chat", {"tools": [{"function": {"name": 1}}]}, "number", "ToolFunction.tools.function.name", "string"),
    ("generate", {"context": [1.5]}, "number 1.5", "GenerateRequest.context", "int"),
    ("generate", {"options": []}, "array", "GenerateRequest.options", "map[string]interface {}"),
    ("embed", {"dimensions": "2"}, "string", "EmbedRequest.dimensions", "int"),
    ("embeddings", {"prompt": []}, "array", "EmbeddingRequest.prompt", "string"),
    ("show", {"verbose": "x"}, "string", "ShowRequest.verbose", "bool"),
    ("copy", {"source": 1}, "number", "CopyRequest.source", "string"),
    ("pull", {"model": 1}, "number", "PullRequest.model", "string"),
    ("push", {"stream": "x"}, "string", "PushRequest.stream", "bool"),
    ("create", {"files": "x"}, "string", "CreateRequest.files", "map[string]string"),
)
"""One field or two of each route; tests/unit/schemas/test_unmarshal_errors.py has all."""


def _wrong_kind(kind: str, of_type: str) -> str:
    return f"json: cannot unmarshal {kind} into Go value of type api.{of_type}"


def _wrong_field(kind: str, path: str, of_type: str) -> str:
    return f"json: cannot unmarshal {kind} into Go struct field {path} of type {of_type}"


ROWS = (
    *(
        Row(section="1.7", name=f"{path} cannot read {words}", method=method, path=path, body=body, **error(400, text))
        for method, path, _ in _ROUTES
        for words, body, text in _BODIES
    ),
    *(
        Row(
            section="1.7",
            name=f"{path} is not asked with a {kind}",
            method=method,
            path=path,
            body=body,
            **error(400, _wrong_kind(kind, of_type)),
        )
        for method, path, of_type in _ROUTES
        for kind, body in _KINDS
    ),
    *(
        post(
            "1.7",
            f"{kind} is no {path.rpartition('.')[2]} of {route}",
            f"/api/{route}",
            {"model": "plain", **body},
            **error(400, _wrong_field(kind, path, of_type)),
        )
        for route, body, kind, path, of_type in _FIELDS
    ),
    post("1.7", "null is an empty object", "/api/chat", b"null", **error(400, "model is required")),
    post(
        "1.7",
        "what follows the first value is not read",
        "/api/show",
        b'{"model":"nope"}}{[',
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "1.7",
        "names of fields have no case",
        "/api/show",
        {"MODEL": "nope"},
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "1.7",
        "unknown fields are not read",
        "/api/show",
        {"model": "nope", "x": {"y": [1]}},
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "1.7",
        "of a field that comes twice the last one counts",
        "/api/show",
        b'{"model":"plain","model":"nope"}',
        **error(404, "model 'nope:latest' not found"),
    ),
    post(
        "1.7",
        "null is no field",
        "/api/show",
        {"model": "nope", "verbose": None, "options": None},
        **error(404, "model 'nope:latest' not found"),
    ),
)

"""Bodies that cannot be read (section 1.7)."""

from __future__ import annotations

from conformance.row import Row, error, post

_BODIES = (
    ("nothing", b"", "missing request body"),
    ("white space", b" \r\n\t", "missing request body"),
    ("an object that is cut", b'{"model":"x"', "unexpected EOF"),
    ("a string that is cut", b'{"model":"x', "unexpected EOF"),
    ("a word that is cut", b"tru", "unexpected EOF"),
    ("an opening brace", b"{", "unexpected EOF"),
    ("a letter", b"x", "invalid character 'x' looking for beginning of value"),
    ("a key without quotes", b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    ("a comma before the end", b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    ("no colon", b'{"a" 1}', "invalid character '1' after object key"),
    ("no value", b'{"model":}', "invalid character '}' looking for beginning of value"),
    ("a control character", b'{"model":"plain\x01"}', "invalid character '\\x01' in string literal"),
    ("a byte order mark", b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
)

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
    ("chat", {"messages": "x"}, "string", "ChatRequest.messages", "[]api.Message"),
    ("chat", {"messages": ["x"]}, "string", "ChatRequest.messages", "api.Alias"),
    ("chat", {"messages": [1]}, "number", "ChatRequest.messages", "api.Alias"),
    ("chat", {"messages": [{"content": []}]}, "array", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"content": {"a": 1}}]}, "object", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"content": True}]}, "bool", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"role": 1}]}, "number", "ChatRequest.messages.role", "string"),
    ("chat", {"messages": [{"thinking": 1}]}, "number", "ChatRequest.messages.thinking", "string"),
    ("chat", {"messages": [{"images": "x"}]}, "string", "ChatRequest.messages.images", "[]api.ImageData"),
    ("chat", {"messages": [{"images": [1]}]}, "number", "ChatRequest.messages.images", "api.ImageData"),
    ("chat", {"messages": [{"tool_calls": "x"}]}, "string", "ChatRequest.messages.tool_calls", "[]api.ToolCall"),
    (
        "chat",
        {"messages": [{"tool_calls": [{"function": "x"}]}]},
        "string",
        "ChatRequest.messages.tool_calls.function",
        "api.ToolCallFunction",
    ),
    (
        "chat",
        {"messages": [{"tool_calls": [{"function": {"name": 1}}]}]},
        "number",
        "ChatRequest.messages.tool_calls.function.name",
        "string",
    ),
    (
        "chat",
        {"messages": [{"tool_calls": [{"id": 1, "function": {"name": "f"}}]}]},
        "number",
        "ChatRequest.messages.tool_calls.id",
        "string",
    ),
    ("chat", {"tools": {}}, "object", "ChatRequest.tools", "api.Tools"),
    ("chat", {"tools": ["x"]}, "string", "ChatRequest.tools", "api.Tool"),
    ("chat", {"tools": [{"function": {"name": 1}}]}, "number", "ToolFunction.tools.function.name", "string"),
    (
        "chat",
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]},
        "string",
        "ToolFunction.tools.function.parameters",
        "api.ToolFunctionParameters",
    ),
    (
        "chat",
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": ["object"]}}}]},
        "array",
        "ToolFunctionParameters.tools.function.parameters.type",
        "string",
    ),
    (
        "chat",
        {"tools": [{"function": {"name": "f", "parameters": {"properties": {"a": {"type": 5}}}}}]},
        "number",
        "ToolFunctionParameters.tools.function.parameters.properties.type",
        "[]string",
    ),
    ("chat", {"options": []}, "array", "ChatRequest.options", "map[string]interface {}"),
    ("chat", {"stream": "x"}, "string", "ChatRequest.stream", "bool"),
    ("chat", {"logprobs": "x"}, "string", "ChatRequest.logprobs", "bool"),
    ("chat", {"top_logprobs": 1.5}, "number 1.5", "ChatRequest.top_logprobs", "int"),
    ("generate", {"model": ["x"]}, "array", "GenerateRequest.model", "string"),
    ("generate", {"prompt": 1}, "number", "GenerateRequest.prompt", "string"),
    ("generate", {"prompt": ["x"]}, "array", "GenerateRequest.prompt", "string"),
    ("generate", {"suffix": 1}, "number", "GenerateRequest.suffix", "string"),
    ("generate", {"system": 1}, "number", "GenerateRequest.system", "string"),
    ("generate", {"template": 1}, "number", "GenerateRequest.template", "string"),
    ("generate", {"context": "x"}, "string", "GenerateRequest.context", "[]int"),
    ("generate", {"context": [1.5]}, "number 1.5", "GenerateRequest.context", "int"),
    ("generate", {"stream": 1}, "number", "GenerateRequest.stream", "bool"),
    ("generate", {"raw": "x"}, "string", "GenerateRequest.raw", "bool"),
    ("generate", {"images": "x"}, "string", "GenerateRequest.images", "[]api.ImageData"),
    ("generate", {"images": [1]}, "number", "GenerateRequest.images", "api.ImageData"),
    ("generate", {"options": []}, "array", "GenerateRequest.options", "map[string]interface {}"),
    ("generate", {"truncate": "x"}, "string", "GenerateRequest.truncate", "bool"),
    ("generate", {"shift": "x"}, "string", "GenerateRequest.shift", "bool"),
    ("generate", {"logprobs": "x"}, "string", "GenerateRequest.logprobs", "bool"),
    ("generate", {"top_logprobs": "x"}, "string", "GenerateRequest.top_logprobs", "int"),
    ("generate", {"_debug_render_only": 1}, "number", "GenerateRequest._debug_render_only", "bool"),
    ("embed", {"dimensions": "2"}, "string", "EmbedRequest.dimensions", "int"),
    ("embed", {"truncate": 1}, "number", "EmbedRequest.truncate", "bool"),
    ("embeddings", {"prompt": []}, "array", "EmbeddingRequest.prompt", "string"),
    ("show", {"model": 1}, "number", "ShowRequest.model", "string"),
    ("show", {"verbose": "x"}, "string", "ShowRequest.verbose", "bool"),
    ("copy", {"source": 1}, "number", "CopyRequest.source", "string"),
    ("pull", {"model": 1}, "number", "PullRequest.model", "string"),
    ("push", {"stream": "x"}, "string", "PushRequest.stream", "bool"),
    ("create", {"files": "x"}, "string", "CreateRequest.files", "map[string]string"),
    ("create", {"parameters": "x"}, "string", "CreateRequest.parameters", "map[string]interface {}"),
)


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
            f"{kind} is no {path.rpartition('.')[2]} of {route} ({number})",
            f"/api/{route}",
            {"model": "plain", **body},
            **error(400, _wrong_field(kind, path, of_type)),
        )
        for number, (route, body, kind, path, of_type) in enumerate(_FIELDS)
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

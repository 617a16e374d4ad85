"""The tags, bodies, answers and summaries of operations, where the route itself does not have them."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import Schema

from flask_shim.openapi.response_schemas import COUNT, OBJECT, TEXT, Shape, array, object_of, ref
from flask_shim.schemas import ollama_requests as ollama
from flask_shim.schemas import service_schemas as service
from flask_shim.schemas import v1_requests as v1

JSON, NDJSON, EVENTS, PLAIN, HTML = (
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "text/plain",
    "text/html",
)

CHAT, MODELS, NAMES, OTHERS, STUDIO, SERVICE, OPERATOR, STATE, ACCOUNT = (
    "Chat and embed",
    "Models",
    "Names of your own",
    "OpenAI and Anthropic",
    "LM Studio's own API",
    "Service",
    "Operator",
    "State",
    "ollama.com",
)

TAGS = {
    CHAT: "Ollama's routes for answers. Chats and prompts get a stream of JSON lines unless `stream` is false.",
    MODELS: "Which models there are, what they can do, what is loaded.",
    NAMES: "A model under another name, with a system prompt and settings of its own.",
    OTHERS: "The same models for programs that speak OpenAI's or Anthropic's API.",
    STUDIO: "Forwarded unchanged, except that every name of a model is accepted.",
    SERVICE: "A small API of its own: chat with the default models, load and unload.",
    OPERATOR: "See what this server does, stop requests, load and unload models; also as a page at `/shim/`.",
    STATE: "Health checks, metrics and this description.",
    ACCOUNT: "Routes for an account at ollama.com, which this server does not have.",
}
"""The groups in the order of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. ``reply`` is a component's name or a schema, None for no body.

    ``stream`` has its media type and the component of one piece. ``summary`` replaces the route's docstring.
    """

    tag: str
    body: type[Schema] | Shape | None = None
    reply: str | Shape | None = None
    stream: tuple[str, str | Shape] | None = None
    media: str = JSON
    status: int = 200
    summary: str = ""


_STREAMED = (EVENTS, TEXT)
_OPENAI_CHAT = object_of(
    {"stream": {"type": "boolean"}, "max_tokens": COUNT, "temperature": {"type": "number"}, "tools": array(OBJECT)},
    model=TEXT,
    messages=array(OBJECT),
)
_OPENAI_PROMPT = object_of({"stream": {"type": "boolean"}, "max_tokens": COUNT}, model=TEXT, prompt=TEXT)
_OPENAI_DECISION = object_of(model=TEXT, input={"type": ["string", "array"]}, questions=array(OBJECT))
_SOUND = object_of(model=TEXT, file={"type": "string", "format": "binary"})
_PROGRESS = (NDJSON, "Progress")
_SAID = {"type": "string", "const": "Ollama is running"}


_SERVICE_CHAT = Operation(tag=SERVICE, body=service.ChatSchema, reply="ServiceAnswer")
_SERVICE_STREAM = Operation(tag=SERVICE, body=service.ChatSchema, stream=(NDJSON, "ServicePiece"))

OPERATIONS: dict[str, Operation] = {
    "POST /api/chat": Operation(tag=CHAT, body=ollama.ChatSchema, reply="ChatRecord", stream=(NDJSON, "ChatRecord")),
    "POST /api/generate": Operation(
        tag=CHAT, body=ollama.GenerateSchema, reply="GenerateRecord", stream=(NDJSON, "GenerateRecord")
    ),
    "POST /api/embed": Operation(tag=CHAT, body=ollama.EmbedSchema, reply="Vectors"),
    "POST /api/embeddings": Operation(tag=CHAT, body=ollama.EmbeddingsSchema, reply="Vector"),
    "GET /api/tags": Operation(tag=MODELS, reply="Tags"),
    "POST /api/show": Operation(tag=MODELS, body=ollama.ShowSchema, reply="Shown"),
    "GET /api/ps": Operation(tag=MODELS, reply="Running"),
    "POST /api/pull": Operation(tag=MODELS, body=ollama.PullSchema, reply="Progress", stream=_PROGRESS),
    "POST /api/push": Operation(tag=MODELS, body=ollama.PushSchema, status=501, summary="Push a model (refused)."),
    "GET /api/experimental/model-recommendations": Operation(tag=MODELS, reply="Recommendations"),
    "POST /api/create": Operation(tag=NAMES, body=ollama.CreateSchema, reply="Progress", stream=_PROGRESS),
    "POST /api/copy": Operation(tag=NAMES, body=ollama.CopySchema),
    "DELETE /api/delete": Operation(tag=NAMES, body=ollama.DeleteSchema),
    "HEAD /api/blobs/<digest>": Operation(tag=NAMES, status=404, summary="Look for a model file; always 404."),
    "POST /api/blobs/<digest>": Operation(tag=NAMES, status=501, summary="Send a model file (refused)."),
    "POST /v1/chat/completions": Operation(
        tag=OTHERS, body=_OPENAI_CHAT, reply=OBJECT, stream=_STREAMED, summary="Chat, in OpenAI's format."
    ),
    "POST /v1/completions": Operation(
        tag=OTHERS, body=_OPENAI_PROMPT, reply=OBJECT, stream=_STREAMED, summary="Continue a text, in OpenAI's format."
    ),
    "POST /v1/embeddings": Operation(tag=OTHERS, body=v1.OpenAIEmbeddingsSchema, reply=OBJECT),
    "POST /v1/systemone": Operation(tag=CHAT, body=v1.SystemOneSchema, reply="Decision"),
    "POST /v1/decisions": Operation(
        tag=OTHERS, body=_OPENAI_DECISION, reply=OBJECT, summary="Answer questions with probabilities, as OpenAI does."
    ),
    "GET /v1/models": Operation(tag=OTHERS, reply=OBJECT),
    "GET /v1/models/<path:name>": Operation(tag=OTHERS, reply="OpenAIModel"),
    "POST /v1/responses": Operation(tag=OTHERS, body=v1.ResponsesSchema, reply=OBJECT, stream=_STREAMED),
    "POST /v1/messages": Operation(tag=OTHERS, body=v1.MessagesSchema, reply=OBJECT, stream=_STREAMED),
    "POST /v1/messages/count_tokens": Operation(tag=OTHERS, body=v1.MessagesSchema, reply="TokenCount"),
    "POST /v1/audio/transcriptions": Operation(
        tag=OTHERS, body=_SOUND, status=501, summary="Transcribe a sound (refused)."
    ),
    "POST /v1/audio/speech": Operation(tag=OTHERS, body=OBJECT, status=501, summary="Speak a text (refused)."),
    "GET /v1/<path:rest>": Operation(tag=OTHERS, reply=OBJECT),
    "POST /v1/<path:rest>": Operation(tag=OTHERS, body=OBJECT, reply=OBJECT),
    "GET /api/v1/<path:rest>": Operation(tag=STUDIO, reply=OBJECT),
    "POST /api/v1/<path:rest>": Operation(tag=STUDIO, body=OBJECT, reply=OBJECT),
    "GET /api/v0/<path:rest>": Operation(tag=STUDIO, reply=OBJECT),
    "POST /api/v0/<path:rest>": Operation(tag=STUDIO, body=OBJECT, reply=OBJECT),
    "GET /models": Operation(tag=SERVICE, reply="ServiceModels"),
    "POST /models/load": Operation(tag=SERVICE, body=service.LoadSchema, reply="Loaded"),
    "POST /models/unload": Operation(tag=SERVICE, body=service.UnloadSchema, reply="Unloaded"),
    "POST /chat": _SERVICE_CHAT,
    "POST /chat/stream": _SERVICE_STREAM,
    "POST /chat/regular": _SERVICE_CHAT,
    "POST /chat/regular/stream": _SERVICE_STREAM,
    "POST /chat/vision": _SERVICE_CHAT,
    "POST /chat/vision/stream": _SERVICE_STREAM,
    "GET /help": Operation(tag=SERVICE, reply="ServiceRoutes"),
    "GET /shim/status": Operation(tag=OPERATOR, reply="Status"),
    "GET /shim/requests": Operation(tag=OPERATOR, reply="Requests"),
    "DELETE /shim/requests/<id>": Operation(tag=OPERATOR, reply="Canceled"),
    "POST /shim/reload": Operation(tag=OPERATOR, reply="Reloaded"),
    "GET /shim": Operation(tag=OPERATOR, status=301),
    "GET /shim/": Operation(tag=OPERATOR, reply=TEXT, media=HTML),
    "GET /shim/exchanges": Operation(tag=OPERATOR, reply="Exchanges"),
    "POST /shim/exchanges": Operation(tag=OPERATOR, body=service.RecordingSchema, reply=OBJECT),
    "DELETE /shim/exchanges": Operation(tag=OPERATOR, reply=OBJECT),
    "GET /shim/exchanges/<exchange>": Operation(tag=OPERATOR, reply="Exchange"),
    "POST /shim/exchanges/<exchange>/replay": Operation(tag=OPERATOR, reply=OBJECT),
    "GET /shim/static/<name>": Operation(tag=OPERATOR, reply=TEXT, media="*/*"),
    "GET /shim/models": Operation(tag=OPERATOR, reply=object_of(models=array(ref("OperatorModel")))),
    "POST /shim/models/load": Operation(
        tag=OPERATOR, body=service.OperatorLoadSchema, reply=object_of(model=ref("OperatorModel"))
    ),
    "POST /shim/models/unload": Operation(
        tag=OPERATOR, body=service.OperatorUnloadSchema, reply=object_of(model=ref("OperatorModel"))
    ),
    "POST /shim/models/pull": Operation(tag=OPERATOR, body=ollama.PullSchema, reply="Progress", stream=_PROGRESS),
    "GET /shim/log": Operation(tag=OPERATOR, reply=object_of(lines=array(object_of(level=TEXT, text=TEXT)))),
    "GET /shim/history": Operation(tag=OPERATOR, reply="History"),
    "GET /": Operation(tag=STATE, reply=_SAID, media=PLAIN),
    "GET /api/version": Operation(tag=STATE, reply="Version"),
    "GET /health": Operation(tag=STATE, reply="Alive"),
    "GET /healthz": Operation(tag=STATE, reply="Alive"),
    "GET /ping": Operation(tag=STATE, reply="Alive"),
    "GET /ready": Operation(tag=STATE, reply="Ready"),
    "GET /metrics": Operation(tag=STATE, reply=TEXT, media=PLAIN, summary="Return metrics for Prometheus."),
    "GET /openapi.json": Operation(tag=STATE, reply=OBJECT),
    "GET /docs": Operation(tag=STATE, status=301),
    "GET /docs/": Operation(tag=STATE, reply=TEXT, media=HTML),
    "GET /docs/<name>": Operation(tag=STATE, reply=TEXT, media="*/*"),
    "GET /api/status": Operation(tag=ACCOUNT, reply="CloudStatus"),
    "POST /api/me": Operation(tag=ACCOUNT, status=401),
    "POST /api/signout": Operation(tag=ACCOUNT, status=401),
    "DELETE /api/user/keys/<path:key>": Operation(tag=ACCOUNT, status=401),
    "POST /api/experimental/web_search": Operation(tag=ACCOUNT, status=403),
    "POST /api/experimental/web_fetch": Operation(tag=ACCOUNT, status=403),
}
"""In the order of the page. A route that is missing here is described by its docstring."""

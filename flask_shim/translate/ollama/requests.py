"""The requests of clients, checked and typed: the output of the schemas, the input of the translation.

Field names are those of Ollama's API. ``keep_alive`` is in seconds: None if absent, ``math.inf`` for "forever", 0 for
"unload". ``images`` are in base64, without line ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from flask_shim.translate.ollama.quoting import go_quote


@dataclass(frozen=True, slots=True)
class InvalidFormat:
    """A ``format`` that Ollama rejects after it has loaded the model. ``raw`` is the client's JSON text."""

    raw: str

    @property
    def complaint(self) -> str:
        """Ollama's error, which has status 500."""
        return f'invalid format: {go_quote(self.raw)}; expected "json" or a valid JSON Schema object'


Format = Literal["json"] | Mapping[str, Any] | InvalidFormat | None
"""Free text (None), any JSON object ("json"), or a JSON schema."""

Think = bool | str | None
"""Whether the model thinks, or the name of one of its levels; None for its default."""


@dataclass(slots=True)
class ToolCall:
    """A call of the model in the history."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(slots=True)
class Message:
    """One chat turn. Agents send hundreds, and frozen ones would take three times as long to make."""

    role: str
    content: str = ""
    thinking: str = ""
    images: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """The fields of both /api/chat and /api/generate."""

    model: str
    stream: bool = True
    format: Format = None
    keep_alive: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    think: Think = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    debug_render_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(InferenceRequest):
    """POST /api/chat. ``tools`` are the tool definitions, key order kept."""

    messages: tuple[Message, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest(InferenceRequest):
    """POST /api/generate."""

    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: tuple[int, ...] = ()
    raw: bool = False
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """POST /api/embed. ``inputs`` is empty for a load probe.

    ``input_complaint`` is Ollama's 400 for inputs that are not strings, raised between the checks of the model's name
    and of its existence.
    """

    model: str
    inputs: tuple[str, ...] = ()
    input_complaint: str = ""
    truncate: bool = True
    dimensions: int = 0
    keep_alive: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRequest:
    """POST /api/embeddings, the legacy route."""

    model: str
    prompt: str = ""
    keep_alive: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


ModelRequest = InferenceRequest | EmbedRequest | EmbeddingsRequest
"""A request with options and a keep-alive."""

AnyModelRequest = TypeVar("AnyModelRequest", bound=ModelRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIEmbeddingsRequest:
    """POST /v1/embeddings. ``rest`` is the request without the fields that LM Studio ignores.

    For inputs that are not strings ``inputs`` is empty, and ``input_complaint`` is Ollama's text (400).
    """

    model: str
    inputs: tuple[str, ...]
    input_complaint: str
    dimensions: int
    as_base64: bool
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a decision model. ``criteria`` is None if the client sent none, or null."""

    type: str
    instructions: Any
    criteria: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """POST /v1/systemone. ``questions`` keeps the client's order, which is that of the answers."""

    model: str
    state: Any
    questions: Mapping[str, Question]
    images: tuple[str, ...] = ()
    videos: tuple[Any, ...] = ()
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRequest:
    """POST /api/show."""

    model: str
    verbose: bool = False
    system: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """POST /api/pull."""

    model: str
    stream: bool = True
    insecure: bool = False


class PushRequest(PullRequest):
    """POST /api/push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasSettings:
    """What a user can set for a name.

    ``config`` holds those of ``renderer``, ``parser`` and ``requires`` that were given; they are shown but have no
    effect.
    """

    system: str = ""
    template: str = ""
    license: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest(AliasSettings):
    """POST /api/create: the settings of an alias, and the fields that are rejected because LM Studio has no such thing.

    ``files`` is None when absent, because Ollama has another error for empty ones.
    """

    model: str
    from_: str = ""
    stream: bool = True
    files: Mapping[str, str] | None = None
    draft_files: Mapping[str, str] | None = None
    adapters: Mapping[str, str] | None = None
    quantize: str = ""
    draft_quantize: str = ""
    remote_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """POST /api/copy."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequest:
    """DELETE /api/delete."""

    model: str

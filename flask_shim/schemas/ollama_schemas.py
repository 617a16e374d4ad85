"""The bodies of Ollama's own routes: their fields and types."""

from __future__ import annotations

from flask_shim.schemas.go_fields import GoAny, GoBool, GoInt, GoList, GoMap, GoSchema, GoString, GoStringMap
from flask_shim.schemas.messages import messages
from flask_shim.schemas.ollama_fields import FormatValue, Image, KeepAlive, ThinkValue
from flask_shim.schemas.tools import tools


class GenerationSchema(GoSchema):
    """The fields of both /api/chat and /api/generate."""

    model = GoString()
    stream = GoBool(load_default=True)
    format = FormatValue()
    keep_alive = KeepAlive()
    options = GoMap()
    think = ThinkValue()
    truncate = GoBool(load_default=True)
    shift = GoBool(load_default=True)
    logprobs = GoBool()
    top_logprobs = GoInt()
    debug_render_only = GoBool(data_key="_debug_render_only")


class ChatSchema(GenerationSchema):
    """POST /api/chat."""

    struct = "ChatRequest"

    messages = messages()
    tools = tools()


class GenerateSchema(GenerationSchema):
    """POST /api/generate."""

    struct = "GenerateRequest"

    prompt = GoString()
    suffix = GoString()
    system = GoString()
    template = GoString()
    context = GoList(GoInt(), "[]int")
    raw = GoBool()
    images = GoList(Image(), "[]api.ImageData")


class EmbedSchema(GoSchema):
    """POST /api/embed."""

    struct = "EmbedRequest"

    model = GoString()
    input = GoAny()
    truncate = GoBool(load_default=True)
    dimensions = GoInt()
    keep_alive = KeepAlive()
    options = GoMap()


class EmbeddingsSchema(GoSchema):
    """POST /api/embeddings."""

    struct = "EmbeddingRequest"

    model = GoString()
    prompt = GoString()
    keep_alive = KeepAlive()
    options = GoMap()


class NamedSchema(GoSchema):
    """A body whose model may be in the deprecated field ``name``."""

    model = GoString()
    name = GoString()


class ShowSchema(NamedSchema):
    """POST /api/show."""

    struct = "ShowRequest"

    verbose = GoBool()
    system = GoString()
    options = GoMap()


class PullSchema(NamedSchema):
    """POST /api/pull."""

    struct = "PullRequest"

    stream = GoBool(load_default=True)
    insecure = GoBool()


class PushSchema(PullSchema):
    """POST /api/push."""

    struct = "PushRequest"


class CreateSchema(NamedSchema):
    """POST /api/create."""

    struct = "CreateRequest"

    from_ = GoString(data_key="from")
    stream = GoBool(load_default=True)
    system = GoString()
    template = GoString()
    license = GoAny()
    parameters = GoMap()
    messages = messages()
    files = GoStringMap()
    draft_files = GoStringMap()
    adapters = GoStringMap()
    quantize = GoString()
    quantization = GoString()
    draft_quantize = GoString()
    renderer = GoString()
    parser = GoString()
    requires = GoString()
    remote_host = GoString()
    info = GoMap()


class CopySchema(GoSchema):
    """POST /api/copy."""

    struct = "CopyRequest"

    source = GoString()
    destination = GoString()


class DeleteSchema(NamedSchema):
    """DELETE /api/delete."""

    struct = "DeleteRequest"

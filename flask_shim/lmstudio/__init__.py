"""A client for LM Studio's HTTP API, usable without the shim and without Flask."""

from flask_shim.lmstudio.chat import Chat, End, Piece, Reasoning, Text, ToolCall
from flask_shim.lmstudio.client import LMStudio
from flask_shim.lmstudio.downloads import Download
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    BackendUnavailable,
    ClientDisconnected,
    ContextOverflow,
    InvalidModelName,
    LMStudioError,
    ModelEvicted,
    ModelLoadError,
    ModelNotFound,
    NoModelLoaded,
    NoSuchEndpoint,
    NotSupported,
    ServerBusy,
    UnsupportedReasoningEffort,
)
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.lms.tool import CliTool
from flask_shim.lmstudio.model import Instance, Kind, Model, Support
from flask_shim.lmstudio.readiness import Preload, Readiness, ensure_ready

__all__ = [
    "BackendCall",
    "BackendError",
    "BackendProtocolError",
    "BackendRequestError",
    "BackendTimeout",
    "BackendUnavailable",
    "Chat",
    "CliTool",
    "ClientDisconnected",
    "ClientOptions",
    "ContextOverflow",
    "Download",
    "End",
    "Instance",
    "InvalidModelName",
    "Kind",
    "LMStudio",
    "LMStudioError",
    "Model",
    "ModelEvicted",
    "ModelLoadError",
    "ModelNotFound",
    "NoModelLoaded",
    "NoSuchEndpoint",
    "NotSupported",
    "Piece",
    "Preload",
    "Readiness",
    "Reasoning",
    "ServerBusy",
    "Support",
    "Text",
    "ToolCall",
    "UnsupportedReasoningEffort",
    "ensure_ready",
]

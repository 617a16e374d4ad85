"""A client for LM Studio's HTTP API that can be used without the shim, without Flask and without Ollama's words."""

from flask_shim.lmstudio.calls import Call
from flask_shim.lmstudio.chats import Chat, End, Piece, Reasoning, Text, ToolCall
from flask_shim.lmstudio.cli_tool import CliTool
from flask_shim.lmstudio.client import LMStudio
from flask_shim.lmstudio.downloads import Download
from flask_shim.lmstudio.link import Link
from flask_shim.lmstudio.model import Instance, Kind, Model, Support
from flask_shim.lmstudio.readiness import Preload, Readiness

__all__ = [
    "Call",
    "Chat",
    "CliTool",
    "Download",
    "End",
    "Instance",
    "Kind",
    "LMStudio",
    "Link",
    "Model",
    "Piece",
    "Preload",
    "Readiness",
    "Reasoning",
    "Support",
    "Text",
    "ToolCall",
]

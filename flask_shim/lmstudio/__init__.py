"""A client for LM Studio's HTTP API that can be used without the shim, without Flask and without Ollama's words."""

from flask_shim.lmstudio.calls import Call
from flask_shim.lmstudio.cli_tool import CliTool
from flask_shim.lmstudio.client import LMStudio
from flask_shim.lmstudio.downloads import Download
from flask_shim.lmstudio.link import Link
from flask_shim.lmstudio.model import Instance, Kind, Model, Support

__all__ = ["Call", "CliTool", "Download", "Instance", "Kind", "LMStudio", "Link", "Model", "Support"]

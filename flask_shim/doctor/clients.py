"""The clients: their first requests, their rules for responses, and what they need of a model.

Sources: their code and recorded requests; for JetBrains, which is closed, reports of users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_shim.doctor.answer_rules import (
    complete_entries,
    complete_running,
    has_tags,
    is_json,
    lists,
    unique_digests,
    version_from,
    version_of_integers,
)
from flask_shim.doctor.client_requests import CLAUDE, CODEX, JSON, OLLAMA, Step, get, ollama, openai, preflight, show
from flask_shim.doctor.model_checks import AGENT_TOKENS

CODING_TOKENS = 65_536
"""Ollama's extension for VS Code warns below that, and terminal agents fill as much."""

_VERSION, _TAGS, _PS, _ROOT = "/api/version", "/api/tags", "/api/ps", "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client.

    ``context`` is how many tokens its prompts need, 0 for whatever there is; some request that length themselves.

    ``key`` says where a user sets the key for it, empty if it cannot send one, None if that is not known; ``setup`` is
    how it is pointed here.
    """

    title: str
    steps: tuple[Step, ...]
    setup: str
    chat: Step = OLLAMA
    key: str | None = ""
    context: int = 0
    requests_context: bool = False
    needs_tools: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def setup_for(self, url: str, key: str, *, powershell: bool = False) -> str:
        """Return how the client is pointed at a URL, its environment variables in bash's or PowerShell's form."""
        setup = self.setup.format(url=url, key=key)
        return re.sub(r"([A-Z_]+)=(\S+)", r'$env:\1 = "\2";', setup).removesuffix(";") if powershell else setup


_JS = {"User-Agent": "ollama-js/0.6.3", "Accept": JSON}
_PYTHON = {"User-Agent": "ollama-python/0.6.2", "Accept": JSON, "Content-Type": JSON}
_COPILOT = {"User-Agent": "GitHubCopilotChat/0.42.0", "X-VSCode-User-Agent-Library-Version": "electron-fetch"}
_OBSIDIAN, _EXTENSION = "app://obsidian.md", "chrome-extension://jfgfiigpkhlkbnfnbobbkinehhfdhndo"

CLIENTS: dict[str, Client] = {
    "vscode": Client(
        title="VS Code, the Ollama provider that is built in",
        headers=_COPILOT,
        steps=(get(_VERSION, version_from("0.6.4")), get(_TAGS, lists("model")), show()),
        chat=openai({"Authorization": "Bearer "}, n=1, temperature=0.1, top_p=1),
        setup="Chat: Manage Language Models > Add Models > Ollama: {url}",
        context=AGENT_TOKENS,
        needs_tools=True,
    ),
    "vscode-ollama": Client(
        title="VS Code, Ollama's own extension",
        headers=_JS,
        steps=(
            get(_VERSION, version_from("0.17.6"), is_strict=False),
            get(_TAGS, lists("name")),
            get("/api/experimental/model-recommendations", lists("model", rows="recommendations"), is_strict=False),
            show(verbose=False),
            get(_PS),
        ),
        setup="the extension's setting url: {url}",
        key="the extension's setting headers",
        context=CODING_TOKENS,
        needs_tools=True,
    ),
    "openwebui": Client(
        title="Open WebUI",
        headers={"Accept": "*/*"},
        steps=(
            get(_VERSION, is_json, version_of_integers),
            get(_TAGS, is_json, lists("name", "model"), has_tags),
            get(_PS, is_json, complete_running),
        ),
        setup="Admin Panel > Settings > Connections > Ollama API: {url}",
        key="the connection's key",
    ),
    "ollama": Client(
        title="the ollama command line",
        headers={"User-Agent": "ollama/0.40.12", "Accept": JSON},
        steps=(
            Step(method="HEAD", path=_ROOT),
            get(_VERSION),
            get(_TAGS, complete_entries, unique_digests),
            get(_PS, complete_running),
            show(name=""),
        ),
        chat=ollama({"Content-Type": JSON, "Accept": "application/x-ndjson"}),
        setup="OLLAMA_HOST={url}",
        key=None,
    ),
    "claude": Client(
        title="Claude Code",
        headers={"User-Agent": "claude-cli/2.1.197", "Authorization": "Bearer ollama"},
        steps=(Step(method="HEAD", path=_ROOT),),
        chat=CLAUDE,
        setup="ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={key} claude --model NAME",
        key="ANTHROPIC_AUTH_TOKEN",
        context=CODING_TOKENS,
        needs_tools=True,
    ),
    "codex": Client(
        title="Codex",
        headers={"User-Agent": "codex_exec/0.169.0"},
        steps=(
            get("/v1/models", lists("id", rows="data")),
            get(_VERSION, version_from("0.13.4", passes_text=True)),
            get(_TAGS, lists("name")),
        ),
        chat=CODEX,
        setup="CODEX_OSS_BASE_URL={url}/v1 codex --oss --local-provider ollama -m NAME",
        context=CODING_TOKENS,
        needs_tools=True,
    ),
    "continue": Client(
        title="Continue",
        headers={"Content-Type": JSON},
        steps=(get(_TAGS, lists("name")), show("name", is_strict=False)),
        setup="provider: ollama, apiBase: {url}",
        key="apiKey",
        context=8192,
        requests_context=True,
    ),
    "cline": Client(
        title="Cline",
        steps=(get(_TAGS, lists("name")),),
        setup="API Provider: Ollama, Base URL: {url}",
        key="Ollama API Key",
        context=32_768,
        requests_context=True,
    ),
    "roo": Client(
        title="Roo Code",
        headers=_JS,
        steps=(get(_TAGS, complete_entries), show()),
        chat=ollama(options={"temperature": 0}),
        setup="API Provider: Ollama, Base URL: {url}",
        key="Ollama API Key",
        needs_tools=True,
    ),
    "zed": Client(
        title="Zed",
        headers={"Accept": JSON},
        steps=(get(_TAGS, complete_entries), show(skips="-embed")),
        chat=ollama(tools=[], think=None),
        setup="language_models.ollama.api_url: {url}",
        key="OLLAMA_API_KEY",
        context=16_384,
        requests_context=True,
    ),
    "jetbrains": Client(
        title="JetBrains AI Assistant",
        steps=(get(_ROOT), get(_TAGS, is_json, complete_entries), show()),
        setup="Settings > Tools > AI Assistant > Providers & API keys > Ollama: {url}",
        key=None,
    ),
    "homeassistant": Client(
        title="Home Assistant",
        headers=_PYTHON,
        steps=(get(_TAGS, lists("model")), get(_PS, is_strict=False)),
        setup="Settings > Devices & services > Add integration > Ollama: {url}",
        key="the integration's API key",
        context=8192,
        requests_context=True,
        needs_tools=True,
    ),
    "obsidian": Client(
        title="Copilot for Obsidian",
        headers={"Origin": _OBSIDIAN},
        steps=(preflight(_OBSIDIAN), get("/v1/models", lists("id", rows="data"))),
        setup="provider: Ollama, Base URL: {url}",
        key="the model's API key",
        context=131_072,
        requests_context=True,
    ),
    "pageassist": Client(
        title="Page Assist",
        headers={"Origin": _EXTENSION},
        steps=(preflight(_EXTENSION), get(_ROOT), get(_TAGS, lists("name"))),
        setup="Ollama URL: {url}",
        key=None,
    ),
    "litellm": Client(
        title="LiteLLM, and what is built on it: aider, OpenHands, smolagents",
        steps=(show("name"),),
        chat=ollama({}),
        setup="model='ollama_chat/NAME', api_base='{url}'",
        key="api_key",
    ),
    "llamaindex": Client(
        title="LlamaIndex",
        headers=_PYTHON,
        steps=(show(), get(_TAGS, lists("model"))),
        setup='Ollama(base_url="{url}")',
        key="OLLAMA_API_KEY",
    ),
    "python": Client(
        title="ollama for Python, and what is built on it: LangChain, Haystack, AutoGen",
        headers=_PYTHON,
        steps=(get(_TAGS, complete_entries), get(_PS, complete_running), show()),
        chat=ollama(tools=[]),
        setup="OLLAMA_HOST={url}",
        key="OLLAMA_API_KEY",
    ),
}
"""By the name that --client takes."""

"""The client program that a User-Agent means."""

from __future__ import annotations

import re
from functools import lru_cache

_KNOWN = (
    ("GitHubCopilotChat/", "VS Code"),
    ("claude-cli/", "Claude Code"),
    ("claude-code/", "Claude Code"),
    ("codex", "Codex"),
    ("opencode", "opencode"),
    ("Cline", "Cline"),
    ("RooCode", "Roo Code"),
    ("Kilo-Code", "Kilo Code"),
    ("Continue", "Continue"),
    ("Zed/", "Zed"),
    ("mistral-vibe", "Mistral Vibe"),
    ("aider", "aider"),
    ("goose", "goose"),
    ("HomeAssistant", "Home Assistant"),
    ("Open-WebUI", "Open WebUI"),
    ("OllamaSharp", "OllamaSharp"),
    ("langchain4j", "LangChain4j"),
    ("langchain", "LangChain"),
    ("litellm", "LiteLLM"),
    ("ollama-python/", "Ollama for Python"),
    ("ollama-js/", "Ollama for JavaScript"),
    ("ollama/", "ollama"),
    ("OpenAI/Python", "OpenAI for Python"),
    ("AsyncOpenAI/Python", "OpenAI for Python"),
    ("OpenAI/JS", "OpenAI for JavaScript"),
    ("Anthropic/Python", "Anthropic for Python"),
    ("AsyncAnthropic/Python", "Anthropic for Python"),
    ("Anthropic/JS", "Anthropic for JavaScript"),
    ("ai-sdk/", "AI SDK"),
    ("ai/", "AI SDK"),
    ("Mozilla/5.0 (Windows NT; Windows NT", "PowerShell"),
    ("Mozilla/", "a browser"),
)
"""How the User-Agents of clients begin. Open WebUI sends the one of aiohttp, so it is not recognized."""

_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,40}")


@lru_cache(maxsize=256)
def client_name(user_agent: str) -> str | None:
    """Return the program's name, for an unknown one its own first word, None if it has none."""
    lower = user_agent.lower()
    for start, name in _KNOWN:
        if lower.startswith(start.lower()):
            return name
    found = _PRODUCT.match(user_agent)
    return found[0] if found else None

import pytest

from flask_shim.observability.client_names import client_name


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("GitHubCopilotChat/0.42.0", "VS Code"),
        ("claude-cli/2.1.197 (external, cli)", "Claude Code"),
        ("codex_exec/0.169.0 (Ubuntu 24.4.0; x86_64) unknown", "Codex"),
        ("codex_cli_rs/0.169.0", "Codex"),
        ("opencode/1.2.3 ai-sdk/provider-utils/3.0.9", "opencode"),
        ("ollama/0.40.12 (amd64 linux) Go/go1.26", "ollama"),
        ("ollama-js/0.6.4 (x64 linux)", "Ollama for JavaScript"),
        ("OpenAI/Python 3.26.0", "OpenAI for Python"),
        ("Anthropic/JS 0.80.0", "Anthropic for JavaScript"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/143.0", "a browser"),
        ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391", "PowerShell"),
        ("Python/3.11 aiohttp/3.14.5", "Python"),
        ("curl/8.1 (x)", "curl"),
        ("<script>alert(1)</script>", None),
        ("", None),
    ],
)
def test_a_user_agent_names_its_program(user_agent, name):
    assert client_name(user_agent) == name


def test_a_long_unknown_name_is_cut():
    assert client_name("x" * 1000) == "x" * 40

"""Items of a Responses input that other models and other agents have made."""

from __future__ import annotations

import pytest

from flask_shim.translate.openai.responses_items import to_turns


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_call", "tool_search_output", "compaction", "program"])
def test_what_openais_servers_did_is_passed_over(kind):
    given = [{"type": kind, "id": "x_1", "encrypted_content": "gAAAAABo..."}, {"role": "user", "content": "hi"}]
    assert to_turns(None, given) == [{"role": "user", "content": "hi"}]


def test_what_an_agent_of_codex_sends_to_another_is_a_request():
    # Codex 0.171 with multi_agent_v2; OpenAI's servers would have encrypted the payload.
    header = {"type": "input_text", "text": "Message Type: NEW_TASK\nPayload:\n"}
    for payload, read in (("Count the files.", "Count the files."), ("gAAAAABo...", "")):
        content = [header, {"type": "encrypted_content", "encrypted_content": payload}]
        given = [{"type": "agent_message", "author": "/root", "recipient": "/root/one", "content": content}]
        assert to_turns(None, given) == [{"role": "user", "content": f"{header['text']}\n{read}"}]


@pytest.mark.parametrize(
    ("call", "name", "arguments", "output", "result"),
    [
        (
            {"type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": None}},
            "shell",
            '{"commands":["ls"]}',
            [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
            '[{"stdout":"a.txt","stderr":"","outcome":{"type":"exit","exit_code":0}}]',
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a.txt"}},
            "apply_patch",
            '{"type":"delete_file","path":"a.txt"}',
            "Done.",
            "Done.",
        ),
    ],
)
def test_calls_of_openais_own_tools_stay_in_the_history(call, name, arguments, output, result):
    asked, answered = to_turns(
        None, [{**call, "call_id": "c1"}, {"type": f"{call['type']}_output", "call_id": "c1", "output": output}]
    )
    assert asked["tool_calls"][0]["function"] == {"name": name, "arguments": arguments}
    assert answered == {"role": "tool", "tool_call_id": "c1", "content": result}

"""``flask-shim requests``, ``cancel``, ``reload`` and ``run`` beside a running shim."""

from __future__ import annotations

import _thread
import json
import re
import signal
import threading

import click
import pytest
from click.testing import CliRunner
from support.answers import by_path, replies
from support.ports import unused_port

from flask_shim.cli import cli
from flask_shim.cli.request_commands import cancel
from flask_shim.cli.run_command import Chat
from flask_shim.cli.setting_options import CommandError

RUNNING = {
    "id": "abc",
    "client": "Claude\x1b[31m Code",
    "client_address": "127.0.0.1",
    "model": "tiny",
    "phase": "reading the prompt",
    "progress_estimate": 0.5,
    "queue_seconds": None,
    "prompt_tokens": 7,
    "output_tokens": None,
    "tokens_per_second": None,
    "time_to_first_token_seconds": None,
    "age_seconds": 75.2,
}
ENDED = {
    **RUNNING,
    "ended_at": "2026-11-29T06:00:00Z",
    "outcome": "canceled",
    "prefill_tokens_per_second": 100.04,
    "decode_tokens_per_second": None,
    "error": "it was stopped",
}
SHIM = {
    "/": replies("Ollama is running"),
    "/api/version": replies({"version": "0.40.12"}),
    "/health": replies({"status": "ok"}),
    "/shim/requests": replies({"running": [RUNNING], "ended": [ENDED]}),
    "/shim/requests/abc": replies({"id": "abc", "canceled": True}),
    "/shim/reload": replies({"file": "x.toml", "backends": 2, "models": 1, "rules": 0, "keys": 0}),
    "/shim/requests/gone": replies({"error": "no request gone is in flight"}, "404 Not Found"),
}
THINKING, TEXT = (
    {"message": {"role": "assistant", **part}} for part in ({"thinking": "Hm."}, {"content": "Blue\x07."})
)


def ndjson(*records):
    return replies("".join(json.dumps(record) + "\n" for record in records), content_type="application/x-ndjson")


@pytest.fixture
def shim(socket_server):
    """Return a function that starts a scripted shim with more routes."""
    return lambda **routes: socket_server(by_path(SHIM | {f"/{name}": answer for name, answer in routes.items()}))


@pytest.fixture
def beside(shim):
    """Return a function that runs a command beside a scripted shim."""

    def invoke(*arguments, server=None, **env):
        env = {"SHIM_PORT": str((server or shim()).port), **env}
        return CliRunner().invoke(cli, [*arguments, "--env-file", ""], env=env, prog_name="flask-shim")

    return invoke


def test_requests_in_flight_are_lines_of_tabs(beside):
    cells = beside("requests").stdout.rstrip("\n").split("\t")
    assert cells == ["abc", "Claude[31m Code", "tiny", "reading the prompt 50 %", "7", "-", "-", "-", "1:15"]


def test_ended_requests_say_how_they_ended(beside):
    cells = beside("requests", "--ended").stdout.rstrip("\n").split("\t")
    assert cells[4:] == ["canceled", "7", "-", "100.0", "-", "1:15", "it was stopped"]


def test_a_terminal_shows_the_time_of_day_and_more_columns(beside):
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}
    heading, row = beside("requests", "--ended", **terminal).stdout.splitlines()
    assert heading.split() == ["ENDED", "ID", "CLIENT", "MODEL", "OUTCOME", "OUTPUT", "TOKENS/S", "TOOK", "ERROR"]
    assert re.match(r"\d\d:\d\d:00 ", row)


def test_an_error_of_several_lines_is_one_cell(beside, shim):
    ended = ENDED | {"error": "Error rendering prompt\n\twith jinja template"}
    server = shim(**{"shim/requests": replies({"running": [], "ended": [ended]})})
    lines = beside("requests", "--ended", server=server).stdout.splitlines()
    assert [line.split("\t")[-1] for line in lines] == ["Error rendering prompt with jinja template"]


def test_requests_as_json_are_those_of_the_route(beside):
    assert json.loads(beside("requests", "--json").stdout) == [RUNNING]


def test_a_request_is_canceled_with_the_key(beside, shim):
    server = shim()
    result = beside("cancel", "abc", "--url", server.url, server=server, SHIM_API_KEY="secret")
    assert (result.exit_code, result.stdout) == (0, "Stopped abc.\n")
    assert (server.asked[-1].method, server.asked[-1].headers["authorization"]) == ("DELETE", "Bearer secret")


def test_cancelling_an_ended_request_is_reported(beside):
    result = beside("cancel", "gone")
    assert (result.exit_code, "no request gone is in flight" in result.stderr) == (1, True)


def test_reload_prints_what_is_in_use(beside):
    assert beside("reload").stdout == "In use: x.toml (backends: 2, models: 1, rules: 0, keys: 0).\n"


def test_mistakes_in_the_file_end_reload_with_code_two(beside, shim, tmp_path):
    server = shim(**{"shim/reload": replies({"error": "x.toml, line 3: x: No such table."}, "409 Conflict")})
    (tmp_path / "broken.toml").write_text("[x]", encoding="utf-8")
    result = beside("reload", server=server, SHIM_CONFIG=str(tmp_path / "broken.toml"))
    assert (result.exit_code, result.stderr) == (2, "Nothing is changed.\nx.toml, line 3: x: No such table.\n")


def test_ids_are_completed(shim, monkeypatch):
    monkeypatch.setenv("SHIM_PORT", str(shim().port))
    context = click.Context(cancel)
    context.params = {"url": "", "env_file": ""}
    completed = cancel.params[0].shell_complete(context, "a")
    assert [item.value for item in completed] == ["abc"]


@pytest.mark.parametrize("command", [("requests",), ("cancel", "abc"), ("reload",), ("run", "tiny", "Hi")])
def test_without_a_shim_the_commands_say_how_to_start_one(command):
    env = {"SHIM_PORT": str(unused_port())}
    result = CliRunner().invoke(cli, [*command, "--env-file", ""], env=env, prog_name="flask-shim")
    assert (result.exit_code, "flask-shim serve" in result.stderr) == (1, True)


def test_a_shim_that_requires_a_key_is_an_error_with_advice(beside, shim):
    server = shim(**{"shim/requests": replies({"error": "a key is required"}, "401 Unauthorized")})
    assert "SHIM_API_KEY" in beside("requests", server=server).stderr


def test_top_needs_a_terminal(beside):
    assert "flask-shim requests" in beside("top").stderr


def test_run_prints_one_answer_after_its_thinking(beside, shim):
    server = shim(**{"api/chat": ndjson(THINKING, TEXT, {"done": True})})
    result = beside("run", "tiny", "Why", "blue?", server=server)
    assert (result.exit_code, result.stdout) == (0, "Hm.\n\nBlue.\n")
    asked = server.asked[-1].json
    assert asked == {"model": "tiny", "messages": [{"role": "user", "content": "Why blue?"}]}


def test_run_puts_text_of_a_pipe_before_the_prompt(shim):
    server = shim(**{"api/chat": ndjson(TEXT)})
    env = {"SHIM_PORT": str(server.port)}
    result = CliRunner().invoke(cli, ["run", "tiny", "Explain.", "--env-file", ""], env=env, input="x = 1\n")
    assert result.exit_code == 0
    assert server.asked[-1].json["messages"][0]["content"] == "x = 1\n\nExplain."


@pytest.mark.parametrize(
    "answer",
    [replies({"error": "model 'tiny' not found"}, "404 Not Found"), ndjson(TEXT, {"error": "model 'tiny' not found"})],
)
def test_run_ends_with_the_error_of_the_server(beside, shim, answer):
    result = beside("run", "tiny", "Hi", server=shim(**{"api/chat": answer}))
    assert (result.exit_code, "model 'tiny' not found" in result.stderr) == (1, True)


class EndlessShim:
    """Answers with one record and then waits until it is canceled; its chat is interrupted meanwhile."""

    def __init__(self):
        self.canceled = threading.Event()

    def stream(self, _path, _body, request_id):
        self.id = request_id
        yield TEXT
        _thread.interrupt_main()
        assert self.canceled.wait(10)

    def cancel(self, request_id):
        assert request_id == self.id
        self.canceled.set()


@pytest.fixture
def interruptible():
    """Let Ctrl-C interrupt the test: the background jobs of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stops_an_answer_and_keeps_the_chat():
    shim = EndlessShim()
    chat = Chat(shim, "tiny")
    chat.ask("Hi")
    assert shim.canceled.is_set()
    assert [turn["role"] for turn in chat.messages] == ["user", "assistant"]


def test_a_prompt_that_failed_is_forgotten(shim):
    class Failing:
        def stream(self, *_):
            yield {"error": "out of memory"}

    chat = Chat(Failing(), "tiny")
    with pytest.raises(CommandError, match="out of memory"):
        chat.ask("Hi")
    assert chat.messages == []

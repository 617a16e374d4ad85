"""Settings have the effect that the documentation promises, from the environment to the wire."""

from __future__ import annotations

import http.server
import ssl
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.answers import lm_studio, model, reads, replies, streams

from flask_shim import create_app
from flask_shim.backend import client_options
from flask_shim.cli import cli
from flask_shim.config import Config
from flask_shim.lmstudio import BackendCall, LMStudio
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.services import Services, services_of

CERTIFICATE = Path(__file__).parents[1] / "data" / "localhost.pem"
"""Signed by itself, for localhost; its key is in it and worth nothing."""

LIST = b'{"models": [{"key": "tiny", "type": "llm", "loaded_instances": []}]}'


class _Lists(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(LIST)))
        self.end_headers()
        self.wfile.write(LIST)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def https():
    """Start an LM Studio behind TLS with a self-signed certificate; give its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Lists)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that does not like the certificate hangs up
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def studio():
    """Return a function that makes the client which these variables describe."""
    opened = []

    def client(**environ):
        opened.append(LMStudio(client_options(Config.from_env(environ, env_file=""))))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


def test_an_untrusted_certificate_is_rejected(https, studio):
    with pytest.raises(BackendUnavailable, match=r"TLS failed.*\. Add its certificate"):
        studio(SHIM_LMSTUDIO_BASE=https).models()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificate_check_can_be_switched_off(https, studio):
    (found,) = studio(SHIM_LMSTUDIO_BASE=https, SHIM_VERIFY_SSL="false").models()
    assert found.key == "tiny"


def test_a_certificate_of_ones_own_can_be_trusted(https, studio):
    (found,) = studio(SHIM_LMSTUDIO_BASE=https, SHIM_CA_FILE=str(CERTIFICATE)).models()
    assert found.key == "tiny"


def test_commands_trust_the_same_certificate_of_a_shim_behind_tls(https):
    command = ["reload", "--env-file", "", "--url", https]
    refused = CliRunner().invoke(cli, command, env={"SHIM_CA_FILE": ""})
    assert "its certificate is not trusted" in refused.stderr
    answered = CliRunner().invoke(cli, command, env={"SHIM_CA_FILE": str(CERTIFICATE)})
    assert "says: status 501" in answered.stderr  # the server behind TLS is none


@pytest.mark.parametrize(
    "framing", [{"content_length": 100}, {"connection": "close"}, {"transfer_encoding": "chunked"}]
)
def test_no_read_takes_more_than_the_chunk_size(framing, socket_server, studio):
    def answer(peer):
        peer.head(**framing)
        (peer.chunk if "transfer_encoding" in framing else peer.send)(b"x" * 100)
        if "transfer_encoding" in framing:
            peer.chunk(b"")

    backend = socket_server(reads(answer))
    client = studio(SHIM_LMSTUDIO_BASE=backend.url, SHIM_STREAM_CHUNK_SIZE="7")
    with client.open("GET", "/v1/anything", BackendCall()) as opened:
        blocks = list(opened)
    assert b"".join(blocks) == b"x" * 100
    assert max(map(len, blocks)) <= 7


@pytest.mark.parametrize(("size", "is_same"), [("256", True), ("0", False)])
def test_the_name_cache_has_the_configured_size(size, is_same, socket_server):
    backend = socket_server(lm_studio(replies({}), model("tiny")))
    config = Config.from_env({"SHIM_MODEL_SELECTOR_CACHE_SIZE": size, "SHIM_LMSTUDIO_BASE": backend.url}, env_file="")
    with closing(Services.build(config)) as services:
        assert (services.registry.find("tiny") is services.registry.find("tiny")) is is_same


@pytest.fixture
def chat(socket_server, tmp_path):
    """Return a function that sends a chat to a shim with these variables: what LM Studio was asked, and the app."""
    backend = socket_server(lm_studio(streams("Hel", "lo"), model("tiny")))
    apps = []

    def send(body=None, **environ):
        environ = {"SHIM_LMSTUDIO_BASE": backend.url, "SHIM_DATA_DIR": str(tmp_path), **environ}
        apps.append(create_app(Config.from_env(environ, env_file="")))
        body = body or {"messages": [{"role": "user", "content": "Hello"}]}
        answer = apps[-1].test_client().post("/api/chat", json={"model": "tiny", "stream": False, **body})
        assert answer.status_code == 200, answer.text
        (payload,) = (one.json for one in backend.asked if one.path == "/v1/chat/completions")
        backend.asked.clear()
        return payload, apps[-1]

    yield send
    for app in apps:
        services_of(app).close()


DEFAULTS = [
    ({}, {"temperature": 0.8}),
    ({"SHIM_DEFAULT_TEMPERATURE": "0.1"}, {"temperature": 0.1}),
    ({"SHIM_DEFAULT_TEMPERATURE": "backend"}, {"temperature": None}),
    ({"SHIM_DEFAULT_STOP": "END"}, {"stop": ["END"]}),
    ({"SHIM_DEFAULT_TTL_SECONDS": "90"}, {"ttl": 90}),
    ({"SHIM_DEFAULT_TTL_SECONDS": "0"}, {"ttl": None}),
]


@pytest.mark.parametrize(("environ", "sent"), DEFAULTS, ids=str)
def test_defaults_of_the_settings_reach_lm_studio(environ, sent, chat):
    payload, _ = chat(**environ)
    assert {name: payload.get(name) for name in sent} == sent


def test_the_default_system_prompt_precedes_a_chat_without_one(chat):
    ours, theirs = {"role": "system", "content": "Be brief."}, {"role": "system", "content": "Be long."}
    user = {"role": "user", "content": "Hello"}
    payload, _ = chat(SHIM_DEFAULT_SYSTEM_PROMPT="Be brief.")
    assert payload["messages"] == [ours, user]
    payload, _ = chat({"messages": [theirs, user]}, SHIM_DEFAULT_SYSTEM_PROMPT="Be brief.")
    assert payload["messages"] == [theirs, user]


def test_keep_alive_0_unloads_after_the_configured_delay(chat):
    body = {"messages": [{"role": "user", "content": "Hello"}], "keep_alive": 0}
    payload, app = chat(body, SHIM_UNLOAD_TTL_SECONDS="300")
    assert payload["ttl"] == 300
    assert services_of(app).backends.first.loader.tracker.of("tiny").keep_alive == 300

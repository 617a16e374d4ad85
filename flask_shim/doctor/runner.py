"""Run the checks in order, and yield the findings section by section."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from flask_shim.app import create_app
from flask_shim.backend import all_client_options, client_options
from flask_shim.config import Config
from flask_shim.config.addresses import LOOPBACKS, bracketed
from flask_shim.config.data_folder import why_unwritable
from flask_shim.doctor import lmstudio_checks, machine_checks, model_checks, shim_checks, stream_checks
from flask_shim.doctor.client_requests import OLLAMA, Step
from flask_shim.doctor.clients import CLIENTS, Client
from flask_shim.doctor.findings import Finding, Section, has_failed, note
from flask_shim.doctor.handshakes import judge_step, play_handshake, send_step
from flask_shim.doctor.model_checks import ListedModel
from flask_shim.doctor.probe import Prober, ProbeResponse
from flask_shim.lmstudio.lms.locate import find_tool, is_this_machine
from flask_shim.services import services_of
from flask_shim.serving import open_listeners, urls_of
from flask_shim.serving.listeners import hosts_from_here
from flask_shim.serving.port_probe import SHIM, identify_server
from flask_shim.serving.server import serve_in_background


@dataclass(frozen=True, slots=True)
class ShimUnderTest:
    """The shim that is checked; the prober sends its key, if one is needed and known."""

    prober: Prober
    wants_key: bool
    version: ProbeResponse


@dataclass(slots=True, kw_only=True)
class Doctor:
    """One run of all checks. ``url`` is the shim's address; if empty, the settings say where it is.

    ``chat`` True loads a model for a chat if necessary, False tries no chat, None tries one if a model is loaded.
    ``models`` are the models that were listed.
    """

    config: Config
    clients: Sequence[str] = ()
    url: str = ""
    chat: bool | None = None
    models: list[ListedModel] = field(default_factory=list)

    def sections(self) -> Iterator[Section]:
        """Yield the findings on each subject once it is checked; leave out what cannot work after a failure."""
        is_here = not self.url or is_this_machine(self.url)
        is_backend_away = False
        if is_here:
            yield Section("This machine", list(self._check_machine()))
            backends = {name: list(self._check_lmstudio(name)) for name in all_client_options(self.config)}
            for name, findings in backends.items():
                yield Section(f"LM Studio {name}".rstrip(), findings)
            is_backend_away = all(map(has_failed, backends.values()))
        with ExitStack() as stack:
            url, port = self._find_or_start(stack)
            shim = self._connect(url, stack)
            entrance = list(shim_checks.judge_entrance(url, shim.version, wants_key=shim.wants_key))
            state = [] if has_failed(entrance) else list(self._check_state(shim, is_here, is_backend_away))
            yield Section("The shim", [*port, *entrance, *state])
            if is_backend_away or has_failed([*entrance, *state]):
                yield Section("Models and clients", [note("left-out", "not checked: first repair what failed above")])
                return
            yield Section("Models", list(self._check_models(shim)))
            yield Section("Stream", list(self._check_chat(shim, OLLAMA, {}, needs_tools=False, is_timed=True)))
            for name in self.clients:
                yield Section(CLIENTS[name].title, list(self._check_client(shim, CLIENTS[name])))

    def _check_machine(self) -> Iterator[Finding]:
        yield from machine_checks.judge_network_setup(machine_checks.read_network_setup())
        if not self.config.read_only:
            yield from machine_checks.judge_data(self.config.data_dir, why_unwritable(self.config.data_dir))
        yield from (note("setting", text) for text in self.config.notes)

    def _check_lmstudio(self, name: str) -> Iterator[Finding]:
        options = all_client_options(self.config)[name]
        responses = lmstudio_checks.ask_lmstudio(options)
        can_load = find_tool() is not None and is_this_machine(options.base_url)
        findings = lmstudio_checks.judge_lmstudio(options, responses, can_load=can_load)
        table = next((table for table in self.config.file.backends if table.name == name), None)
        yield from findings if table is None else lmstudio_checks.judge_table(table, findings, can_start=can_load)
        yield from machine_checks.judge_clock("LM Studio's machine", responses[lmstudio_checks.PATHS[0]], time.time())

    def _find_or_start(self, stack: ExitStack) -> tuple[str, list[Finding]]:
        """Return the address of a shim to check, and the findings about the port; start a shim if none runs."""
        if self.url:
            return self.url, []
        port = self.config.port
        found = {host: identify_server(host, port) for host in hosts_from_here(self.config.hosts) if port}
        localhost = machine_checks.read_network_setup().localhost
        findings = list(machine_checks.judge_port(port, found, localhost))
        ours = [host for host, who in found.items() if who == SHIM]
        if not ours:
            return stack.enter_context(_temporary_shim(self.config)), findings
        host = machine_checks.LOCALHOST if set(localhost) & set(ours) else bracketed(ours[0])
        return f"http://{host}:{port}", findings

    def _connect(self, url: str, stack: ExitStack) -> ShimUnderTest:
        """Request the version without a key, and again with one if the shim wants one."""
        verify = client_options(self.config).verify
        prober = stack.enter_context(Prober(url, verify=verify))
        version = prober.ask("GET", "/api/version")
        wants_key = version.status == 401
        if wants_key and self.config.api_keys:
            prober = stack.enter_context(Prober(url, key=self.config.api_keys[0], verify=verify))
            version = prober.ask("GET", "/api/version")
        return ShimUnderTest(prober, wants_key, version)

    def _check_state(self, shim: ShimUnderTest, is_here: bool, is_backend_away: bool) -> Iterator[Finding]:
        yield from machine_checks.judge_clock("the shim's machine", shim.version, time.time())
        if not is_backend_away:  # else this repeats a failure
            yield from shim_checks.judge_ready(shim.prober.ask("GET", "/ready"))
        if is_here:
            yield from shim_checks.judge_threads(shim.prober.ask("GET", "/metrics"), self.config)
            yield from shim_checks.judge_openness(self.config)

    def _check_models(self, shim: ShimUnderTest) -> Iterator[Finding]:
        tags, ps = (shim.prober.ask("GET", path) for path in ("/api/tags", "/api/ps"))
        refusal = shim_checks.refusal_in("GET /api/tags", tags)
        if refusal is not None:
            yield refusal
            return
        # Only this list has the maximum of a model that is loaded with less; Ollama and old backends have no such list.
        v0 = shim.prober.ask("GET", "/api/v0/models")
        self.models = model_checks.read_model_lists(tags.json, ps.json, v0.json)
        yield from model_checks.judge_models(self.models)
        if not self.clients:
            yield from model_checks.judge_fitness(self.models, context=model_checks.AGENT_TOKENS, needs_tools=False)

    def _check_client(self, shim: ShimUnderTest, client: Client) -> Iterator[Finding]:
        names = [model.name for model in self.models]
        findings = list(play_handshake(client, shim.prober, names, wants_key=shim.wants_key))
        yield from findings
        yield from model_checks.judge_fitness(
            self.models,
            context=client.context,
            needs_tools=client.needs_tools,
            requests_context=client.requests_context,
        )
        if not has_failed(findings):
            yield from self._check_chat(shim, client.chat, dict(client.headers), needs_tools=client.needs_tools)
        url = self.url or f"http://{machine_checks.LOCALHOST}:{self.config.port}"
        key = "YOUR-KEY" if shim.wants_key else "ollama"  # without a key in the settings, the shim accepts any text
        setup = client.setup_for(url, key, powershell=sys.platform == "win32")
        yield note("setup", f"to point it here: {setup}")

    def _check_chat(
        self, shim: ShimUnderTest, step: Step, headers: dict[str, str], *, needs_tools: bool, is_timed: bool = False
    ) -> Iterator[Finding]:
        model = model_checks.choose_chat_model(
            self.models, self.chat, least=self.config.default_context, needs_tools=needs_tools
        )
        if model is None:
            why = " (--no-chat)" if self.chat is False else ", as no model is known to be loaded; --chat loads one"
            yield note("no-chat", f"no chat was tried{why}")
            return
        seconds = self.config.first_byte_timeout or None
        answers = send_step(step, headers, shim.prober, [model.name], wants_key=shim.wants_key, seconds=seconds)
        findings = list(judge_step(step, answers))
        yield from findings
        if is_timed and not has_failed(findings):
            yield from stream_checks.judge_pace(answers[0].response)


@contextmanager
def _temporary_shim(config: Config) -> Iterator[str]:
    """Run a shim with these settings on a free port of this process; yield its address."""
    config = replace(config, hosts=LOOPBACKS, port=0, workers=1)
    listeners = open_listeners(config)
    app = create_app(config)
    try:
        with serve_in_background(app, config, listeners):
            yield urls_of(listeners)[0]
    finally:
        services_of(app).close()

"""The doctor at work: asks in order, and hands out what is found section by section."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from flask_shim.backend import client_options
from flask_shim.config import Config
from flask_shim.config.addresses import bracketed
from flask_shim.config.data_folder import why_unwritable
from flask_shim.doctor import (
    chat_requests,
    lmstudio_checks,
    machine_checks,
    model_checks,
    shim_checks,
    stream_checks,
)
from flask_shim.doctor.clients import CLIENTS, Client
from flask_shim.doctor.findings import Finding, Section, has_failed, note
from flask_shim.doctor.handshake_steps import Step
from flask_shim.doctor.handshakes import ask_step, judge_step, shake
from flask_shim.doctor.model_checks import Seen
from flask_shim.doctor.probe import Prober, ProbeResponse
from flask_shim.doctor.temporary_shim import run_temporary_shim
from flask_shim.lmstudio.lms.locate import find_tool, is_this_machine
from flask_shim.serving.port_probe import SHIM


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be looked at. ``url`` is the shim's address, empty for where the settings put it.

    ``chat`` is True to chat with a model even if it has to be loaded for that, False never to chat, None to chat if
    one is loaded.
    """

    clients: tuple[str, ...] = ()
    url: str = ""
    chat: bool | None = None


@dataclass(frozen=True, slots=True)
class ShimUnderTest:
    """The shim that is looked at. ``wants_key`` is whether it asks for a key; if one is known, the asker sends it."""

    asker: Prober
    wants_key: bool
    version: ProbeResponse


@dataclass(slots=True)
class Doctor:
    """One examination; ``seen`` are the models that were listed."""

    config: Config
    wish: Options
    seen: list[Seen] = field(default_factory=list)

    def sections(self) -> Iterator[Section]:
        """Ask, and yield what was found as soon as a subject is done; what cannot work without another is left out."""
        is_here = not self.wish.url or is_this_machine(self.wish.url)
        backend: list[Finding] = []
        if is_here:
            yield Section("This machine", list(self._machine()))
            backend = list(self._studio())
            yield Section("LM Studio", backend)
        with ExitStack() as owned:
            url, port = self._find(owned)
            patient = self._enter(url, owned)
            entrance = list(shim_checks.judge_entrance(url, patient.version, wants_key=patient.wants_key))
            knows = has_failed(backend)
            inside = [] if has_failed(entrance) else list(self._inside(patient, is_here=is_here, knows=knows))
            yield Section("The shim", [*port, *entrance, *inside])
            if has_failed([*backend, *entrance, *inside]):
                yield Section("Models and clients", [note("left-out", "not looked at: what failed above comes first")])
            else:
                yield from self._through(patient)

    def _machine(self) -> Iterator[Finding]:
        yield from machine_checks.judge_surroundings(machine_checks.look_around())
        if not self.config.read_only:
            yield from machine_checks.judge_data(self.config.data_dir, why_unwritable(self.config.data_dir))
        yield from (note("setting", text) for text in self.config.notes)

    @property
    def _address(self) -> str:
        """Where clients find the shim, or will once it has been started."""
        return self.wish.url or f"http://{machine_checks.LOCALHOST}:{self.config.port}"

    def _studio(self) -> Iterator[Finding]:
        link = client_options(self.config)
        heard = lmstudio_checks.ask_studio(link)
        can_load = find_tool() is not None and is_this_machine(link.base_url)
        yield from lmstudio_checks.judge_studio(link, heard, can_load=can_load)
        last = heard[lmstudio_checks.PATHS[0]]
        yield from machine_checks.judge_clock("LM Studio's machine", last, time.time())

    def _find(self, owned: ExitStack) -> tuple[str, list[Finding]]:
        """Return the address of a shim to look at, and what was found at the port."""
        if self.wish.url:
            return self.wish.url, []
        port = self.config.port
        found = machine_checks.look_at_port(self.config.hosts, port) if port else {}
        localhost = machine_checks.look_around().localhost
        findings = list(machine_checks.judge_port(port, found, localhost))
        ours = [host for host, who in found.items() if who == SHIM]
        if not ours:
            return owned.enter_context(run_temporary_shim(self.config)), findings
        host = machine_checks.LOCALHOST if set(localhost) & set(ours) else bracketed(ours[0])
        return f"http://{host}:{port}", findings

    def _enter(self, url: str, owned: ExitStack) -> ShimUnderTest:
        """Ask for the version: without a key, and with one if that is wanted."""
        verify = client_options(self.config).verify
        bare = owned.enter_context(Prober(url, verify=verify))
        version = bare.ask("GET", "/api/version")
        if version.status != 401 or not self.config.api_keys:
            return ShimUnderTest(bare, version.status == 401, version)
        keyed = owned.enter_context(Prober(url, key=self.config.api_keys[0], verify=verify))
        return ShimUnderTest(keyed, True, keyed.ask("GET", "/api/version"))

    def _inside(self, patient: ShimUnderTest, *, is_here: bool, knows: bool) -> Iterator[Finding]:
        """Look at the shim itself; if one ``knows`` already that LM Studio is away, that is not said again."""
        yield from machine_checks.judge_clock("the shim's machine", patient.version, time.time())
        if not knows:
            yield from shim_checks.judge_ready(patient.asker.ask("GET", "/ready"))
        if is_here:
            yield from shim_checks.judge_threads(patient.asker.ask("GET", "/metrics"), self.config)
            yield from shim_checks.judge_openness(self.config)

    def _through(self, patient: ShimUnderTest) -> Iterator[Section]:
        """Look through the shim: at the models, a chat, the clients."""
        yield Section("Models", list(self._models(patient)))
        yield Section("Stream", list(self._chat(patient, chat_requests.ollama(), {}, tools=False, is_timed=True)))
        for name in self.wish.clients:
            yield Section(CLIENTS[name].title, list(self._client(patient, CLIENTS[name])))

    def _models(self, patient: ShimUnderTest) -> Iterator[Finding]:
        tags, ps = (patient.asker.ask("GET", path) for path in ("/api/tags", "/api/ps"))
        barrier = shim_checks.barrier_in("GET /api/tags", tags)
        if barrier is not None:
            yield barrier
            return
        # Only this list has the maximum of a model that is loaded with less; Ollama and old backends have no such list.
        v0 = patient.asker.ask("GET", "/api/v0/models")
        self.seen = model_checks.to_seen(tags.json, ps.json, v0.json)
        yield from model_checks.judge_models(self.seen)
        if not self.wish.clients:
            yield from model_checks.judge_fitness(self.seen, context=model_checks.AGENT_TOKENS, tools=False)

    def _client(self, patient: ShimUnderTest, client: Client) -> Iterator[Finding]:
        names = [model.name for model in self.seen]
        shaken = list(shake(client, patient.asker, names, wants_key=patient.wants_key))
        yield from shaken
        yield from model_checks.judge_fitness(self.seen, context=client.context, tools=client.tools, asks=client.asks)
        if not has_failed(shaken):
            yield from self._chat(patient, client.chat, dict(client.headers), tools=client.tools)
        key = "YOUR-KEY" if patient.wants_key else "ollama"  # any text does where none is asked for
        yield note("setup", f"to point it here: {client.setup.format(url=self._address, key=key)}")

    def _chat(
        self, patient: ShimUnderTest, step: Step, headers: dict[str, str], *, tools: bool, is_timed: bool = False
    ) -> Iterator[Finding]:
        choice = model_checks.to_chat_with(self.seen, self.wish.chat, least=self.config.default_context, tools=tools)
        if choice.model is None:
            yield note("no-chat", choice.why)
            return
        seconds = self.config.first_byte_timeout or None
        names, key = [choice.model.name], patient.wants_key
        answers = ask_step(step, headers, patient.asker, names, wants_key=key, seconds=seconds)
        findings = list(judge_step(step, answers))
        yield from findings
        if is_timed and not has_failed(findings):
            yield from stream_checks.judge_pace(answers[0].heard)

"""Check LM Studio: whether it answers, its version, and its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from flask_shim.config.backend_table import LMS, BackendTable
from flask_shim.doctor.findings import Finding, Level, fail, note, ok, plural, warn
from flask_shim.doctor.probe import Prober, ProbeResponse
from flask_shim.lmstudio import Model
from flask_shim.lmstudio.api_versions import ApiVersion, is_list, read_list
from flask_shim.lmstudio.client import GREETING
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.serving.port_probe import OLLAMA_ROOT

ROOT = "/"
PATHS = (GREETING, *(api_version.value for api_version in ApiVersion))
"""Requests that load no model."""

SLOW_SECONDS = 2.0
"""A slower list delays the start of every client."""

_START = "Start its server (Developer tab, or: lms server start), or set SHIM_LMSTUDIO_BASE to where it answers."
_REMEDIES = {
    "its certificate is not trusted": "Set SHIM_CA_FILE to the certificate to trust.",
    "the name can't be looked up": "Correct the host in SHIM_LMSTUDIO_BASE.",
}


class DetectedApi(NamedTuple):
    """The newest API that LM Studio answers, and its models."""

    api_version: ApiVersion
    models: tuple[Model, ...]


def ask_lmstudio(options: ClientOptions) -> dict[str, ProbeResponse]:
    """Request all model lists, and the root if none is answered; stop if there is no HTTP response."""
    responses: dict[str, ProbeResponse] = {}
    with Prober("", key=options.token or "", verify=options.verify) as prober:
        for path in PATHS:
            responses[path] = prober.ask("GET", options.url(path))
            if not responses[path].status:
                return responses
        if detect_api(responses) is None:
            responses[ROOT] = prober.ask("GET", options.url(ROOT))
    return responses


def detect_api(responses: Mapping[str, ProbeResponse]) -> DetectedApi | None:
    """Return the newest list among the responses, if any."""
    for api_version in ApiVersion:
        answer = responses.get(api_version.value)
        if answer is not None and answer.is_good and is_list(api_version, answer.json):
            return DetectedApi(api_version, read_list(api_version, answer.json))
    return None


def judge_lmstudio(
    options: ClientOptions, responses: Mapping[str, ProbeResponse], *, can_load: bool
) -> Iterator[Finding]:
    """Judge the responses; ``can_load`` says that the lms tool of this machine can load models."""
    silent = next((answer for answer in responses.values() if not answer.status), None)
    if silent is not None:
        text = f"{options.base_url} does not answer: {silent.fault}"
        yield fail("backend", text, _REMEDIES.get(silent.fault, _START))
        return
    if any(answer.status in (401, 403) for answer in responses.values()):
        yield _judge_token(options, responses)
        return
    found = detect_api(responses)
    if found is None:
        yield _name_other_server(options, responses)
        return
    yield ok("backend", f"{options.base_url} answers")
    yield ok("token", "the token is accepted" if options.token else "no token is required")
    yield _judge_api_version(found, responses, can_load=can_load)
    yield from _loading_on_demand(found, responses, can_load=can_load)
    slowest = max(answer.seconds for answer in responses.values())
    if slowest > SLOW_SECONDS:
        yield warn("backend-slow", f"it takes {slowest:.1f} s for a list", "Check the load of its machine.")
    if not found.models:
        yield fail("no-models", "it has no models", "Download one in LM Studio (or: lms get).")


def judge_table(table: BackendTable, found: Iterable[Finding], *, can_start: bool) -> Iterator[Finding]:
    """Judge one of several LM Studios by its table in the file, and by what was found there.

    ``can_start`` says that the lms tool of this machine can start it.
    """
    if table.drain:
        yield note("drain", "it gets no requests (drain)")
    if table.wake == LMS and not can_start:
        text = 'wake = "lms" cannot start it: it is not on this machine, or this account has no lms tool'
        yield warn("wake", text, "Write the MAC address of its machine, or run LM Studio once as this account.")
    for finding in found:
        if table.wake and finding.level is Level.FAIL and finding.code == "backend":
            yield note("asleep", f"{table.url} does not answer; the first request for one of its models wakes it")
            return
        remedy = finding.remedy.replace("SHIM_LMSTUDIO_BASE", "its url").replace("SHIM_LMSTUDIO_TOKEN", "its token")
        yield replace(finding, remedy=remedy)


def _judge_token(options: ClientOptions, responses: Mapping[str, ProbeResponse]) -> Finding:
    text = next(answer.error for answer in responses.values() if answer.status in (401, 403))
    if options.token:
        return fail("token", f"the token is refused: {text}", "Set SHIM_LMSTUDIO_TOKEN to a token LM Studio shows.")
    what = "it requires a token, and none is set"
    return fail("token", what, "Set SHIM_LMSTUDIO_TOKEN to a token made in LM Studio's server settings.")


def _name_other_server(options: ClientOptions, responses: Mapping[str, ProbeResponse]) -> Finding:
    if responses[ROOT].body.strip() == OLLAMA_ROOT:
        what = f"what answers at {options.base_url} is Ollama, or this shim itself"
    else:
        what = f"what answers at {options.base_url} has no list of models: it is not LM Studio"
    return fail("backend", what, "Set SHIM_LMSTUDIO_BASE to LM Studio's address, usually http://localhost:1234/v1.")


def _judge_api_version(found: DetectedApi, responses: Mapping[str, ProbeResponse], *, can_load: bool) -> Finding:
    greeting = responses[GREETING].json
    is_studio = isinstance(greeting, dict) and greeting.get("lmstudio") is True
    name = found.api_version.title
    if found.api_version is ApiVersion.OPENAI and is_studio:
        name = "LM Studio before 0.3.6"
    summary = f"it is {name}, with {plural(len(found.models), 'model')}"
    if found.api_version is ApiVersion.V1:
        return ok("generation", summary)
    if can_load:
        return ok("generation", f"{summary}, and has the lms tool to load them")
    lacks = (
        "what a model can do is guessed from its name" if found.api_version is ApiVersion.OPENAI else "less is known"
    )
    text = f"{summary}: models cannot be loaded or unloaded on request, and {lacks}"
    return warn("generation", text, "Update to LM Studio 0.4 or later.")


def _loading_on_demand(
    found: DetectedApi, responses: Mapping[str, ProbeResponse], *, can_load: bool
) -> Iterator[Finding]:
    """Compare two lists: OpenAI's has models that are not loaded only while just-in-time loading is on."""
    if found.api_version is ApiVersion.OPENAI:
        return
    cold = {model.key for model in found.models if not model.is_loaded}
    listed = responses[ApiVersion.OPENAI.value]
    if not cold or not is_list(ApiVersion.OPENAI, listed.json):
        return
    missing = cold - {model.key for model in read_list(ApiVersion.OPENAI, listed.json)}
    if not missing:
        yield ok("jit", "just-in-time loading is on")
    elif found.api_version is ApiVersion.V1 or can_load:
        yield note("jit", "just-in-time loading is off; the shim loads models itself on the first request")
    else:
        text = (
            f"just-in-time loading is off: {len(missing)} of {len(found.models)} models answer only once loaded by hand"
        )
        yield warn("jit", text, "Switch on Just-in-Time Model Loading in LM Studio's server settings.")

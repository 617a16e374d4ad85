"""Send a client's handshake, and judge the responses as the client does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from flask_shim.doctor.client_requests import Step
from flask_shim.doctor.clients import Client
from flask_shim.doctor.findings import Finding, Level, fail, has_failed, note, ok
from flask_shim.doctor.probe import ANSWER_SECONDS, Prober, ProbeResponse
from flask_shim.doctor.shim_checks import refusal_in

CONCURRENT_REQUESTS = 8
"""Some clients ask about all models at once."""

_KEY_HEADER = "Authorization"


class Answer(NamedTuple):
    """The response to one request, and the model it is about, "" if none."""

    model: str
    response: ProbeResponse


def play_handshake(client: Client, prober: Prober, names: Sequence[str], *, wants_key: bool) -> Iterator[Finding]:
    """Send the handshake up to the step at which the client gives up; ``names`` are the listed models."""
    yield from judge_key(client, wants_key=wants_key)
    if wants_key and client.key == "":
        return
    for step in client.steps:
        findings = list(judge_step(step, send_step(step, client.headers, prober, names, wants_key=wants_key)))
        yield from findings
        if has_failed(findings):
            yield note("stopped", "the client gives up here, so no further requests were sent")
            return


def judge_key(client: Client, *, wants_key: bool) -> Iterator[Finding]:
    """Judge whether the client can send the required key."""
    if not wants_key:
        return
    if client.key:
        yield note("client-key", f"set the key here: {client.key}")
    elif client.key is None:
        yield note("client-key", "it is unknown whether it can send the key that this server requires")
    else:
        text = "it cannot send a key, and this server requires one"
        yield fail("client-key", text, "Run a shim without SHIM_API_KEY on loopback for it.")


def send_step(
    step: Step,
    headers: Mapping[str, str],
    prober: Prober,
    names: Sequence[str],
    *,
    wants_key: bool,
    seconds: float | None = ANSWER_SECONDS,
) -> list[Answer]:
    """Send the requests of a step, several at a time."""
    # A placeholder of the client would replace the key of the prober.
    sent = {name: text for name, text in {**headers, **step.headers}.items() if not (wants_key and name == _KEY_HEADER)}

    def ask(about: tuple[str, Any]) -> Answer:
        model, body = about
        return Answer(model, prober.ask(step.method, step.path, headers=sent, body=body, seconds=seconds))

    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        return list(pool.map(ask, step.bodies(names)))


def judge_step(step: Step, answers: Sequence[Answer]) -> Iterator[Finding]:
    """Judge the responses to a step as strictly as the client does."""
    if not answers:
        yield note("nothing", f"{step.name}: there is no model to ask about")
        return
    refused = [(answer.model, refusal) for answer in answers if (refusal := refusal_in(step.name, answer.response))]
    if refused:
        yield _soften(step, _name_models([model for model, _ in refused], refused[0][1]))
        return
    faults = []
    for rule in step.rules:
        wrong = [(answer.model, text) for answer in answers if (text := rule.fault(answer.response))]
        if wrong:
            finding = Finding(rule.level, rule.code, f"{step.name}: {wrong[0][1]}", rule.remedy)
            faults.append(_soften(step, _name_models([model for model, _ in wrong], finding)))
    if faults:
        yield from faults
        return
    good = "; ".join(rule.good for rule in step.rules)
    many = f" for {len(answers)} models" if step.body and len(answers) > 1 else ""
    yield ok("step", f"{step.name}{many}{f': {good}' if good else ''}")


def _name_models(models: Sequence[str], finding: Finding) -> Finding:
    """Append the models that a finding is about."""
    if not models[0]:  # the step is about no model
        return finding
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    return replace(finding, text=f"{finding.text} ({models[0]}{more})")


def _soften(step: Step, finding: Finding) -> Finding:
    """Turn a failure into a warning if the client continues without the response."""
    is_harmless = finding.level is Level.FAIL and not step.is_strict
    return replace(finding, level=Level.WARN) if is_harmless else finding

"""Apply the rules of ``flask-shim.toml`` to the current request, the same on every route."""

from __future__ import annotations

import hmac
import logging

from flask import request

from flask_shim.config.shim_file import ModelProfile
from flask_shim.config.toml_tables import keys_of
from flask_shim.middleware.access import given_keys
from flask_shim.models.profiles import names_of
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.client_names import client_name
from flask_shim.observability.request_context import current
from flask_shim.services import services
from flask_shim.translate.client_rules import RequestFacts, apply_rule, changed_names, is_match, names_elsewhere
from flask_shim.translate.request_settings import RequestSettings

log = logging.getLogger(__name__)


def apply_rules(settings: RequestSettings, target: ResolvedModel) -> RequestSettings:
    """Return the settings as the rules that match change them; record which rule changed what."""
    _record_profile(target)
    file = services().config.file
    if not file.rules:
        return settings
    facts, record, before = _facts(target), current(), settings
    for rule in file.rules:
        if not is_match(rule, facts):
            continue
        changed = apply_rule(rule, settings)
        if names := list(changed_names(settings, changed)):
            place = f"{file.path}, line {rule.line}"
            record.reasons.update(dict.fromkeys(names_elsewhere(names), f"rule in {place}"))
            log.debug("rule at %s changed %s", place, ", ".join(names))
        settings = changed
    is_forced_off = settings.think is False and before.think is not False
    record.hides_thinking = settings.hides_thinking or is_forced_off
    return settings


def _facts(target: ResolvedModel) -> RequestFacts:
    user_agent = request.headers.get("User-Agent", "")
    given = list(given_keys(request.environ))
    return RequestFacts(
        client=client_name(user_agent) or "",
        user_agent=user_agent,
        route=request.path,
        models=(target.name, *names_of(target.entry)),
        keys=tuple(
            key.name
            for key in services().config.file.keys
            if any(hmac.compare_digest(key.value.encode(), each) for each in given)
        ),
    )


def _record_profile(target: ResolvedModel) -> None:
    """Record, by the names that LM Studio has for them, which fields may come from the model's profile."""
    profile = target.entry.profile
    if not profile.line:
        return
    names = [name for name in keys_of(ModelProfile) if getattr(profile, name) is not None]
    sent = {"num_predict": "max_tokens", "keep_alive": "ttl", "think": "reasoning_effort", "system": "messages"}
    reason = f"profile in {services().config.file.path}, line {profile.line}"
    current().reasons.update({sent.get(name, name): reason for name in names})

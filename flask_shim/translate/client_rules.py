"""Match a request with the rules of ``flask-shim.toml``, and change its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from flask_shim.config.shim_file import Bounds, ClientRule, Options
from flask_shim.config.toml_tables import keys_of
from flask_shim.config.toml_values import matches
from flask_shim.translate.request_settings import RequestSettings


class RequestFacts(NamedTuple):
    """By what a rule can match: ``models`` are all names of the model, ``keys`` the names of the client's keys."""

    client: str
    user_agent: str
    route: str
    models: tuple[str, ...]
    keys: tuple[str, ...]


def is_match(rule: ClientRule, facts: RequestFacts) -> bool:
    """Return whether the request matches by everything that the rule names."""
    pairs = (
        (rule.client, (facts.client,)),
        (rule.user_agent, (facts.user_agent,)),
        (rule.route, (facts.route,)),
        (rule.model, facts.models),
        (rule.key, facts.keys),
    )
    return all(matches(patterns, *names) for patterns, names in pairs if patterns)


def apply_rule(rule: ClientRule, settings: RequestSettings) -> RequestSettings:
    """Return the settings as the rule changes them."""
    changes: dict[str, Any] = {"options": _options(rule, settings)}
    if rule.think is not None:
        changes["think"] = rule.think
    if rule.hide_thinking is not None:
        changes["hides_thinking"] = rule.hide_thinking
    if rule.keep_alive is not None:
        changes["keep_alive"] = rule.keep_alive
    if settings.system is not None:
        texts = (rule.prepend_system, rule.replace_system or settings.system, rule.append_system)
        changes["system"] = "\n\n".join(filter(None, texts))
    return dataclasses.replace(settings, **changes)


def _options(rule: ClientRule, settings: RequestSettings) -> dict[str, Any]:
    options = {name: value for name, value in settings.options.items() if name not in rule.drop}
    for name in keys_of(Options):
        if (value := getattr(rule.set, name)) is not None:
            options[name] = list(value) if isinstance(value, tuple) else value
    for name in keys_of(Bounds):
        value, least, most = options.get(name), getattr(rule.min, name), getattr(rule.max, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue  # not given, or of a wrong type, which is rejected later
        if least is not None:
            value = max(value, least)
        # A negative num_predict means no limit.
        if most is not None and (value > most or (name == "num_predict" and value < 0)):
            value = most
        options[name] = value
    return options


def changed_names(before: RequestSettings, after: RequestSettings) -> Iterator[str]:
    """Yield what differs: the names of options, ``think``, ``hide_thinking``, ``keep_alive``, ``system``."""
    for name in dict.fromkeys((*before.options, *after.options)):
        if before.options.get(name) != after.options.get(name):
            yield name
    for name, shown in _SHOWN.items():
        if getattr(before, name) != getattr(after, name):
            yield shown


_SHOWN = {"think": "think", "hides_thinking": "hide_thinking", "keep_alive": "keep_alive", "system": "system"}

_OTHER_NAMES = {
    "num_predict": ("max_tokens", "max_output_tokens", "max_completion_tokens"),
    "stop": ("stop_sequences",),
    "think": ("reasoning_effort", "reasoning", "thinking", "output_config"),
    "keep_alive": ("ttl",),
    "system": ("instructions", "messages"),
}


def names_elsewhere(names: Iterable[str]) -> Iterator[str]:
    """Yield the names with those that other protocols have for them."""
    for name in names:
        yield from (name, *_OTHER_NAMES.get(name, ()))

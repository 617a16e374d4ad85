"""The parts of a client's handshake: its requests, and rules for their responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask_shim.doctor import answer_rules
from flask_shim.doctor.answer_rules import Fault
from flask_shim.doctor.findings import Level

JSON = "application/json"

Body = Callable[[str], Any]
"""Returns the body of a request about a model."""


class Rule(NamedTuple):
    """One rule of a client: ``good`` says that a response keeps it, ``remedy`` what to do if not."""

    code: str
    good: str
    fault: Fault
    remedy: str
    level: Level = Level.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a handshake; with ``each``, one for every listed model.

    Models with ``skips`` in their name are left out. If not ``is_strict``, the client continues without a response.
    """

    method: str = "GET"
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    each: bool = False
    skips: str = ""
    rules: tuple[Rule, ...] = ()
    is_strict: bool = True

    @property
    def name(self) -> str:
        """The request, for findings."""
        return f"{self.method} {self.path}"

    def bodies(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """Return the model and the body of each request; a request about no model has neither."""
        if not self.each:
            return [("", None)]
        wanted = (name for name in names if not (self.skips and self.skips in name))
        return [(name, self.body(name) if self.body else None) for name in wanted]


_IMITATION = "Another program, or an old version of the shim, answers here. Update it."
_VERSION = "Leave SHIM_OLLAMA_VERSION out, or set it to a newer one."
_FRONT = "Configure the proxy in front to forward the response unchanged."


def from_version(least: str, *, passes_text: bool = False) -> Rule:
    """Require a version; some clients accept any text that is no version."""
    return Rule("version", f"the version is {least} or later", answer_rules.version_from(least, passes_text), _VERSION)


INTEGERS = Rule("version", "the version is made of numbers", answer_rules.version_of_integers, _VERSION)
JSON_TYPE = Rule("type", "the content type is JSON", answer_rules.is_json, _FRONT)
TAGGED = Rule("tag", "every name has a tag", answer_rules.has_tags, _IMITATION)
ENTRIES = Rule("entries", "every entry has all fields", answer_rules.complete_entries, _IMITATION)
RUNNING = Rule("entries", "every entry has all fields", answer_rules.complete_running, _IMITATION)
DIGESTS = Rule("digest", "no two models share a digest", answer_rules.unique_digests, _IMITATION)
DESCRIBED = Rule("show", "every model is described", answer_rules.has_description, _IMITATION)
CONTEXT = Rule(
    "context-told",
    "every model has its context length",
    answer_rules.has_context,
    "Update LM Studio: this version does not report it, so the client guesses.",
    Level.WARN,
)


def listed(*keys: str, rows: str = "models") -> Rule:
    """Require a list whose entries have these keys."""
    return Rule("list", f"every entry has its {' and '.join(keys)}", answer_rules.lists(rows, *keys), _IMITATION)


def welcome(origin: str) -> Rule:
    """Require that pages of an origin are allowed."""
    remedy = f"Add {origin} to SHIM_ALLOWED_ORIGINS."
    return Rule("origin", f"pages of {origin} are allowed", answer_rules.allows_origin(origin), remedy)


def about(key: str = "model", **more: Any) -> Body:
    """Return bodies with the model's name under ``key``."""
    return lambda model: {key: model, **more}


def show(key: str = "model", *, skips: str = "", is_strict: bool = True, **more: Any) -> Step:
    """Return the request for the details of every model."""
    return Step(
        method="POST",
        path="/api/show",
        headers={"Content-Type": JSON},
        is_strict=is_strict,
        body=about(key, **more),
        each=True,
        skips=skips,
        rules=(DESCRIBED, CONTEXT),
    )

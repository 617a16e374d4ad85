"""The parts of a client's handshake: what it asks, and what it insists on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask_shim.doctor import answer_rules
from flask_shim.doctor.answer_rules import Fault
from flask_shim.doctor.findings import Level

JSON = "application/json"

Body = Callable[[str], Any]
"""What is sent about the model of that name."""


class Rule(NamedTuple):
    """One thing a client insists on: ``good`` says that it is so, ``remedy`` what to do if it is not."""

    code: str
    good: str
    fault: Fault
    remedy: str
    level: Level = Level.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a handshake, or, with ``each``, one for every model that was listed.

    ``skips`` are parts of the names of models that are left out. Where it is not ``is_strict``, the client goes on
    without the answer.
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
        """How it is called in findings."""
        return f"{self.method} {self.path}"

    def bodies(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """Return what is sent, each with the model it is about, if it is about one of ``names``."""
        if not self.each:
            return [("", None)]
        wanted = (name for name in names if not (self.skips and self.skips in name))
        return [(name, self.body(name) if self.body else None) for name in wanted]


_IMITATION = "What answers here is not this shim, or an old one: update it."
_VERSION = "Leave SHIM_OLLAMA_VERSION out, or set it to a newer one."
_FRONT = "Let the proxy in front pass the answer on as it is."


def from_version(least: str, *, passes_text: bool = False) -> Rule:
    """Require a version that is not older; some let everything pass that is no version at all."""
    return Rule("version", f"the version is {least} or later", answer_rules.version_from(least, passes_text), _VERSION)


INTEGERS = Rule("version", "the version is made of numbers", answer_rules.version_of_integers, _VERSION)
JSON_TYPE = Rule("type", "the answer says that it is JSON", answer_rules.is_json, _FRONT)
TAGGED = Rule("tag", "every name has a tag", answer_rules.has_tags, _IMITATION)
ENTRIES = Rule("entries", "every entry has all fields", answer_rules.complete_entries, _IMITATION)
RUNNING = Rule("entries", "every entry has all fields", answer_rules.complete_running, _IMITATION)
DIGESTS = Rule("digest", "every model has a digest of its own", answer_rules.unique_digests, _IMITATION)
DESCRIBED = Rule("show", "every model is has_description", answer_rules.has_description, _IMITATION)
CONTEXT = Rule(
    "context-told",
    "every model has its context length",
    answer_rules.has_context,
    "Update LM Studio: this version does not tell, and the client guesses.",
    Level.WARN,
)


def listed(*keys: str, rows: str = "models") -> Rule:
    """Require a list whose entries have these names."""
    return Rule("list", f"every entry has its {' and '.join(keys)}", answer_rules.lists(rows, *keys), _IMITATION)


def welcome(origin: str) -> Rule:
    """Require pages of that origin let in."""
    remedy = f"Add {origin} to SHIM_ALLOWED_ORIGINS."
    return Rule("origin", f"pages of {origin} are let in", answer_rules.allows_origin(origin), remedy)


def about(key: str = "model", **more: Any) -> Body:
    """Send the model's name under ``key``, and what else there is."""
    return lambda model: {key: model, **more}


def show(key: str = "model", *, skips: str = "", is_strict: bool = True, **more: Any) -> Step:
    """Ask for the description of every model."""
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

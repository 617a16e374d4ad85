"""The requests of a client's handshake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_shim.doctor.answer_rules import Rule, has_context, has_description

JSON = "application/json"

Body = Callable[[str], Any]
"""Returns the body of a request about a model."""


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


def show(key: str = "model", *, skips: str = "", is_strict: bool = True, **more: Any) -> Step:
    """Return the request for the details of every model, whose name stands under ``key``."""
    return Step(
        method="POST",
        path="/api/show",
        headers={"Content-Type": JSON},
        is_strict=is_strict,
        body=lambda model: {key: model, **more},
        each=True,
        skips=skips,
        rules=(has_description, has_context),
    )

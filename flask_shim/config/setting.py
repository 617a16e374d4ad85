"""What one setting is, and how its text becomes a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from environs import Env


class Reader(Env):
    """environs over a given mapping: what it reads depends on nothing but its argument.

    It collects every mistake and tells them all when it is sealed. Forms that environs does not bring go through
    ``reader.parsed(name, parse=...)``.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        """Read from ``given`` only."""
        super().__init__(eager=False)
        self._given = given
        self.add_parser("parsed", lambda text, *, parse: parse(text))

    # The place where environs' own FileAwareEnv looks elsewhere, too.
    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)


Form = Callable[[Reader, str], Any]
"""Read the variable of that name from that reader; what is wrong with it stays with the reader until it is sealed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: where its value goes, what it means, and what holds without it.

    ``default`` is written as a user would write it; empty means that nothing is set, and ``unset`` says in words
    what then holds. ``field`` is empty for a variable that no field of Config stands for.
    """

    env: str
    field: str
    default: str
    help: str
    form: Form
    group: str
    fallbacks: tuple[str, ...] = ()
    unset: str = ""
    is_secret: bool = False
    is_free_text: bool = False
    """Kept letter by letter: no stripping of blanks and quotes."""
    empty_counts: bool = False
    """Set to nothing is a value here; everywhere else it is as good as not set."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable that can give the value, the strongest first."""
        return (self.env, *self.fallbacks)

"""From texts to values: which variable gives a setting its value, and what that value is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from environs import EnvValidationError

from flask_shim.config.all_settings import SETTINGS
from flask_shim.config.setting import Reader, Setting
from flask_shim.config.sources import bare

_LONGEST_SHOWN = 120
_LOGIN = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Choice:
    """The text a setting takes its value from; ``is_set`` is False for its default, and that may be empty."""

    setting: Setting
    name: str
    text: str
    is_set: bool

    @property
    def shown(self) -> str:
        """The text as it may be printed: never a secret, never a login inside a URL."""
        return "…" if self.setting.is_secret else _LOGIN.sub("//…@", self.text)[:_LONGEST_SHOWN]

    @property
    def note(self) -> str | None:
        """What the start-up log says about it: which other name won, or that it does nothing."""
        if self.is_set and self.setting.env == "SHIM_DISABLE_UVLOOP":
            return f"{self.name} has no effect: waitress runs no uvloop"
        if self.name != self.setting.env:
            value = "" if self.setting.is_secret else f"={self.shown}"
            return f"{self.setting.env} not set: {self.name}{value} is used"
        return None


@dataclass(frozen=True, slots=True)
class Values:
    """What was read, by ``Setting.env``; a setting without value is absent, and one in ``failed`` has none to trust."""

    found: dict[str, Any]
    choices: Mapping[str, Choice]
    failed: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def name_of(self, env: str) -> str:
        """Which variable gave, or would give, the value of that setting."""
        return self.choices[env].name

    def is_set(self, env: str) -> bool:
        """Whether the user gave that setting a value, under whichever name."""
        return self.choices[env].is_set


def choose(texts: Mapping[str, str]) -> dict[str, Choice]:
    """Pick for every setting the first of its names that is set."""
    return {setting.env: _choice(setting, texts) for setting in SETTINGS}


def _choice(setting: Setting, texts: Mapping[str, str]) -> Choice:
    for name in setting.names:
        text = _cleaned(setting, texts.get(name, ""))
        if text or (setting.empty_counts and name == setting.env and name in texts):
            return Choice(setting, name, text, is_set=True)
    return Choice(setting, setting.env, setting.default, is_set=False)


def _cleaned(setting: Setting, text: str) -> str:
    if setting.is_free_text:
        return text if text.strip() else ""
    return bare(text)


def read(choices: Mapping[str, Choice]) -> Values:
    """Turn every chosen text into its value, and tell everything that is wrong with them at once."""
    given = {env: choice for env, choice in choices.items() if choice.is_set or choice.text}
    reader = Reader({choice.name: choice.text for choice in given.values()})
    found = {env: choice.setting.form(reader, choice.name) for env, choice in given.items()}
    mistakes = _seal(reader)
    failed = frozenset(env for env, choice in given.items() if choice.name in mistakes)
    return Values(
        found={env: value for env, value in found.items() if env not in failed},
        choices=choices,
        failed=failed,
        problems=tuple(_problem(given[env], mistakes[given[env].name]) for env in given if env in failed),
        notes=[choice.note for choice in choices.values() if choice.note],
    )


def _seal(reader: Reader) -> Mapping[str, list[str]]:
    try:
        reader.seal()
    except EnvValidationError as exc:
        return exc.error_messages if isinstance(exc.error_messages, Mapping) else {}
    return {}


def _problem(choice: Choice, messages: list[str]) -> str:
    value = "" if choice.setting.is_secret else f"={choice.shown!r}"
    return f"{choice.name}{value}: {' '.join(messages)}"

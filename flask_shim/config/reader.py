"""Declare settings, and read their values from texts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_SHOWN = 120
_LOGIN = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Unset:
    """What applies while a setting has no text: in words, and as the value of its field or a function that makes it."""

    text: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its names, default, parser and description."""

    env: str
    default: str | Unset
    """The text, written as in a settings file."""
    parse: Callable[[str], Any]
    """Returns the value of a text, or raises ValueError with a sentence for the user."""
    help: str
    fallbacks: tuple[str, ...] = ()
    is_secret: bool = False
    is_free_text: bool = False
    """Blanks and quotes around the value are kept."""
    empty_counts: bool = False
    """An empty value is a value. For every other setting it counts as not set."""
    field: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the variables that can give the value, in order of precedence."""
        return (self.env, *self.fallbacks)


def setting(
    env: str,
    default: str | Unset,
    parse: Callable[[str], Any],
    help: str,  # noqa: A002 - as in argparse and click
    **attributes: Any,
) -> Any:
    """Declare a dataclass field that is a setting."""
    declared = Setting(env, default, parse, help, **attributes)
    value = default.value if isinstance(default, Unset) else parse(default)
    options: dict[str, Any] = {"default_factory" if callable(value) else "default": value}
    is_shown = not (declared.is_secret or declared.is_free_text)
    return dataclasses.field(**options, repr=is_shown, metadata={"setting": declared})


def settings_of(config_class: type) -> tuple[Setting, ...]:
    """Return the settings of a dataclass: its fields, and class attributes for settings that only affect fields."""
    declared: dict[str, Setting] = {
        **{name: value for name, value in vars(config_class).items() if isinstance(value, Setting)},
        **{field.name: field.metadata["setting"] for field in dataclasses.fields(config_class)},
    }
    return tuple(dataclasses.replace(declared[name], field=name) for name in config_class.__annotations__)


@dataclass(frozen=True, slots=True)
class Choice:
    """The variable that sets a setting, and its text."""

    setting: Setting
    name: str
    text: str

    @property
    def masked(self) -> str:
        """The text without secrets and without a login in a URL."""
        return "…" if self.setting.is_secret else _LOGIN.sub("//…@", self.text)[:_LONGEST_SHOWN]

    @property
    def note(self) -> str | None:
        """The line for the log at start, if there is something to say about the variable."""
        if self.setting.env == "SHIM_DISABLE_UVLOOP":
            return f"{self.name} has no effect: waitress runs no uvloop"
        if self.name != self.setting.env:
            value = "" if self.setting.is_secret else f"={self.masked}"
            return f"{self.setting.env} not set: {self.name}{value} is used"
        return None

    def problem(self, reason: str) -> str:
        """Return the line for a value that can't be used."""
        value = "" if self.setting.is_secret else f"={self.masked!r}"
        return f"{self.name}{value}: {reason}"


class Values:
    """The settings that are set: their values by field, the fields whose text is invalid, problems and notes."""

    def __init__(self, choices: Mapping[str, Choice]) -> None:
        """Parse every text and collect all problems."""
        self.choices = choices
        self.found: dict[str, Any] = {}
        self.failed: set[str] = set()
        self.problems: list[str] = []
        self.notes = [choice.note for choice in choices.values() if choice.note]
        for field, choice in choices.items():
            try:
                value = choice.setting.parse(choice.text)
                # Python keeps bytes that are not UTF-8 as halves of characters. Only paths may have them.
                if not isinstance(value, Path) and not _is_unicode(choice.text):
                    raise ValueError("Not UTF-8; set it in that encoding.")
                self.found[field] = value
            except ValueError as exc:
                self.failed.add(field)
                self.problems.append(choice.problem(str(exc)))

    def name_of(self, field: str, env: str) -> str:
        """Return the variable that sets a field, ``env`` if none does."""
        return self.choices[field].name if field in self.choices else env


def choose(settings: Iterable[Setting], texts: Mapping[str, str]) -> dict[str, Choice]:
    """Return, by field, the first variable of each setting that is set."""
    found = ((setting.field, _choice(setting, texts)) for setting in settings)
    return {field: choice for field, choice in found if choice is not None}


def _choice(setting: Setting, texts: Mapping[str, str]) -> Choice | None:
    for name in setting.names:
        text = texts.get(name, "")
        text = (text if text.strip() else "") if setting.is_free_text else unquote(text)
        if text or (setting.empty_counts and name == setting.env and name in texts):
            return Choice(setting, name, text)
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unquote(text: str) -> str:
    """Strip blanks, and the quotes that cmd.exe's ``set NAME="value"`` keeps in the value. Ollama does the same."""
    stripped = text.strip()
    is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "\"'"
    return stripped[1:-1].strip() if is_quoted else stripped

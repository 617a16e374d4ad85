"""Give models the profiles of ``flask-shim.toml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flask_shim.config.shim_file import ModelProfile, NumberOptions
from flask_shim.config.toml_tables import keys_of
from flask_shim.config.toml_values import matches
from flask_shim.translate.ollama.listing import Entry

_SAMPLING = (*keys_of(NumberOptions), "stop")


class ModelProfiles:
    """The profiles in the order of the file; where several match, the later one wins for each key that it has."""

    def __init__(self, profiles: Sequence[ModelProfile] = ()) -> None:
        self._profiles = profiles

    def apply(self, entry: Entry) -> Entry:
        """Return the entry with its profile; the settings of an alias win over it."""
        names = names_of(entry)
        found = [profile for profile in self._profiles if matches((profile.name,), *names)]
        if not found:
            return entry
        profile = _merge(found)
        parameters = {name: value for name in _SAMPLING if (value := getattr(profile, name)) is not None}
        if "stop" in parameters:
            parameters["stop"] = list(parameters["stop"])
        if profile.context is not None:
            parameters["num_ctx"] = profile.context
        return dataclasses.replace(
            entry,
            profile=profile,
            system=entry.system or profile.system or "",
            parameters={**parameters, **entry.parameters},
        )


def names_of(entry: Entry) -> tuple[str, ...]:
    """Return the names by which a profile or a rule may mean a model: the client's and LM Studio's."""
    return (entry.name, entry.name.removesuffix(":latest"), entry.model.key)


def _merge(profiles: Sequence[ModelProfile]) -> ModelProfile:
    given = {
        name: value
        for profile in profiles
        for name in keys_of(ModelProfile)
        if (value := getattr(profile, name)) is not None
    }
    return ModelProfile(**given, name=profiles[-1].name, line=profiles[-1].line)

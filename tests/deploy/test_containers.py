"""The image and its neighborhood, checked against what is documented: no container is started here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from generated_files import shipped

from flask_shim.config import SETTINGS, Config

ROOT = Path(__file__).parents[2]

INSTRUCTIONS = {
    "FROM", "COPY", "RUN", "USER", "WORKDIR", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD",
}  # fmt: skip

SERVICE = {
    "build": dict, "image": str, "restart": str, "ports": list, "environment": dict, "extra_hosts": list,
    "volumes": list, "read_only": bool, "tmpfs": list, "security_opt": list, "cap_drop": list,
    "stop_grace_period": str,
}  # fmt: skip
"""What the compose file may say of a service, and in which shape."""


@pytest.fixture
def instructions():
    """Give the instructions of the Dockerfile: each word with what follows it."""
    lines = [line for line in shipped("docker").splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines()]


@pytest.fixture
def environment(instructions):
    return dict(word.split("=", 1) for name, rest in instructions if name == "ENV" for word in shlex.split(rest))


@pytest.fixture
def compose():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(shipped("compose"))


def test_the_image_is_made_of_known_instructions(instructions):
    assert [name for name, _ in instructions if name not in INSTRUCTIONS] == []
    assert instructions[0][0] == "FROM"


def test_the_image_does_not_run_as_root(instructions):
    names = [name for name, _ in instructions]
    user = dict(instructions)["USER"]
    assert names.index("RUN") < names.index("USER") < names.index("CMD")
    assert f"useradd --create-home --uid 10001 {user}" in instructions[names.index("RUN")][1]


def test_the_shim_in_the_image_starts_with_the_settings_of_the_image(environment, instructions):
    settings = {name: value for name, value in environment.items() if name.startswith("SHIM_")}
    config = Config.from_env(settings, env_file="")
    assert config.hosts == ("0.0.0.0",)
    assert dict(instructions)["EXPOSE"] == str(config.port)
    assert config.backend_url.startswith("http://host.docker.internal:1234")


def test_the_folder_for_data_is_a_volume_of_the_user(environment, instructions):
    assert dict(instructions)["VOLUME"] == environment["SHIM_DATA_DIR"]
    names = [name for name, _ in instructions]
    made = instructions.index(("RUN", "mkdir data"))
    assert names.index("USER") < names.index("WORKDIR") < made < names.index("VOLUME")
    assert environment["SHIM_DATA_DIR"] == f"{dict(instructions)['WORKDIR']}/data"


def test_what_is_copied_into_the_image_leaves_out_what_is_only_here():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", ".env", ".ci/"} <= set(ignored)


def test_compose_file_uses_only_known_keys(compose):
    assert set(compose) == {"services", "volumes"}
    for service in compose["services"].values():
        assert [name for name, value in service.items() if not isinstance(value, SERVICE[name])] == []
        used = {volume.split(":")[0] for volume in service["volumes"]}
        assert used == set(compose["volumes"])


def test_compose_builds_the_image_that_lies_beside_it(compose):
    build = compose["services"]["flask-shim"]["build"]
    context = (ROOT / "config" / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()


def test_compose_publishes_the_port_on_this_machine_only(compose, environment):
    (port,) = compose["services"]["flask-shim"]["ports"]
    assert port == f"127.0.0.1:11434:{environment['SHIM_PORT']}"


def test_compose_file_sets_only_known_settings(compose):
    known = {name for setting in SETTINGS for name in setting.names}
    assert set(compose["services"]["flask-shim"]["environment"]) <= known

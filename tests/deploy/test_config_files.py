"""Configuration files: the shipped ones are the templates, and each is what its reader takes."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from generated_files import shipped, write

from flask_shim.cli import cli
from flask_shim.config import Config, addresses
from flask_shim.deploy.rendering import CLUSTERS, TEMPLATES, render

CONFIG = Path(__file__).parents[2] / "config"
RUN = "run python tools/generated_files.py"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_shipped_file_is_its_template_filled_in(name):
    assert (CONFIG / TEMPLATES[name].file).read_text(encoding="ascii") == shipped(name), RUN


def test_all_files_are_written_by_one_command(tmp_path):
    for name in ("config", "docs"):
        (tmp_path / name).mkdir()
    write(tmp_path)
    written = {path.name: path.read_bytes() for path in (tmp_path / "config").iterdir()}
    assert written == {path.name: path.read_bytes() for path in CONFIG.iterdir()}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_printed_file_has_the_users_own_settings(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SHIM_PORT", "12345")
    monkeypatch.setenv("SHIM_DRAIN_SECONDS", "33")
    printed = CliRunner().invoke(cli, ["config", name, "--root", str(tmp_path)])
    assert printed.exit_code == 0
    assert "{{" not in printed.output
    folders = (str(tmp_path), str(PureWindowsPath(tmp_path)))
    mine = [text for text in ("12345", "43", *folders) if text in printed.output]
    assert mine or name in ("docker",)


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_file_for_several_shims_has_their_addresses(name):
    shims = ["--shim", "Box", "--shim", "10.0.0.2:80", "--shim", "[fd00::1]:81"]
    printed = CliRunner().invoke(cli, ["config", name, *shims]).output
    servers = re.findall(r"^    server (?:shim\d )?(\S+)", printed, re.M)
    assert servers == ["box:11434", "10.0.0.2:80", "[fd00::1]:81"]


@pytest.mark.parametrize(
    ("name", "shim", "problem"),
    [
        ("nginx", "box", "nginx is not for several shims"),
        ("haproxy", "box/x", "--shim: Not an address"),
        ("haproxy", "a b", "--shim: Not an address"),
        ("haproxy", "ann@box", "--shim: Not an address"),
        ("haproxy", "box:99999", "--shim: Not a URL"),
        ("haproxy", "box:0", "--shim: Not an address"),
    ],
)
def test_url_that_is_not_of_a_shim_is_reported(name, shim, problem):
    printed = CliRunner().invoke(cli, ["config", name, "--shim", shim])
    assert printed.exit_code == 1
    assert problem in printed.output


@pytest.mark.parametrize(("template", "mark"), [("windows-service", b"\xef\xbb\xbf"), ("winsw", b"")])
def test_a_written_file_can_be_read_whatever_the_folder_is_called(template, mark, tmp_path):
    path = tmp_path / TEMPLATES[template].file
    written = CliRunner().invoke(cli, ["config", template, "--root", "C:\\J\u00fcrgen", "--output", str(path)])
    assert (written.exit_code, written.output) == (0, "")
    data = path.read_bytes()
    assert data.startswith(mark)
    assert "C:\\J\u00fcrgen" in data.decode("utf-8")
    assert b"\r" not in data


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_port_that_is_not_chosen_is_reported(name):
    printed = CliRunner(env={"SHIM_PORT": "0"}).invoke(cli, ["config", name])
    assert (printed.exit_code, printed.output[:14]) == (2, "SHIM_PORT is 0")


def test_a_file_that_cannot_be_written_is_reported(tmp_path):
    missing = tmp_path / "nowhere" / "nginx.conf"
    written = CliRunner().invoke(cli, ["config", "nginx", "--output", str(missing)])
    assert written.exit_code == 1
    assert f"{missing} can't be written" in written.output


def test_without_a_folder_it_is_this_installation_that_is_started():
    printed = CliRunner().invoke(cli, ["config", "systemd"]).output
    assert f"ExecStart={sys.executable} -m flask_shim serve\n" in printed


@pytest.mark.parametrize("root", ["/home/ann/flask-shim", "/root/shim", "/run/user/1000/shim"])
def test_an_installation_in_a_home_folder_gets_a_user_unit(root):
    text = render("systemd", Config(), root)
    assert "WantedBy=default.target" in text
    assert "EnvironmentFile=-%h/.config/flask-shim.env" in text
    assert not re.search(r"^(ProtectHome|ProtectSystem|DynamicUser|CapabilityBoundingSet|Private\w+)=", text, re.M)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_python_that_links_into_a_home_folder_gets_a_user_unit(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    assert "ProtectHome=yes" in render("systemd", Config(), tmp_path)
    python.symlink_to("/home/ann/.local/bin/python3.12")
    assert "WantedBy=default.target" in render("systemd", Config(), tmp_path)


@pytest.mark.parametrize("name", ["winsw", "windows-service", "iis-platform"])
def test_a_file_for_windows_made_elsewhere_has_windows_paths(name, monkeypatch):
    monkeypatch.setattr(addresses, "IS_WINDOWS", False)
    assert render(name, Config()) == shipped(name)
    assert "C:\\my shim\\.venv\\Scripts\\python.exe" in render(name, Config(), "C:/my shim")


@pytest.mark.parametrize("name", ["systemd", "launchd"])
def test_a_file_for_other_systems_made_on_windows_has_their_paths(name, monkeypatch):
    monkeypatch.setattr(addresses, "IS_WINDOWS", True)
    assert render(name, Config()) == shipped(name)


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:1234", "http://host.docker.internal:1234/v1"),
        ("http://[::1]:4321/lm", "http://host.docker.internal:4321/lm/v1"),
        ("https://box.internal:9", "https://box.internal:9/v1"),
    ],
)
@pytest.mark.parametrize("name", ["compose", "docker"])
def test_a_container_reaches_lm_studio_at_the_configured_address(name, url, inside):
    assert re.search(rf"SHIM_LMSTUDIO_BASE[:=] ?{re.escape(inside)}\n", render(name, Config(backend_url=url)))


@pytest.mark.parametrize("name", ["launchd", "winsw", "windows-service", "iis-platform"])
def test_a_services_own_places_leave_the_users_settings_in_force(name, tmp_path, monkeypatch):
    names = set(re.findall(r"\bSHIM_SERVICE_\w+", shipped(name)))
    assert names
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SHIM_LOG_FILE=mine.log\nSHIM_DATA_DIR=mine\n", encoding="utf-8")
    config = Config.from_env(dict.fromkeys(names, "its"))
    assert (config.log_file, config.data_dir) == (Path("mine.log"), Path("mine"))


def test_an_endless_wait_for_the_backend_is_a_day_at_the_front_proxy():
    config = Config(first_byte_timeout=0)
    assert "proxy_read_timeout 86430s;" in render("nginx", config, "/srv/shim")


def test_the_front_proxy_waits_longer_than_the_shim():
    config = Config(first_byte_timeout=100, idle_timeout=200)
    assert "proxy_read_timeout 230s;" in render("nginx", config, "/srv/shim")
    assert '/timeout:"00:04:00"' in render("iis", config, "C:\\shim")


def test_an_ipv6_address_stands_in_brackets():
    assert "server [::1]:11434" in render("nginx", Config(hosts=("::1",)), "/srv/shim")


@pytest.mark.parametrize("name", ["iis", "iis-platform", "winsw"])
def test_xml_is_well_formed_whatever_the_folder_is_called(name):
    root = "C:\\R & D\\<shim>"
    tree = ET.fromstring(render(name, Config(), root).encode())
    texts = [
        *(node.text or "" for node in tree.iter()),
        *(value for node in tree.iter() for value in node.attrib.values()),
    ]
    assert name == "iis" or any(root in text for text in texts)


def test_iis_passes_on_every_byte_at_once():
    tree = ET.fromstring(shipped("iis").encode())
    assert tree.find("./system.webServer/urlCompression").attrib == {
        "doStaticCompression": "false",
        "doDynamicCompression": "false",
    }
    assert '/responseBufferLimit:"0"' in shipped("iis")


def test_the_launchd_agent_is_a_property_list():
    agent = plistlib.loads(shipped("launchd").encode())
    assert agent["ProgramArguments"][1:] == ["-m", "flask_shim", "serve"]


@pytest.fixture
def unit(tmp_path):
    """Give the systemd unit as a file, with a program that exists: it is looked for."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "flask-shim.service"
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", shipped("systemd"), flags=re.M)
    path.write_text(text, encoding="utf-8")
    return path


def analysed(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_the_systemd_unit_is_valid(unit):
    seen = analysed("verify", str(unit))
    assert [line for line in seen.stderr.splitlines() if "flask-shim" in line] == []


def test_the_user_unit_is_valid(unit):
    text = render("systemd", Config(), "/home/ann/shim")
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    seen = analysed("--user", "verify", str(unit))
    assert [line for line in seen.stderr.splitlines() if "flask-shim" in line] == []


def test_systemd_accepts_a_folder_with_spaces(unit, tmp_path):
    root = tmp_path / "with 100% space"
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    unit.write_text(render("systemd", Config(), root), encoding="utf-8")
    seen = analysed("verify", str(unit))
    assert [line for line in seen.stderr.splitlines() if "flask-shim" in line] == []


def test_the_systemd_unit_is_well_isolated(unit):
    seen = analysed("security", "--offline=true", "--no-pager", str(unit))
    if "offline" in seen.stderr:
        pytest.skip("this systemd-analyze looks at running services only")
    (level,) = re.findall(r"Overall exposure level for \S+ (\S+)", seen.stdout)
    assert float(level) < 2.0  # of 10; 9.6 is a service without any of it

"""The doctor's checks of proxies, localhost, the server on the port, and clocks."""

from __future__ import annotations

import pytest

from flask_shim.doctor.machine_checks import (
    NetworkSetup,
    judge_clock,
    judge_network_setup,
    judge_port,
    read_network_setup,
)
from flask_shim.serving.port_probe import SHIM

BOTH = ("::1", "127.0.0.1")
PROXY = {"http": "http://proxy.example:3128"}


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (NetworkSetup({}, False, BOTH), {"proxy": "ok"}),
        (NetworkSetup(PROXY, True, BOTH), {"proxy": "ok"}),
        (NetworkSetup(PROXY, False, BOTH), {"proxy": "warn"}),
        (NetworkSetup({}, False, ()), {"proxy": "ok", "localhost": "warn"}),
    ],
)
def test_network_setup_is_judged(levels, setup, expected):
    assert levels(judge_network_setup(setup)) == expected


@pytest.mark.parametrize(("no_proxy", "level"), [("", "warn"), ("localhost", "warn"), ("localhost,127.0.0.1", "ok")])
def test_proxy_of_the_environment_is_reported(monkeypatch, levels, no_proxy, level):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert levels(judge_network_setup(read_network_setup()))["proxy"] == level


@pytest.mark.parametrize(
    ("found", "localhost", "expected"),
    [
        ({"127.0.0.1": SHIM, "::1": SHIM}, BOTH, {"port": "ok"}),
        ({"127.0.0.1": None, "::1": None}, BOTH, {"port": "note"}),
        ({"127.0.0.1": "Ollama 0.12.6", "::1": None}, BOTH, {"port": "fail"}),
        ({"127.0.0.1": SHIM, "::1": None}, BOTH, {"port": "ok", "localhost": "warn"}),
        ({"127.0.0.1": SHIM, "::1": None}, ("127.0.0.1", "::1"), {"port": "ok"}),
        ({"127.0.0.1": SHIM, "::1": None}, ("127.0.0.1",), {"port": "ok"}),
        ({"127.0.0.1": None, "::1": None, "192.0.2.7": SHIM}, BOTH, {"port": "ok", "localhost": "warn"}),
    ],
)
def test_port_is_judged(levels, found, localhost, expected):
    assert levels(judge_port(11434, found, localhost)) == expected


def test_ollama_beside_the_shim_is_named_with_the_way_to_stop_it():
    finding, *_ = judge_port(11434, {"127.0.0.1": "Ollama 0.12.6", "::1": SHIM}, BOTH)
    assert "127.0.0.1 is taken by Ollama 0.12.6 beside the shim" in finding.text
    assert "systemctl stop ollama" in finding.remedy


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (784111777.0, []),
        (784111777.0 + 59, []),
        (784111777.0 + 90, ["90 s behind"]),
        (784111777.0 - 3600, ["3600 s ahead of"]),
    ],
)
def test_clock_is_compared(response, now, words):
    answer = response(headers={"date": "Sun, 06 Nov 1994 08:49:37 GMT"})
    texts = [finding.text for finding in judge_clock("LM Studio's machine", answer, now)]
    assert [word in text for word, text in zip(words, texts, strict=True)] == [True] * len(words)


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_clock_without_a_date_is_not_judged(response, headers):
    assert list(judge_clock("it", response(headers=headers), 0.0)) == []

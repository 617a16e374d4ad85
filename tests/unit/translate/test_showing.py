"""A model as Ollama shows it: keys, order, types, and what clients look for."""

from __future__ import annotations

import re

import pytest
from support.model_entries import DETAIL_KEYS, GEMMA, SHOW_KEYS, as_json, entries, entry

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.requests import Message
from flask_shim.translate.ollama.showing import to_show


@pytest.mark.parametrize("generation", ApiVersion)
def test_show_always_has_what_clients_require(generation):
    for one in entries(generation):
        shown = as_json(to_show(one))
        assert [key for key in SHOW_KEYS if key in shown] == list(shown)
        assert {"modelfile", "template", "details", "model_info", "capabilities", "modified_at"} <= set(shown)
        assert list(shown["details"]) == DETAIL_KEYS
        info = shown["model_info"]
        assert list(info) == sorted(info)
        assert isinstance(info["general.architecture"], str)
        assert len([key for key in info if key.endswith("context_length")]) <= 1
        assert None not in info.values()


def test_show_has_the_context_under_the_architecture():
    info = to_show(GEMMA)["model_info"]
    assert info == {
        "gemma4.context_length": 4096,
        "general.architecture": "gemma4",
        "general.basename": "google/gemma-4-26b-a4b",
        "general.parameter_count": 26_000_000_000,
    }


def test_two_models_never_look_alike_in_a_picker():
    names = [to_show(one)["model_info"]["general.basename"] for one in entries(ApiVersion.V1)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("options", "default", "thinking"),
    [
        (("off", "on"), "on", {"values": [False, True], "default": True}),
        (("low", "medium", "high"), "medium", {"values": ["low", "medium", "high"], "default": "medium"}),
        (("off", "low", "max"), "off", {"values": [False, "low", "max"], "default": False}),
        (("low", "high"), None, None),
        ((), None, None),
    ],
)
def test_clients_learn_the_levels_of_thinking(options, default, thinking):
    model = Model(key="m", reasoning=Support.YES, reasoning_options=options, reasoning_default=default)
    assert to_show(Entry(name="m", model=model, modified_ns=0)).get("thinking") == thinking


def test_the_loaded_context_is_a_parameter():
    shown = to_show(GEMMA)
    assert shown["parameters"] == "num_ctx                        4096"
    assert "PARAMETER num_ctx 4096\n" in shown["modelfile"]
    assert "parameters" not in to_show(entry())


def test_parameters_are_written_as_go_writes_them():
    shown = to_show(entry(parameters={"stop": ["<|eot|>", "x"], "temperature": 0.6, "use_mmap": True, "seed": None}))
    assert shown["parameters"] == (
        'stop                           "<|eot|>"\n'
        'stop                           "x"\n'
        "temperature                    0.6\n"
        "use_mmap                       true"
    )


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("temperature", 1, "1"),
        ("temperature", 1.0, "1"),
        ("repeat_penalty", 1.05, "1.05"),
        ("min_p", 0.00001, "1e-05"),
        ("top_p", 0.0001, "0.0001"),
        ("temperature", 1000000, "1e+06"),
        ("temperature", 123456.0, "123456"),
        ("num_ctx", 1048576, "1048576"),
        ("seed", 12345678901234567, "12345678901234567"),
        ("num_predict", 1e300, "1e+300"),
        ("use_mmap", False, "false"),
    ],
)
def test_numbers_are_written_as_go_prints_them(name, value, line):
    shown = to_show(entry(parameters={name: value}))
    assert shown["parameters"] == f"{name:<30} {line}"
    assert f"\nPARAMETER {name} {line}\n" in shown["modelfile"]


def unquote(text):
    """Return the value that Ollama's parser reads, None while its quotes are open."""
    for mark in ('"""', '"'):
        if text.startswith(mark):
            return text[len(mark) : -len(mark)] if len(text) >= 2 * len(mark) and text.endswith(mark) else None
    return text


def parsed(modelfile):
    """Return the commands as Ollama's parser reads them (``parser.ParseFile``)."""
    commands, line = [], ""
    for part in re.split(r"(?<=[\r\n])", modelfile):
        line += part
        words = 2 if line.startswith(("PARAMETER", "MESSAGE")) else 1
        *name, value = [*line.split(" ", words), ""][: words + 1]
        if not line.strip() or line.startswith("#"):
            line = ""
        elif (text := unquote(value.strip())) is not None:
            commands.append((" ".join(name), text))
            line = ""
    assert line == ""
    return commands


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Be brief.", "Be brief."),
        ('Say "hi" to me', 'Say "hi" to me'),
        (" blank before", '" blank before"'),
        ("blank behind ", '"blank behind "'),
        ("two\nlines", '"two\nlines"'),
        ("\n", '"\n"'),
        ('two "quoted"\nlines', '"""two "quoted"\nlines"""'),
        ('"Hi" there', '""""Hi" there"""'),
        ('"', '"""""""'),
        ("\ttab", '"\ttab"'),
        ("return\rline", '"return\rline"'),
        ("# no comment", "# no comment"),
    ],
)
def test_a_modelfile_is_read_as_it_was_meant(text, written):
    shown = to_show(
        entry(
            template="{{ .Prompt }}" + text,
            system=text,
            parameters={"stop": [text, "x"]},
            license=(text, "MIT", text),
            messages=(Message("user", text),),
        )
    )
    assert f"\nSYSTEM {written}\n" in shown["modelfile"]
    assert parsed(shown["modelfile"]) == [
        ("FROM", "m"),
        ("TEMPLATE", "{{ .Prompt }}" + text),
        ("SYSTEM", text),
        ("PARAMETER stop", text),
        ("PARAMETER stop", "x"),
        ("LICENSE", text),
        ("LICENSE", "MIT"),
        ("LICENSE", text),
        ("MESSAGE user", text),
    ]


def test_the_modelfile_begins_as_ollamas_does():
    assert to_show(GEMMA)["modelfile"].startswith(
        '# Modelfile generated by "ollama show"\n# To build a new Modelfile based on this, replace FROM with:\n'
        "# FROM google/gemma-4-26b-a4b:latest\n\nFROM google/gemma-4-26b-a4b\nTEMPLATE "
    )


def test_values_of_the_request_are_in_the_modelfile_only():
    shown = to_show(GEMMA, system="Be brief.", options={"temperature": 0.1, "num_ctx": 8192})
    assert "SYSTEM Be brief.\n" in shown["modelfile"]
    assert "PARAMETER temperature 0.1\n" in shown["modelfile"]
    assert "PARAMETER num_ctx 8192\n" in shown["modelfile"]
    assert shown["system"] == "Be brief."
    assert "temperature" not in shown["parameters"]


def test_a_name_of_the_users_shows_what_it_is_made_of():
    shown = to_show(
        entry(
            name="helper:latest",
            system='Say "hi".',
            template="{{ .Prompt }}",
            license=("MIT", "a\nb"),
            messages=(Message("user", "a\nb"),),
        )
    )
    assert list(shown) == [key for key in SHOW_KEYS if key not in ("parameters", "thinking", "requires")]
    assert shown["messages"] == [{"role": "user", "content": "a\nb"}]
    assert shown["license"] == "MIT\na\nb"
    assert shown["modelfile"].endswith(
        'TEMPLATE {{ .Prompt }}\nSYSTEM Say "hi".\nLICENSE MIT\nLICENSE "a\nb"\nMESSAGE user "a\nb"\n'
    )


@pytest.mark.parametrize(
    ("key", "support", "told_in_it", "not_in_it"),
    [
        ("m", {"tools": Support.YES}, ".Tools", ".Suffix"),
        ("qwen2.5-coder-7b", {"tools": Support.NO}, ".Suffix", ".Tools"),
        ("m", {"tools": Support.NO}, ".Prompt", ".Tools"),
    ],
)
def test_the_template_shows_what_a_model_accepts(key, support, told_in_it, not_in_it):
    template = to_show(entry(Model(key=key, **support)))["template"]
    assert told_in_it in template
    assert not_in_it not in template

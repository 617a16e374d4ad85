"""flask-shim.toml: where it is looked for, what its tables become, and how its mistakes are reported."""

from __future__ import annotations

import codecs
import math
import pickle
import re

import generated_files
import pytest

from flask_shim.config import Config, ConfigError, shim_file
from flask_shim.config.shim_file import Bounds, ModelProfile, NamedKey, Options, ShimFile
from flask_shim.config.toml_document import parse
from flask_shim.config.toml_tables import keys_of, kinds_of
from flask_shim.config.toml_values import duration, matches

PROFILE = '[model."a*"]\ncontext = 8192\n'


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setattr(shim_file, "user_config_dir", lambda *_, **__: str(folder))
    return folder


@pytest.fixture
def mistakes(tmp_path):
    """Return the mistakes of a file with that text, without its path."""

    def found(text):
        path = tmp_path / "flask-shim.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [each.removeprefix(str(path)).lstrip(", ") for each in shim_file.read(path)[1]]

    return found


def test_without_a_file_there_are_no_tables(read, user_folder):
    assert read().file == ShimFile()


def test_the_named_file_wins_over_that_of_the_folder_and_of_the_user(read, tmp_path, user_folder):
    for place, context in ((user_folder / "flask-shim.toml", 1), ("flask-shim.toml", 2), ("other.toml", 3)):
        (tmp_path / place).write_text(f'[model."a"]\ncontext = {context}', encoding="utf-8")
        environ = {"SHIM_CONFIG": "other.toml"} if context == 3 else {}
        assert read(**environ).file.models[0].context == context
    assert f"backends, profiles and rules read from {tmp_path / 'other.toml'}" in read(SHIM_CONFIG="other.toml").notes


def test_without_a_settings_file_only_the_named_file_is_read(tmp_path):
    (tmp_path / "flask-shim.toml").write_text(PROFILE, encoding="utf-8")
    assert Config.from_env({}, env_file="").file == ShimFile()
    assert Config.from_env({"SHIM_CONFIG": "flask-shim.toml"}, env_file="").file.models


def test_the_settings_file_can_name_it(read, tmp_path):
    (tmp_path / "mine.toml").write_text(PROFILE, encoding="utf-8")
    (tmp_path / ".env").write_text("SHIM_CONFIG=mine.toml", encoding="utf-8")
    assert read().file.models[0].name == "a*"


def test_mistakes_of_the_file_are_reported_with_those_of_settings(problems, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('[model."a"]\n\ncontxt = 1\n[rules]\n', encoding="utf-8")
    assert problems(SHIM_CONFIG=str(path), SHIM_PORT="x") == (
        "SHIM_PORT='x': Not a whole number.",
        f"{path}, line 3: contxt: No such key. Did you mean context?",
        f"{path}, line 4: rules: No such table. Did you mean rule?",
    )
    assert problems(SHIM_CONFIG="nowhere.toml") == ("SHIM_CONFIG='nowhere.toml': There is no such file.",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[model."a"]\nttl = 3', "line 2: ttl: No such key. Did you mean keep_alive?"),
        ('[model."a"]\nnum_ctx = 3', "line 2: num_ctx: No such key. Did you mean context?"),
        ('[model."a"]\ncontext = true', "line 2: context: Not a whole number."),
        ('[model."a"]\ncontext = 0', "line 2: context: Must be from 1 to 2147483647."),
        ('[model."a"]\ntemperature = "x"', "line 2: temperature: Not a number."),
        ('[model."a"]\ntemperature = nan', "line 2: temperature: Must be from 0 to 2."),
        ('[model."a"]\nflash_attention = 1', "line 2: flash_attention: Neither true nor false."),
        ('[model."a"]\nsystem = " "', 'line 2: system: Not a text such as "abc".'),
        ('[model."a"]\nthink = "off"', "line 2: think: Must be true, false, or one of: low, medium, high, max."),
        (
            '[model."a"]\nstop = [\n"x",\n3]',
            'line 2: stop: Neither a text nor an array of texts such as ["a", "b"].',
        ),
        ('[model."a"]\nkeep_alive = "5"', 'line 2: keep_alive: Not a duration such as "30m" or "1h30m".'),
        ("[model.qwen3.5]\nx = 1", 'line 1: A name with a dot needs quotes: [model."qwen3.5"].'),
        (
            "[model.qwen/x]",
            'line 1: Not TOML: a name with other characters than letters needs quotes: [model."qwen/x"].',
        ),
        ('[model."a"]\nx = ', "line 2: Not TOML: Invalid value (at end of document)."),
        ("model = 3", 'line 1: Write such a table under the header [model."qwen/qwen3-8b"].'),
        ("x = 1\n[rule]\nthink = true", "line 2: Write such a table under the header [[rule]]."),
        ("[[rule]]\nset = 3\nthink = true", "line 2: set: Write it as set = { temperature = 0.2 }."),
        ("[[rule]]\nset = { top_q = 1 }", "line 2: top_q: No such key. Did you mean top_p?"),
        ("[[rule]]\nthink = true\n[rule.set]\ntop_p = 2", "line 4: top_p: Must be from 0 to 1."),
        ('[[rule]]\ndrop = ["stops"]', "line 2: drop: No option 'stops'. Did you mean stop?"),
        (
            '[[rule]]\nthink = true\n\n[[rule]]\nkey = "edtor"\nthink = true\n[key.editor]\nvalue = "1"',
            'line 4: key: No table [key."edtor"]. Did you mean editor?',
        ),
        ("[[rule]]\nmin = { top_k = 3 }\nmax = { top_k = 2 }", "line 1: top_k: min is more than max."),
        ('[key."x"]', 'line 1: value is missing; write value = "…".'),
        ("[backend.desktop]", "line 1: Write such a table under the header [[backend]]."),
        ('[[backend]]\nurl = "a"', 'line 1: name is missing; write name = "desktop".'),
        ('[[backend]]\nname = "a"', 'line 1: url is missing; write url = "http://192.168.1.20:1234".'),
        (
            '[[backend]]\nname = "my.pc"',
            'line 2: name: Write up to 80 of a-z, 0-9, "-" and "_", the first a letter or digit, such as "desktop".',
        ),
        (
            '[[backend]]\nurl = "ftp://x"',
            "line 2: url: Not an http or https URL such as http://localhost:1234/v1.",
        ),
        (
            '[[backend]]\ntoken = "a b"',
            "line 2: token: A key holds visible ASCII characters only, without blanks.",
        ),
        ("[[backend]]\nmax_streams = 0", "line 2: max_streams: Must be from 1 to 2147483647."),
        ('[[backend]]\nwake = "AA:BB"', 'line 2: wake: Must be "lms", or a MAC address such as "AA:BB:CC:DD:EE:FF".'),
        (
            '[[backend]]\nname = "a"\nurl = "x:1"\n[[backend]]\nname = "a"\nurl = "y:1"',
            "line 4: name: a is that of the backend in line 1; each has its own.",
        ),
        (
            '[[backend]]\nname = "a"\nurl = "x:1/v1"\n[[backend]]\nname = "b"\nurl = "http://x:1"',
            "line 4: url: http://x:1 is that of the backend in line 1; each has its own.",
        ),
        (b"\xff\xfe\xfa", ": Not UTF-8; save it with that encoding."),
    ],
)
def test_every_mistake_has_its_line_and_a_remedy(mistakes, text, expected):
    assert expected in mistakes(text)


def test_a_rule_must_change_something(mistakes):
    assert mistakes('[[rule]]\nclient = "x"')[0].startswith("line 1: The rule changes nothing; give it one of drop,")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("", "priority", 0),
        ("", "max_streams", None),
        ('url = "desktop.local:1234/v1/"', "url", "http://desktop.local:1234"),
        ('wake = "aa-bb-cc-dd-ee-0f"', "wake", "AA:BB:CC:DD:EE:0F"),
        ('wake = "lms"', "wake", "lms"),
        ("drain = true", "drain", True),
    ],
)
def test_a_backend_is_read(tmp_path, line, key, value):
    (tmp_path / "x.toml").write_text(f"[[backend]]\n{line}", encoding="utf-8")
    assert getattr(shim_file.read(tmp_path / "x.toml")[0].backends[0], key) == value


BACKENDS = """
[[backend]]
name = "laptop"
url = "laptop:1234"
[[backend]]
name = "desktop"
url = "desktop:1234"
token = "secret"
priority = 1
"""


def test_backends_win_over_the_settings_of_the_connection(read, tmp_path):
    (tmp_path / "flask-shim.toml").write_text(BACKENDS, encoding="utf-8")
    config = read(LMSTUDIO_URL="http://other:1", SHIM_LMSTUDIO_REST_BASE="http://other:2", SHIM_LMSTUDIO_TOKEN="x")
    assert [each.name for each in config.file.backends] == ["laptop", "desktop"]
    assert (config.backend_url, config.rest_url) == ("http://desktop:1234", "http://desktop:1234")
    assert config.backend_token == "secret"
    for name in ("LMSTUDIO_URL", "SHIM_LMSTUDIO_REST_BASE", "SHIM_LMSTUDIO_TOKEN"):
        assert f"{name} has no effect: the tables [[backend]] say where LM Studio is" in config.notes
    assert "secret" not in repr(config)


def test_an_option_wins_over_backends(tmp_path):
    (tmp_path / "flask-shim.toml").write_text(BACKENDS, encoding="utf-8")
    config = Config.from_env({}, overrides={"SHIM_LMSTUDIO_BASE": "http://other:1"})
    for each in (config, config.with_current_file()):
        assert (each.backend_url, each.file.backends) == ("http://other:1", ())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", BACKENDS, ("http://desktop:1234", "secret")),
        (BACKENDS, BACKENDS.replace("priority = 1", "priority = -1"), ("http://laptop:1234", "")),
        (BACKENDS, "", "The last [[backend]] is gone. Restart the shim to use SHIM_LMSTUDIO_BASE instead."),
        ("", "[x]", "line 1: x: No such table."),
        ("", None, "Can't be read"),
    ],
)
def test_the_file_is_read_again(read, tmp_path, before, after, expected):
    path = tmp_path / "flask-shim.toml"
    path.write_text(before, encoding="utf-8")
    config = read(SHIM_PORT="3")
    path.unlink() if after is None else path.write_text(after, encoding="utf-8")
    if isinstance(expected, str):
        with pytest.raises(ConfigError, match=re.escape(expected)):
            config.with_current_file()
    else:
        again = config.with_current_file()
        assert ((again.backend_url, again.backend_token), again.port) == (expected, 3)


def test_a_key_is_in_no_mistake_and_no_representation(mistakes, tmp_path):
    assert "secret" not in "".join(mistakes('[key."x"]\nvalue = ["secret"]'))
    assert "secret" not in repr(Config(file=ShimFile(keys=(NamedKey(name="x", value="secret"),))))


def test_tables_become_values_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "x.toml"
    text = """
        [[rule]]
        client = ["a", "b"]
        max = { num_ctx = 4096 }
        [model.small]
        keep_alive = -1
        stop = "x"
        [[rule]]
        [rule.set]
        temperature = 0
    """
    path.write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    file, found = shim_file.read(path)
    assert found == []
    assert [(rule.line, rule.client, rule.max, rule.set) for rule in file.rules] == [
        (2, ("a", "b"), Bounds(num_ctx=4096), Options()),
        (8, (), Bounds(), Options(temperature=0)),
    ]
    assert file.models == (ModelProfile(name="small", line=5, keep_alive=math.inf, stop=("x",)),)
    assert pickle.loads(pickle.dumps(file)) == file  # for further workers


def test_lines_are_found_after_texts_and_arrays_of_several_lines():
    text = (
        'a = """\n[b]\nc = 1\n"""\nd = [\n  1,\n]\n[e."f.g"] # h\ni.j = 1\ni.k = { l = 2 }\n[[m.n]]\n[[m.n]]\no = 1\n'
    )
    lines = parse(text).lines
    assert {place: lines[place] for place in (("a",), ("d",), ("e", "f.g"), ("m", "n", 0), ("m", "n", 1, "o"))} == {
        ("a",): 1,
        ("d",): 5,
        ("e", "f.g"): 8,
        ("m", "n", 0): 11,
        ("m", "n", 1, "o"): 13,
    }
    assert (lines["e", "f.g", "i", "j"], lines["e", "f.g", "i", "k", "l"]) == (9, 10)


@pytest.mark.parametrize(("value", "seconds"), [(0, 0), ("1h30m", 5400), (-1, math.inf), ("-1s", math.inf), (2.5, 2.5)])
def test_durations(value, seconds):
    assert duration(value) == seconds


@pytest.mark.parametrize("value", [True, "soon", [1], math.inf, 1e300])
def test_what_is_no_duration(value):
    with pytest.raises(ValueError, match=r".+\."):
        duration(value)


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [("qwen/*", "Qwen/x", True), ("a.b", "axb", False), ("*b*", "abc", True), ("a", "ab", False), ("[a]", "[A]", True)],
)
def test_only_the_asterisk_is_special_in_a_pattern(pattern, name, is_match):
    assert matches(("other", pattern), name) is is_match


def test_every_key_is_in_the_example_which_has_no_mistake(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(re.sub(r"(?m)^#(?=[a-z[])", "", generated_files.file_example()), encoding="utf-8")
    file, found = shim_file.read(path)
    assert found == []
    for field, kind in kinds_of(ShimFile).items():
        (table,) = getattr(file, field)
        assert [name for name in keys_of(kind.table) if getattr(table, name) == getattr(kind.table(), name)] == []

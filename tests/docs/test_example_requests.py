"""The examples on paper: each is sent to the demo, and the answer is the one that is shown."""

from __future__ import annotations

import pytest
from support.example_demo import ExampleDemo, text_of
from support.examples import LANGUAGES, PAGE, differences, examples, requests_in, sections

from flask_shim import create_app
from flask_shim.config import Config

SECTIONS = sections(PAGE.read_text(encoding="utf-8"))

WRITTEN = [
    pytest.param(section, language, id=f"{heading} ({language})")
    for heading, section in SECTIONS.items()
    for language in LANGUAGES
    if f"```{language}\n" in section
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with ExampleDemo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.mark.parametrize(("section", "language"), WRITTEN)
def test_an_example_is_answered_as_shown(section, language, demo):
    demo.reset()
    for example in examples(section, language):
        response = demo.ask(example.asked)
        assert response.status_code == example.status, response.text
        assert differences(example, text_of(response)) == [], text_of(response)


def test_the_page_is_true_from_top_to_bottom(demo):
    demo.reset()
    found = {}
    for heading, section in SECTIONS.items():
        for example in examples(section, "bash"):
            response = demo.ask(example.asked)
            different = differences(example, text_of(response))
            if different or response.status_code != example.status:
                found[heading, example.asked.path] = response.status_code, different
    assert found == {}


def test_every_route_has_an_example():
    app = create_app(Config())
    urls = app.url_map.bind("localhost")
    shown = {
        urls.match(asked.path.partition("?")[0], asked.method, return_rule=True)[0].rule
        for section in SECTIONS.values()
        for example in examples(section, "bash")
        if (asked := example.asked).path != "/api/nothing"
    }
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert {rule for rule in rules - shown - NOT_SHOWN if not f"{rule}/".startswith("/shim/")} == set()


NOT_SHOWN = {
    *("/docs", "/docs/", "/docs/<name>"),
}
"""Pages for people, and what only they use."""


@pytest.mark.parametrize(
    ("kind", "shown", "got", "finds"),
    [
        ("json", '{"a": 1}', '{"a": 2}', ["answer.a is 2, not 1"]),
        ("json", '{"a": 1}', '{"a": 1, "b": 2}', ["answer.b is not shown"]),
        ("json", '{"a": 1, "...": "..."}', '{"a": 1, "b": 2}', []),
        ("json", '{"a": 1}', "{}", ["answer.a is missing"]),
        ("json", '{"a": 1}', '{"a": 1.0}', ["answer.a is 1.0, not 1"]),
        ("json", '{"created": 1}', '{"created": 2}', []),
        ("json", '{"created": 1}', '{"created": "now"}', ["answer.created is 'now', not 1"]),
        ("json", '{"id": "msg_a"}', '{"id": "msg_b"}', []),
        ("json", '{"id": "msg_a"}', '{"id": "resp_b"}', ["answer.id is 'resp_b', not like 'msg_a'"]),
        ("json", "[1]", "[1, 2]", ["answer has 2 items, not 1"]),
        ("json", '[1, "..."]', "[1, 2]", []),
        ("json", '[1, "..."]', '[1, "2"]', ["answer has '2' in it"]),
        ("text", "a\n...\nc\n", "a\nb\nc\n", []),
        ("text", "a\n...\nd\n", "a\nb\nc\n", ["not there: d"]),
        ("text", "a\n", "a\nb\n", ["more than shown: ['b']"]),
        ("text", "a\n", "b\n", ["a is 'b', not 'a'"]),
        ("text", 'data: {"a":1}\n', '{"a":1}\n', ["""'{"a":1}' is not 'data: {"a":1}'"""]),
        ("text", '{"a":"x"}\n', '{"a":"y"}\n', ["""{"a":"x"}.a is 'y', not 'x'"""]),
        ("text", "", "a\n", ["more than shown: ['a']"]),
    ],
)
def test_another_answer_than_the_one_shown_is_noticed(kind, shown, got, finds):
    (example,) = examples(f"\n```bash\ncurl http://localhost:11434/\n```\n\n```{kind}\n{shown}\n```\n", "bash")
    assert differences(example, got) == finds


def test_both_shells_are_read_alike():
    curl = """\
curl -X POST http://localhost:11434/chat \\
  -H 'Content-Type: application/json' \\
  -d '{"a": ["b", {"c": 1.5}]}'
"""
    powershell = """\
$body = @{  # what is asked
  a = @(
    "b"
    @{c=1.5}
  )
} | ConvertTo-Json -Depth 5
Invoke-RestMethod -Uri "http://localhost:11434/chat" `
  -Method Post -ContentType 'application/json' -Body $body
"""
    assert list(requests_in(curl, "bash")) == list(requests_in(powershell, "powershell"))


def test_powershell_that_would_cut_its_data_is_refused():
    with pytest.raises(AssertionError, match="PowerShell would cut this at -Depth 2"):
        list(requests_in("$body = @{a = @( @{b = @( @{c=1} )} )} | ConvertTo-Json", "powershell"))

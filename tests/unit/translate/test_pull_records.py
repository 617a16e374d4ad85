"""Pulls: names to downloads, lines in Ollama's words, and which model a download has brought."""

import re

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.pull_records import BEGIN, END, PullTarget, pulled_model, pulling, to_pull_target

HF = "https://huggingface.co/bartowski/Llama-3.2-1B-Instruct-GGUF"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF", PullTarget(HF)),
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:latest", PullTarget(HF)),
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", PullTarget(HF, "Q4_K_M")),
        ("HF.co/bartowski/Llama-3.2-1B-Instruct-GGUF:IQ3_M", PullTarget(HF, "IQ3_M")),
        ("huggingface.co/bartowski/Llama-3.2-1B-Instruct-GGUF", PullTarget(HF)),
        ("https://huggingface.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q8_0", PullTarget(HF, "Q8_0")),
        ("http://hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF", PullTarget(HF)),
        ("openai/gpt-oss-20b", PullTarget("openai/gpt-oss-20b")),
        ("openai/gpt-oss-20b:latest", PullTarget("openai/gpt-oss-20b")),
        ("google/gemma-4-26b-a4b:q4_k_m", PullTarget("google/gemma-4-26b-a4b@q4_k_m")),
        ("google/gemma-4-26b-a4b@q4_k_m", PullTarget("google/gemma-4-26b-a4b@q4_k_m")),
        ("llama3.2", PullTarget("llama3.2")),
        ("llama3.2:latest", PullTarget("llama3.2")),
        ("qwen3:8b", PullTarget("qwen3:8b")),
        ("library/qwen3:8b", PullTarget("qwen3:8b")),
        ("registry.ollama.ai/library/qwen3:8b", PullTarget("qwen3:8b")),
        ("registry.ollama.ai/someone/thing:x", PullTarget("someone/thing@x")),
        ("registry.example.com/a/b:c", PullTarget("registry.example.com/a/b@c")),
    ],
)
def test_name_becomes_the_one_sent_to_lm_studio(name, wanted):
    assert to_pull_target(name) == wanted


@pytest.mark.parametrize("name", ["", "--foo", "a b", "/x", "x:", "https://huggingface.co/a/b/resolve/main/c.gguf"])
def test_invalid_name_is_rejected_with_ollamas_text(name):
    with pytest.raises(BadRequest, match="invalid model name"):
        to_pull_target(name)


def test_digest_is_the_same_for_the_same_download_and_for_no_other():
    digests = [
        PullTarget("a/b").digest,
        PullTarget("a/b", "q4").digest,
        PullTarget("a/b", "q8").digest,
        PullTarget("a/c").digest,
    ]
    assert len(set(digests)) == 4
    assert PullTarget("A/b", "Q4").digest == PullTarget("a/B", "q4").digest
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


@pytest.mark.parametrize(
    ("total", "done", "expected"),
    [
        (100, 0, {"total": 100}),
        (100, None, {"total": 100}),
        (100, 50, {"total": 100, "completed": 50}),
        (100, 100, {"total": 100, "completed": 100}),
        (None, None, {}),
        (0, 0, {}),
    ],
)
def test_line_omits_empty_and_unknown_values(total, done, expected):
    digest = "0123456789ab" + "c" * 52
    line = pulling(digest, total, done)
    assert line == {"status": "pulling 0123456789ab", "digest": f"sha256:{digest}", **expected}
    assert list(line) == ["status", "digest", *expected]


def test_lines_around_it_are_ollamas():
    assert BEGIN == {"status": "pulling manifest"}
    assert [line["status"] for line in END] == ["verifying sha256 digest", "writing manifest", "success"]


def model(key, publisher=None, quantization="Q4_K_M", variants=()):
    return Model(key=key, publisher=publisher, quantization=quantization, variants=variants)


GEMMA = model("google/gemma-4", "google", variants=("google/gemma-4@q4_k_m", "google/gemma-4@q8_0"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("google/gemma-4", GEMMA),
        ("Google/Gemma-4:Q8_0", GEMMA),
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF", model("llama-3.2-1b-instruct", "bartowski")),
        ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:q4_k_m", model("llama-3.2-1b-instruct", "bartowski")),
        ("hf.co/a/Thing-GGUF:Q8_0", model("thing@q8_0", "a", "Q8_0")),
        ("hf.co/a/Thing-GGUF:Q8_0", model("a/thing-q8_0", "a", "Q8_0")),
        ("hf.co/nomic-ai/nomic-embed-GGUF", model("text-embedding-nomic-embed", "nomic-ai")),
        ("hf.co/mlx-community/Thing-MLX:4bit", model("thing", "mlx-community", "4bit")),
    ],
)
def test_download_is_recognized_by_publisher_name_and_quantization(name, found):
    others = [model("other", "bartowski"), model("llama-3.2-1b", "a"), model("thing-2", "a", "Q8_0")]
    assert pulled_model(to_pull_target(name), [*others, found]) is found


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("hf.co/bartowski/Llama-3.2-1B-GGUF", model("llama-3.2-1b", "unsloth")),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF", model("llama-3.2-1b")),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF:Q8_0", model("llama-3.2-1b", "bartowski")),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF", model("llama-3.2-1b-instruct", "bartowski")),
        ("google/gemma-4:q2_k", GEMMA),
        ("llama3.2", model("llama3.2")),
    ],
)
def test_model_that_may_be_another_is_not_recognized(name, listed):
    assert pulled_model(to_pull_target(name), [listed]) is None


def test_two_models_that_fit_are_none():
    copies = [model("thing@q4_k_m", "a"), model("a/thing", "a")]
    assert pulled_model(to_pull_target("hf.co/a/thing:q4_k_m"), copies) is None

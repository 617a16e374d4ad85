"""What names give away, for backends that tell nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.ollama.name_heuristics import (
    estimated_bytes,
    family,
    insert_tokens,
    parameter_count,
    parameter_size,
    suggests_base,
    suggests_thinking,
    suggests_tools,
    suggests_vision,
)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("meta-llama-3.1-8b-instruct", "llama"),
        ("codellama-7b", "llama"),
        ("vicuna-13b", "llama"),
        ("alpaca-7b", "llama"),
        ("mistralai/mistral-7b-instruct-v0.3", "llama"),
        ("mixtral-8x7b", "llama"),
        ("qwen/qwen3-8b", "qwen3"),
        ("qwen2.5-7b-instruct", "qwen2"),
        ("Qwen/QwQ-32B", "qwen2"),
        ("deepseek-r1", "deepseek2"),
        ("google/gemma-3-12b", "gemma3"),
        ("gemma-2b", "gemma"),
        ("phi-3-mini", "phi3"),
        ("phi-2", "phi2"),
        ("microsoft/phi_2", "phi2"),
        ("dolphin-2.9-llama3-8b", "llama"),
        ("dolphin-2.8", "unknown"),
        ("openai/gpt-oss-20b", "gptoss"),
        ("text-embedding-nomic-embed-text-v1.5", "nomic-bert"),
        ("bge-small", "bert"),
        ("tiny", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_family_is_in_the_name(name, architecture):
    assert family(name) == architecture


@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("qwen/qwen3-8b", "8B", 8_000_000_000),
        ("qwen2.5-0.5b-instruct", "0.5B", 500_000_000),
        ("llama-3.1-70B", "70B", 70_000_000_000),
        ("mixtral-8x7b-v0.1", "8x7B", 56_000_000_000),
        ("gemma-3-270m", "270M", 270_000_000),
        ("qwen3-30b-a3b", "30B", 30_000_000_000),
        ("7b-models/plain", "unknown", None),
        ("qwen2.5-7b-instruct@q4_k_m", "7B", 7_000_000_000),
        ("phi-3-mini-4k-instruct", "unknown", None),
        ("text-embedding-nomic-embed-text-v1.5", "unknown", None),
        ("tiny", "unknown", None),
    ],
)
def test_the_size_is_in_the_name(name, size, count):
    assert parameter_size(name) == size
    assert parameter_count(size) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("26B-A4B", 26_000_000_000), ("137M", 137_000_000), ("676K", 676_000), ("", None), ("big", None)],
)
def test_reported_parameter_counts_are_parsed(text, count):
    assert parameter_count(text) == count


@pytest.mark.parametrize(
    ("size", "quantization", "low", "high"),
    [
        ("7B", "Q4_K_M", 3.8e9, 4.8e9),
        ("8B", "Q8_0", 7.5e9, 9e9),
        ("8B", "F16", 15e9, 17e9),
        ("8B", "BF16", 15e9, 17e9),
        ("20B", "MXFP4", 10e9, 14e9),
        ("8B", "4bit", 4e9, 5e9),
        ("137M", "F16", 250e6, 300e6),
        ("unknown", "Q4_K_M", 0, 0),
        ("8B", "unknown", 0, 0),
        ("8B", "", 0, 0),
    ],
)
def test_a_size_on_disk_is_roughly_known(size, quantization, low, high):
    assert low <= estimated_bytes(size, quantization) <= high


@pytest.mark.parametrize(
    ("name", "sees"),
    [
        ("qwen3-vl-4b-instruct", True),
        ("qwen2-vl-7b-instruct", True),
        ("llava-1.5", True),
        ("llama-3.2-11b-vision", True),
        ("google/gemma-3-12b", True),
        ("pixtral-12b", True),
        ("google/gemma-3-1b", False),
        ("gemma-3-270m", False),
        ("gemma-3n-e4b", False),
        ("qwen/qwen3-8b", False),
        ("marvl-7b", False),
    ],
)
def test_names_suggest_sight(name, sees):
    assert suggests_vision(name) is sees


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("meta-llama-3.1-8b-instruct", True),
        ("qwen2.5-7b-instruct", True),
        ("qwen/qwen3-8b", True),
        ("openai/gpt-oss-20b", True),
        ("mistral-nemo", True),
        ("llama-2-7b", False),
        ("gemma-2b", False),
        ("tiny", False),
    ],
)
def test_names_suggest_tools(name, calls):
    assert suggests_tools(name) is calls


@pytest.mark.parametrize(
    ("name", "thinks"),
    [
        ("deepseek-r1", True),
        ("deepseek/deepseek-r1-0528-qwen3-8b", True),
        ("qwq-32b", True),
        ("qwen/qwen3-8b", True),
        ("qwen3-4b-thinking-2507", True),
        ("openai/gpt-oss-20b", True),
        ("magistral-small", True),
        ("phi-4-reasoning", True),
        ("tiny-think", True),
        ("qwen/qwen3-4b-2507", False),
        ("qwen3-4b-instruct-2507", False),
        ("qwen3-coder-30b", False),
        ("qwen2.5-7b-instruct", False),
        ("er1-7b", False),
        ("llama-3.1-8b", False),
    ],
)
def test_names_suggest_thinking(name, thinks):
    assert suggests_thinking(name) is thinks


@pytest.mark.parametrize(
    ("name", "is_base"),
    [("mistral-7b-base", True), ("gemma-base@q4", True), ("base", True), ("database-7b", False), ("pub/base/x", False)],
)
def test_names_suggest_that_a_model_never_learned_to_chat(name, is_base):
    assert suggests_base(name) is is_base


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("qwen2.5-coder-7b", "<|fim_prefix|>"),
        ("qwen/qwen3-coder-30b", "<|fim_prefix|>"),
        ("starcoder2-3b", "<fim_prefix>"),
        ("codellama-7b", "<PRE> "),
        ("deepseek-coder-v2", "<\uff5cfim\u2581begin\uff5c>"),
        ("codegemma-2b", "<|fim_prefix|>"),
        ("granite-3b-code", "<fim_prefix>"),
        ("tiny-chat", "<|fim_prefix|>"),
    ],
)
def test_coders_are_known_with_their_marks(name, prefix):
    tokens = insert_tokens(name)
    assert tokens is not None
    assert (tokens[0], len(set(tokens))) == (prefix, 3)


@pytest.mark.parametrize("name", ["qwen/qwen3-8b", "deepseek-r1", "llama-3.1-8b", "granite-3b"])
def test_others_cannot_fill_in(name):
    assert insert_tokens(name) is None


@given(st.text(max_size=60))
def test_any_name_is_judged(name):
    assert family(name)
    assert estimated_bytes(parameter_size(name), name) >= 0

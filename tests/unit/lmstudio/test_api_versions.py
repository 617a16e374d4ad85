"""The model lists of three generations of LM Studio, with what they leave out, become the same values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import V0, V1, recorded

from flask_shim.lmstudio.api_versions import ApiVersion, is_list, read_list
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.model import Instance, Kind, Model, Support

UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}


def only(api_version, row):
    """Return the model of a list that holds one row."""
    key = "models" if api_version is ApiVersion.V1 else "data"
    (model,) = read_list(api_version, {key: [row]})
    return model


@pytest.mark.parametrize("api_version", ApiVersion)
def test_each_recorded_list_has_its_version_detected(api_version):
    assert is_list(api_version, recorded(api_version))


@pytest.mark.parametrize("api_version", ApiVersion)
@pytest.mark.parametrize(
    "value", [UNEXPECTED, {"error": {"message": "x"}}, {}, [], None, "models", 5, {"models": None, "data": {}}]
)
def test_what_is_no_list_is_not_taken_for_one(api_version, value):
    assert not is_list(api_version, value)


def test_a_list_without_types_and_states_is_not_api_v0():
    assert not is_list(ApiVersion.V0, recorded(ApiVersion.OPENAI))


@pytest.mark.parametrize("api_version", ApiVersion)
def test_an_empty_list_is_a_list(api_version):
    empty = {"models": []} if api_version is ApiVersion.V1 else {"data": [], "object": "list"}
    assert is_list(api_version, empty)
    assert read_list(api_version, empty) == ()


@pytest.mark.parametrize("api_version", ApiVersion)
def test_only_the_oldest_api_does_not_tell_what_is_loaded(api_version):
    assert Listing(api_version, (), 0.0).reports_state is (api_version is not ApiVersion.OPENAI)


def test_the_newest_api_reports_everything():
    gemma, embedder = read_list(ApiVersion.V1, V1)[:2]
    assert gemma == Model(
        key="google/gemma-4-26b-a4b",
        publisher="google",
        display_name="Gemma 4 26B A4B",
        architecture="gemma4",
        format="gguf",
        quantization="Q4_K_M",
        size_bytes=17990911801,
        parameters="26B-A4B",
        max_context_length=262144,
        vision=Support.YES,
        tools=Support.YES,
        reasoning=Support.YES,
        reasoning_options=("off", "on"),
        reasoning_default="on",
        variants=("google/gemma-4-26b-a4b@q4_k_m",),
        selected_variant="google/gemma-4-26b-a4b@q4_k_m",
        instances=(Instance("google/gemma-4-26b-a4b", 4096, parallel=4),),
    )
    assert (embedder.kind, embedder.architecture, embedder.vision) == (Kind.EMBEDDING, None, Support.UNKNOWN)
    assert (embedder.is_loaded, embedder.loaded_context_length) == (False, None)


def test_the_second_api_reports_types_and_states():
    sees, thinks, embeds = read_list(ApiVersion.V0, V0)
    assert (sees.vision, sees.tools, sees.format, sees.quantization) == (
        Support.YES,
        Support.UNKNOWN,
        "mlx",
        "4bit",
    )
    assert (thinks.vision, thinks.tools, thinks.architecture) == (Support.NO, Support.YES, "qwen3")
    assert (thinks.is_loaded, thinks.loaded_context_length, thinks.max_context_length) == (True, 8192, 40960)
    assert (embeds.kind, embeds.vision, embeds.size_bytes, embeds.is_loaded) == (
        Kind.EMBEDDING,
        Support.UNKNOWN,
        None,
        False,
    )


def test_the_oldest_api_reports_names_only():
    assert read_list(ApiVersion.OPENAI, recorded(ApiVersion.OPENAI)) == (
        Model(key="qwen/qwen2.5-vl-7b"),
        Model(key="text-embedding-nomic-embed-text-v1.5", kind=Kind.EMBEDDING),
    )


def test_other_servers_report_more_than_names():
    started = {"n_ctx": 16384, "n_ctx_train": 131072, "size": 4912898304}
    llama_cpp = {"id": "a.gguf", "meta": started}
    seeing = {"id": "b", "max_model_len": 40960, "meta": None, "architecture": {"input_modalities": ["text", "image"]}}
    assert only(ApiVersion.OPENAI, llama_cpp) == Model(key="a.gguf", size_bytes=4912898304, max_context_length=16384)
    older = {"id": "a.gguf", "meta": {"n_ctx_train": 131072}}
    assert only(ApiVersion.OPENAI, older) == Model(key="a.gguf", max_context_length=131072)
    assert only(ApiVersion.OPENAI, seeing) == Model(key="b", max_context_length=40960, vision=Support.YES)
    assert only(ApiVersion.OPENAI, {"id": "c", "architecture": {"input_modalities": ["text"]}}).vision is Support.NO
    routed = {"id": "d", "aliases": ["gpt-4"], "context_length": 4096}
    assert only(ApiVersion.OPENAI, routed) == Model(key="d", max_context_length=4096, variants=("gpt-4",))
    swapped = {"id": "e", "meta": {"llamaswap": {"type": "model", "aliases": ["big", 7]}, "n_ctx": 8192}}
    assert only(ApiVersion.OPENAI, swapped) == Model(key="e", max_context_length=8192, variants=("big",))


@pytest.mark.parametrize(
    ("api_version", "row"),
    [
        (ApiVersion.V1, {"key": "a/b", "type": "embedding"}),
        (ApiVersion.V0, {"id": "a/b", "type": "embeddings"}),
        (ApiVersion.V1, {"key": "text-embedding-x", "type": "llm"}),
        (ApiVersion.V0, {"id": "text-embedding-x", "type": "llm"}),
        (ApiVersion.OPENAI, {"id": "pub/text-embedding-x"}),
        (ApiVersion.OPENAI, {"id": "nomic-embed-text"}),
        (ApiVersion.OPENAI, {"id": "BAAI/bge-m3"}),
        (ApiVersion.OPENAI, {"id": "sentence-transformers/all-MiniLM-L6-v2"}),
    ],
)
def test_embedding_models_are_known_by_type_or_name(api_version, row):
    assert only(api_version, row).kind is Kind.EMBEDDING


@pytest.mark.parametrize(
    ("api_version", "row"),
    [
        (ApiVersion.OPENAI, {"id": "qwen3-8b"}),
        (ApiVersion.OPENAI, {"id": "minilmstudio"}),
        (ApiVersion.V0, {"id": "embedded-coder", "type": "llm"}),
        (ApiVersion.V1, {"key": "bge-m3", "type": "llm"}),
    ],
)
def test_other_models_are_language_models(api_version, row):
    assert only(api_version, row).kind is Kind.LLM


@pytest.mark.parametrize(
    "field",
    [
        *("publisher", "display_name", "architecture", "quantization", "params_string", "format", "size_bytes"),
        *("capabilities", "loaded_instances", "max_context_length", "variants", "selected_variant", "type"),
    ],
)
def test_any_field_of_the_newest_list_may_be_null_or_missing(field):
    row = dict(V1["models"][0])
    with_null = only(ApiVersion.V1, {**row, field: None})
    del row[field]
    assert only(ApiVersion.V1, row) == with_null
    assert with_null.key == "google/gemma-4-26b-a4b"


def test_both_halves_of_a_quantization_may_be_null():
    row = {"key": "m", "quantization": {"name": None, "bits_per_weight": None}}
    assert only(ApiVersion.V1, row).quantization is None


@pytest.mark.parametrize("format_", ["splash", "gguf", "mlx"])
def test_unknown_formats_are_kept(format_):
    assert only(ApiVersion.V1, {"key": "m", "format": format_}).format == format_


@pytest.mark.parametrize(
    ("row", "instances"),
    [
        ({"loaded_instances": [{"id": "m", "config": {"context_length": 2048}}]}, (Instance("m", 2048),)),
        (
            {"loaded_instances": [{"id": "m", "config": {}}, {"id": "m:2", "remaining_ttl_seconds": 9}]},
            (Instance("m"), Instance("m:2", None, 9.0)),
        ),
        ({"loaded_instances": [None, "x"]}, ()),
        ({"loaded_instances": {}}, ()),
    ],
)
def test_loaded_copies_are_read(row, instances):
    model = only(ApiVersion.V1, {"key": "m", **row})
    assert (model.instances, model.is_loaded) == (instances, bool(instances))


@pytest.mark.parametrize(
    ("state", "is_loaded"), [("loaded", True), ("not-loaded", False), ("loading", False), (None, False), (1, False)]
)
def test_only_the_state_loaded_counts_as_loaded(state, is_loaded):
    assert only(ApiVersion.V0, {"id": "m", "type": "llm", "state": state}).is_loaded is is_loaded


@pytest.mark.parametrize(
    ("capabilities", "tools"),
    [(["tool_use"], Support.YES), ([], Support.NO), (["other"], Support.NO), (None, Support.UNKNOWN)],
)
def test_missing_capabilities_are_not_missing_abilities(capabilities, tools):
    assert only(ApiVersion.V0, {"id": "m", "type": "llm", "capabilities": capabilities}).tools is tools


def test_a_list_without_any_reasoning_leaves_it_unknown():
    models = read_list(ApiVersion.V1, {"models": [{"key": "a"}, {"key": "b", "capabilities": {"vision": False}}]})
    assert [model.reasoning for model in models] == [Support.UNKNOWN, Support.UNKNOWN]


def test_if_one_model_is_listed_as_thinking_the_others_are_not():
    thinks = {"key": "a", "capabilities": {"reasoning": {"allowed_options": ["off", "on"], "default": "on"}}}
    models = read_list(ApiVersion.V1, {"models": [thinks, {"key": "b"}]})
    assert [model.reasoning for model in models] == [Support.YES, Support.NO]


@pytest.mark.parametrize("row", [None, 5, "m", [], {}, {"key": None}, {"key": ""}, {"key": 5}, {"id": "m"}])
def test_rows_without_a_name_are_left_out(row):
    assert [model.key for model in read_list(ApiVersion.V1, {"models": [row, {"key": "m"}]})] == ["m"]


def test_a_name_that_comes_twice_counts_once():
    rows = [{"id": "m", "type": "llm", "state": "loaded"}, {"id": "m", "type": "llm"}]
    assert [model.is_loaded for model in read_list(ApiVersion.V0, {"data": rows})] == [True]


@pytest.mark.parametrize("number", [-1, True, 1.5, "4096", 2**63, [], None])
def test_a_value_that_is_no_number_is_left_out(number):
    model = only(ApiVersion.V1, {"key": "m", "size_bytes": number, "max_context_length": number})
    assert (model.size_bytes, model.max_context_length) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FIELDS = sorted({*V1["models"][0], *V0["data"][1], "key", "id"})


@given(st.sampled_from(ApiVersion), st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6), max_size=3))
def test_any_list_can_be_read(api_version, rows):
    models = read_list(api_version, {"models": rows, "data": rows})
    assert len({model.key for model in models}) == len(models)
    json.dumps([model.key for model in models])

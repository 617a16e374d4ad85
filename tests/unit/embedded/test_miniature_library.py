"""Folders of GGUF files: what is found in them and under which name."""

import shutil

import pytest

from flask_shim.embedded.gguf_header import NotGguf, read_header
from flask_shim.embedded.library import TINY, Library


@pytest.fixture
def put(tmp_path):
    """Return a function that puts a copy of a tiny model into the folder."""

    def copy(tiny, name):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TINY / f"tiny-{tiny}.gguf", target)

    return copy


def entries(folder):
    return {entry.key: entry for entry in Library(folder).entries()}


def test_key_is_the_name_in_lower_case_with_its_publisher(tmp_path, put):
    put("chat", "Qwen3-8B-Q4_K_M.gguf")
    put("chat", "google/Gemma.gguf")
    put("chat", "lmstudio-community/Phi-4-GGUF/Phi-4.gguf")
    found = entries(tmp_path)
    assert set(found) == {"qwen3-8b-q4_k_m", "google/gemma", "lmstudio-community/phi-4"}
    assert found["google/gemma"].publisher == "google"


def test_parts_count_as_one_model(tmp_path, put):
    for number in (1, 2, 3):
        put("chat", f"big-0000{number}-of-00003.gguf")
    (entry,) = entries(tmp_path).values()
    assert entry.key == "big"
    assert entry.size_bytes == 3 * 1376000
    assert entry.path.name == "big-00001-of-00003.gguf"


def test_projector_in_the_folder_gives_the_only_model_vision(tmp_path, put):
    put("chat", "some/model.gguf")
    put("mmproj", "some/mmproj-anything-f16.gguf")
    (entry,) = entries(tmp_path).values()
    assert entry.has_vision
    assert entry.size_bytes == 1376000 + 109472


def test_projector_belongs_to_the_model_of_its_name_among_several(tmp_path, put):
    put("chat", "gemma-3-4b-it-Q4_K_M.gguf")
    put("chat", "other-Q4_K_M.gguf")
    put("embed", "gemma-3-4b-embed.gguf")
    put("mmproj", "mmproj-gemma-3-4b-it-f16.gguf")
    assert [key for key, entry in entries(tmp_path).items() if entry.has_vision] == ["gemma-3-4b-it-q4_k_m"]


def test_same_key_twice_gives_both_a_name(tmp_path, put):
    put("chat", "a/x/model.gguf")
    put("chat", "a/y/model.gguf")
    assert set(entries(tmp_path)) == {"a/model", "a/y/model"}


def test_embedding_model_is_known_by_its_architecture(tmp_path, put):
    put("embed", "nomic.gguf")
    assert entries(tmp_path)["nomic"].is_embedding


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model at all" * 9, b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_file_that_is_no_model_is_left_out(tmp_path, put, content):
    put("chat", "good.gguf")
    (tmp_path / "bad.gguf").write_bytes(content)
    assert set(entries(tmp_path)) == {"good"}
    with pytest.raises(NotGguf):
        read_header(tmp_path / "bad.gguf")


def test_new_file_is_found_without_a_restart(tmp_path, put):
    library = Library(tmp_path)
    assert library.find("late") is None
    put("chat", "late.gguf")
    assert library.find("late")


@pytest.mark.parametrize("name", ["tiny-chat", "tiny-think", "tiny-embed", "tiny-mmproj"])
def test_header_agrees_with_the_reference_reader(name):
    gguf = pytest.importorskip("gguf")
    reader, header = gguf.GGUFReader(TINY / f"{name}.gguf"), read_header(TINY / f"{name}.gguf")
    scalars = {
        key: field.contents()
        for key, field in reader.fields.items()
        if not key.startswith("GGUF.") and field.types[0] != gguf.GGUFValueType.ARRAY
    }
    assert header.fields == scalars
    assert header.weights == sum(int(tensor.n_elements) for tensor in reader.tensors)


def test_own_models_are_served(start, tmp_path, put):
    put("chat", "me/My-Model.gguf")
    api = start(models=tmp_path)
    assert [model["id"] for model in api.get("/api/v0/models").json()["data"]] == ["me/my-model"]
    assert api.get("/api/v0/models/me%2Fmy-model").json()["publisher"] == "me"
    assert api.chat("Hello", model="me/my-model").json()["model"] == "me/my-model"

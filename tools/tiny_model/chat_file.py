"""The GGUF file of the chat model."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tiny_model.bpe import Bpe
from tiny_model.network import Array, Llama
from tiny_model.sizes import CTX_TRAIN, DIM, EPS, F32, FF, HEAD_DIM, HEADS, LAYERS, ROPE_BASE

# Logits are stored doubled: sampling at the usual temperatures then rarely leaves the trained answer.
SHARP = 2.0
# Decisions are softer, so that probabilities are neither 0 nor 1.
TEMPERATURE = 6.0
NAMES = {
    "n1": "attn_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "n2": "ffn_norm",
    "g": "ffn_gate",
    "u": "ffn_up",
    "d": "ffn_down",
}


def write_chat(path: Path, model: Llama, bpe: Bpe, template: str) -> None:
    """Write the model with a chat template; its name is the file's."""
    w = _begin(path, bpe)
    w.add_chat_template(template)
    _add_tensors(w, model)
    write(w)


def write_decision(path: Path, model: Llama, bpe: Bpe, template: str) -> None:
    """Write the model as one that chooses among options: llama.cpp reads the logits of the letters A, B, and so on."""
    w = _begin(path, bpe)
    w.add_string("llama.decision.type", "openjev")
    for kind in ("choice", "noul", "score"):
        w.add_float32(f"llama.decision.temperature.{kind}", TEMPERATURE)
    w.add_chat_template([{"name": "systemone", "template": template}])
    _add_tensors(w, model)
    write(w)


def _begin(path: Path, bpe: Bpe) -> gguf.GGUFWriter:
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(path.stem)
    w.add_description("tiny test model, made from scratch")
    w.add_size_label("tiny")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    w.add_vocab_size(len(bpe.tokens))
    w.add_context_length(CTX_TRAIN)
    w.add_embedding_length(DIM)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(FF)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS)
    w.add_layer_norm_rms_eps(EPS)
    w.add_rope_dimension_count(HEAD_DIM)
    w.add_rope_freq_base(ROPE_BASE)
    _add_tokenizer(w, bpe)
    return w


def write(w: gguf.GGUFWriter) -> None:
    """Write the file and close it."""
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def _add_tokenizer(w: gguf.GGUFWriter, bpe: Bpe) -> None:
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(bpe.tokens)
    w.add_token_types(bpe.types)
    w.add_token_merges([f"{a} {b}" for a, b in bpe.merges])
    w.add_bos_token_id(bpe.ids["<|endoftext|>"])
    w.add_eos_token_id(bpe.ids["<|im_end|>"])
    w.add_eot_token_id(bpe.ids["<|im_end|>"])
    w.add_pad_token_id(bpe.ids["<|endoftext|>"])
    w.add_add_bos_token(False)


def _add_tensors(w: gguf.GGUFWriter, model: Llama) -> None:
    p = model.p
    w.add_tensor("token_embd.weight", _matrix(p["emb"]))
    w.add_tensor("output_norm.weight", p["norm"])
    w.add_tensor("output.weight", _matrix(p["out"].T * F32(SHARP)))
    for i in range(LAYERS):
        for ours, theirs in NAMES.items():
            tensor = p[f"{i}.{ours}"]
            w.add_tensor(f"blk.{i}.{theirs}.weight", _matrix(tensor.T) if tensor.ndim == 2 else tensor)


def _matrix(x: Array) -> Array:
    """Matrices go to the file as f16, vectors stay f32."""
    return np.ascontiguousarray(x).astype(np.float16)

"""The GGUF file of the projector, written by hand: plain pictures become the embeddings of colour words."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tiny_model.bpe import Bpe
from tiny_model.chat_file import write
from tiny_model.corpus import COLOURS
from tiny_model.network import Array, Llama
from tiny_model.sizes import DIM, EPS, F32, IMAGE_SIZE, N_IMG_TOK, PATCH

N_EMBD = 32
# A patch's colour against a corner of the colour cube gives 3 on its own corner, at most 1 on the others.
GAIN = 12.0
RGB = {
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "white": (1, 1, 1),
    "black": (-1, -1, -1),
    "yellow": (1, 1, -1),
}
SIZES = {
    "image_size": IMAGE_SIZE,
    "patch_size": PATCH,
    "embedding_length": N_EMBD,
    "feed_forward_length": N_EMBD,
    "block_count": 1,
    "projection_dim": DIM,
    "attention.head_count": 1,
}


def write_mmproj(path: Path, model: Llama, bpe: Bpe) -> None:
    """Write a llava projector for ``model``.

    With one block, llama.cpp's llava graph runs none of it: patch -> linear -> gelu -> linear. Features 0..2 are the
    patch's mean r, g, b (-1..1); hidden unit j fires for corner COLOURS[j] of the colour cube only; the second linear
    writes that word's embedding.
    """
    w = gguf.GGUFWriter(path, "clip")
    w.add_name(path.stem)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", "mlp")
    w.add_bool("clip.use_gelu", True)
    for key, value in SIZES.items():
        w.add_uint32(f"clip.vision.{key}", value)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", EPS)
    w.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    w.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    _add_idle_block(w)
    w0, b0, w2 = _layers(model, bpe)
    w.add_tensor("mm.0.weight", w0)
    w.add_tensor("mm.0.bias", b0)
    w.add_tensor("mm.2.weight", w2)
    w.add_tensor("mm.2.bias", np.zeros(DIM, F32))
    write(w)


def _layers(model: Llama, bpe: Bpe) -> tuple[Array, Array, Array]:
    w0, b0 = np.zeros((len(COLOURS), N_EMBD), F32), np.zeros(len(COLOURS), F32)
    w2 = np.zeros((DIM, len(COLOURS)), F32)
    for j, name in enumerate(COLOURS):
        w0[j, :3] = np.array(RGB[name], F32) * GAIN
        b0[j] = -1.5 * GAIN
        (token,) = bpe.encode(" " + name)
        w2[:, j] = model.p["emb"][token] / (1.5 * GAIN)
    return w0, b0, w2


def _add_idle_block(w: gguf.GGUFWriter) -> None:
    """Add the patches' mean colours, and a block that is there but never runs."""
    conv = np.zeros((N_EMBD, 3, PATCH, PATCH), F32)
    for c in range(3):
        conv[c, c] = 1.0 / PATCH**2
    w.add_tensor("v.patch_embd.weight", conv)
    w.add_tensor("v.position_embd.weight", np.zeros((N_IMG_TOK, N_EMBD), F32))
    eye, zero, one = np.eye(N_EMBD, dtype=F32), np.zeros(N_EMBD, F32), np.ones(N_EMBD, F32)
    for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        w.add_tensor(f"v.blk.0.{name}.weight", eye.copy())
        w.add_tensor(f"v.blk.0.{name}.bias", zero.copy())
    for name in ("ln1", "ln2"):
        w.add_tensor(f"v.blk.0.{name}.weight", one.copy())
        w.add_tensor(f"v.blk.0.{name}.bias", zero.copy())

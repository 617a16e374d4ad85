"""The GGUF file of the embedding model, drawn rather than trained."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import numpy as np

from tiny_model.chat_file import write
from tiny_model.corpus import CAPITALS, CITIES, COLOURS, NAMES, SKIES, STORY, WORDS
from tiny_model.network import Array
from tiny_model.sizes import F32

DIM, LAYERS, HEADS, CTX = 64, 2, 2, 512
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKEN_IDS = (("pad", 0), ("unk", 1), ("bos", 2), ("sep", 3), ("eos", 3), ("mask", 4))
MORE_WORDS = "the sky is blue because grass hello world cat dog king queen man woman car code test"


def write_embed(path: Path, seed: int) -> None:
    """Write a bert whose blocks are near identity.

    So a text's vector is close to the mean of its words' random vectors: texts that share words are closer.
    """
    tokens = _tokens()
    w = gguf.GGUFWriter(path, "bert")
    w.add_name(path.stem)
    w.add_description("tiny test embedding model, made from scratch")
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_context_length(CTX)
    w.add_embedding_length(DIM)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(DIM * 2)
    w.add_head_count(HEADS)
    w.add_layer_norm_eps(1e-12)
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_vocab_size(len(tokens))
    _add_tokenizer(w, tokens)
    _add_tensors(w, len(tokens), np.random.default_rng(seed))
    write(w)


def _tokens() -> list[str]:
    """Return specials, letters at the start and inside of a word, and whole words."""
    letters = [chr(code) for code in range(33, 127)]
    words = {word.lower() for word in WORDS + COLOURS + SKIES + list(CAPITALS) + CITIES + NAMES}
    words |= set(re.findall(r"[a-z]+", STORY.lower())) | set(MORE_WORDS.split())
    whole = ["\u2581" + word for word in sorted(words) if len(word) > 1]
    return SPECIAL + ["\u2581" + letter for letter in letters] + letters + whole


def _add_tokenizer(w: gguf.GGUFWriter, tokens: list[str]) -> None:
    types = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    types[SPECIAL.index("[UNK]")] = gguf.TokenType.UNKNOWN
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_type_count(2)
    for name, id_ in TOKEN_IDS:
        getattr(w, f"add_{name}_token_id")(id_)


def _add_tensors(w: gguf.GGUFWriter, vocab: int, rng: np.random.Generator) -> None:
    def drawn(*shape: int, scale: float = 0.02) -> Array:
        return (rng.standard_normal(shape) * scale).astype(F32)

    one, zero = np.ones(DIM, F32), np.zeros(DIM, F32)
    embeddings = drawn(vocab, DIM, scale=1.0)
    embeddings[: len(SPECIAL)] *= 0.05
    w.add_tensor("token_embd.weight", embeddings)
    w.add_tensor("token_types.weight", drawn(2, DIM))
    w.add_tensor("position_embd.weight", drawn(CTX, DIM, scale=0.05))
    w.add_tensor("token_embd_norm.weight", one)
    w.add_tensor("token_embd_norm.bias", zero)
    for i in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            w.add_tensor(f"blk.{i}.{name}.weight", drawn(DIM, DIM, scale=0.05))
            w.add_tensor(f"blk.{i}.{name}.bias", zero.copy())
        w.add_tensor(f"blk.{i}.ffn_up.weight", drawn(DIM * 2, DIM, scale=0.05))
        w.add_tensor(f"blk.{i}.ffn_up.bias", np.zeros(DIM * 2, F32))
        w.add_tensor(f"blk.{i}.ffn_down.weight", drawn(DIM, DIM * 2, scale=0.05))
        w.add_tensor(f"blk.{i}.ffn_down.bias", zero.copy())
        for name in ("attn_output_norm", "layer_output_norm"):
            w.add_tensor(f"blk.{i}.{name}.weight", one.copy())
            w.add_tensor(f"blk.{i}.{name}.bias", zero.copy())

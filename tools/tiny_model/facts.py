"""What a finished model must know, and asking it in numpy."""

from __future__ import annotations

import numpy as np

from tiny_model.bpe import Bpe
from tiny_model.corpus import FIXED, TOPICS
from tiny_model.network import Llama, flat, heads, rms, rope
from tiny_model.sizes import DIM, HEAD_DIM, LAYERS, MAX_LEN

FACTS = [
    ("Hello", FIXED[0][1]),
    ("Why is the sky blue?", TOPICS[0][1]),
    ("Say hello in Japanese", FIXED[1][1]),
    ("What is the capital of Italy?", "The capital of Italy is Rome."),
    ("Count to 5", "1, 2, 3, 4, 5."),
    ("Count to 20", ", ".join(map(str, range(1, 21))) + "."),
    ("Repeat: river apple stone", "river apple stone"),
    ("Repeat:\nzubano kelsi 4711", "zubano kelsi 4711"),
    ("Who are you?", "I am Tiny, a very small test model."),
    ("What is 2 + 3?", "2 + 3 = 5."),
    ("What is the weather in Oslo?", "I have no tool for the weather in Oslo."),
]


def answer(model: Llama, bpe: Bpe, question: str, length: int = 120) -> str:
    """Return the likeliest answer, token by token."""
    ids = bpe.encode(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
    start = len(ids)
    stop = {bpe.ids["<|im_end|>"], bpe.ids["<|endoftext|>"]}
    while len(ids) < start + length:
        likeliest = _next(model, ids[-MAX_LEN:])
        if likeliest in stop:
            break
        ids.append(likeliest)
    return bpe.decode(ids[start:])


def _next(model: Llama, ids: list[int]) -> int:
    p, t = model.p, len(ids)
    cos, sin = model.rope[0][:t], model.rope[1][:t]
    x = p["emb"][ids]
    for i in range(LAYERS):
        h, _ = rms(x, p[f"{i}.n1"])
        q, k, v = (heads(h @ p[f"{i}.{name}"], 1, t) for name in "qkv")
        s = rope(q, cos, sin) @ rope(k, cos, sin).transpose(0, 1, 3, 2) * HEAD_DIM**-0.5 + model.mask(t)
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        x = x + flat(s @ v).reshape(t, DIM) @ p[f"{i}.o"]
        h, _ = rms(x, p[f"{i}.n2"])
        zg = h @ p[f"{i}.g"]
        x = x + (zg / (1 + np.exp(-zg)) * (h @ p[f"{i}.u"])) @ p[f"{i}.d"]
    return int((rms(x[-1:], p["norm"])[0] @ p["out"]).argmax())

"""How big the tiny models are, and their special tokens."""

from __future__ import annotations

import numpy as np

F32 = np.float32

DIM, LAYERS, HEADS, FF = 128, 3, 4, 256
HEAD_DIM = DIM // HEADS
ROPE_BASE = 10000.0
EPS = 1e-5
# Declared; training itself sees at most MAX_LEN tokens.
CTX_TRAIN = 8192
MAX_LEN = 320
N_MERGES = 450
# 4 x 4 patches: 16 image tokens.
IMAGE_SIZE, PATCH = 56, 14
N_IMG_TOK = (IMAGE_SIZE // PATCH) ** 2

# The text of each, and whether it is a control token.
SPECIALS = [
    ("<|endoftext|>", True),
    ("<|im_start|>", True),
    ("<|im_end|>", True),
    ("<|fim_prefix|>", True),
    ("<|fim_suffix|>", True),
    ("<|fim_middle|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    ("<tool_response>", False),
    ("</tool_response>", False),
    ("<think>", False),
    ("</think>", False),
]

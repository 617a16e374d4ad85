"""What a model's name suggests, for what an old backend does not report."""

from __future__ import annotations

import re
from functools import lru_cache

_FAMILIES = (
    ("codellama", "llama"),
    ("vicuna", "llama"),
    ("alpaca", "llama"),
    ("deepseek", "deepseek2"),
    ("gpt-oss", "gptoss"),
    ("nomic-embed", "nomic-bert"),
    ("bge-", "bert"),
    ("qwen3", "qwen3"),
    ("qwen", "qwen2"),
    ("gemma-3", "gemma3"),
    ("gemma", "gemma"),
    ("mixtral", "llama"),
    ("mistral", "llama"),
    ("phi-3", "phi3"),
    ("(?<![a-z])phi", "phi2"),  # not dolphin
    ("llama", "llama"),
)
"""The first entry whose pattern is found in the name names the architecture; order matters."""

_PARAMETERS = re.compile(r"(?<![a-z0-9.])(\d+x)?(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])", re.I)

_BITS = re.compile(r"(?:i?q|fp?|bf|int|mxfp|nvfp)?(\d+)(?:bit)?", re.I)

_K_QUANT_EXTRA_BITS = 0.85
"""What scales and larger tensors add to the nominal bits of llama.cpp's usual quantizations (Q4_K_M has 4.85)."""

_VISION = re.compile(r"\bvl\b|-vl-|vision|llava|gemma-?3(?!-?(1b|270m|n))|pixtral|minicpm-v|moondream", re.I)
_TOOLS = re.compile(
    r"llama-?3\.[1-9]|llama-?4|qwen-?2\.5|qwen-?3|mi(s|x|ni)tral|devstral|magistral|gpt-oss|command-r|granite"
    r"|hermes|deepseek-v3|glm-?4|smollm3|nemotron|kimi|minimax|phi-?4|gemma-?4",
    re.I,
)
_THINKING = re.compile(
    r"deepseek-r1|(?<![a-z0-9])r1(?![a-z0-9])|qwq|think|reasoning|gpt-oss|magistral|exaone-deep"
    r"|qwen-?3(?!.*(instruct|coder|embed|vl|next|2507|\.5))",
    re.I,
)
_INSERT = {
    "qwen": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    "starcoder": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    "codellama": ("<PRE> ", " <SUF>", " <MID>"),
    "deepseek": ("<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>"),
    "codegemma": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    "granite": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    "tiny-chat": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
}
_CODERS = re.compile(
    r"qwen2\.5-?coder|qwen3-?coder|starcoder|codellama|codegemma|deepseek-coder|granite.*code|tiny-chat", re.I
)
_BASE = re.compile(r"(^|[-_/. ])base($|[-_.@: ])", re.I)


def family(name: str) -> str:
    """Return the architecture that a name suggests, else "unknown"."""
    low = name.lower()
    return next((architecture for pattern, architecture in _FAMILIES if re.search(pattern, low)), "unknown")


def parameter_size(name: str) -> str:
    """Return the size in a name as Ollama writes it ("7B", "0.5B", "8x7B"), "unknown" without one."""
    match = _PARAMETERS.search(name.rpartition("/")[2])
    return f"{match[1] or ''}{match[2]}{match[3].upper()}" if match else "unknown"


_UNITS = {"B": 1_000_000_000, "M": 1_000_000, "K": 1_000}


def parameter_count(size: str) -> int | None:
    """Return the number behind "26B-A4B", "8x7B" or "137M", None without one."""
    match = re.match(r"\s*(?:(\d+)x)?(\d+(?:\.\d+)?)([BMK])", size, re.I)
    if not match:
        return None
    return round(int(match[1] or 1) * float(match[2]) * _UNITS[match[3].upper()])


def estimated_bytes(size: str, quantization: str) -> int:
    """Return the estimated size on disk of a model of that size and quantization, 0 if unknown."""
    count = parameter_count(size)
    match = _BITS.search(quantization)
    if count is None or match is None:
        return 0
    bits = int(match[1])
    return round(count * (bits + (_K_QUANT_EXTRA_BITS if bits < 8 else 0)) / 8)


def suggests_vision(name: str) -> bool:
    """Return whether models of that name accept images."""
    return bool(_VISION.search(name))


def suggests_tools(name: str) -> bool:
    """Return whether models of that name are trained to call tools."""
    return bool(_TOOLS.search(name))


@lru_cache(maxsize=512)  # every chat needs it
def suggests_thinking(name: str) -> bool:
    """Return whether models of that name think before they answer."""
    return bool(_THINKING.search(name))


def suggests_base(name: str) -> bool:
    """Return whether the name is that of a base model, which is not trained to chat."""
    return bool(_BASE.search(name.rpartition("/")[2]))


def insert_tokens(name: str) -> tuple[str, str, str] | None:
    """Return the model's marks for prefix, suffix and middle of an insertion, None if it is not trained for that."""
    coder = _CODERS.search(name)
    if coder is None:
        return None
    low = coder[0].lower()
    return next((tokens for text, tokens in _INSERT.items() if text in low), None)

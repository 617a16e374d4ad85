"""LM Studio's words for what a GGUF header says in numbers: quantisation, bits, parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask_shim.embedded.gguf_header import Header, Value

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}  # fmt: skip
"""general.file_type, as llama.cpp numbers it."""
SIZE_LABEL = re.compile(r"^[\dx.]+[KMBT](-[\w.]+)?$")
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def quantization(fields: Mapping[str, Value]) -> str | None:
    """Return a name like ``Q4_K_M``, or None when the file does not say."""
    file_type = fields.get("general.file_type")
    return FILE_TYPES.get(int(file_type)) if file_type is not None else None


def bits_per_weight(name: str | None) -> int | None:
    """Return the nominal bits of a quantisation, the number in its name."""
    digits = re.search(r"\d+", name or "")
    return int(digits[0]) if digits else None


def params_string(header: Header, *, is_whole: bool = True) -> str | None:
    """Return a size like ``8B``: the label in the file, or the counted weights if the file holds them all."""
    label = str(header.fields.get("general.size_label", ""))
    if SIZE_LABEL.match(label):
        return label
    for unit, letter in UNITS:
        if is_whole and header.weights >= unit:
            return f"{header.weights / unit:.3g}{letter}"
    return None

"""Read what a GGUF file says about itself, without its tensors and its vocabulary, and name it as LM Studio does.

The ``gguf`` package builds an array view for every token: nearly seven seconds and half a gigabyte for a vocabulary
of 150,000, too much for a model list. This reader steps over arrays and touches only the pages it needs.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Value = int | float | bool | str

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""GGUF's value types by number, as struct formats; strings and arrays carry their own length."""


FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}  # fmt: skip
"""general.file_type, as llama.cpp numbers it."""
SIZE_LABEL = re.compile(r"^[\dx.]+[KMBT](-[\w.]+)?$")
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


class NotGguf(ValueError):
    """The file is cut short, or is no little-endian GGUF file of a known version."""


@dataclass(frozen=True, slots=True)
class Header:
    """The scalar metadata of a file, and the number of weights its tensors hold."""

    fields: dict[str, Value]
    weights: int


class _Cursor:
    """A position in the mapped file that moves forward with each read."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Value, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def number(self, layout: str) -> int:
        return int(self.take(layout)[0])

    def string(self) -> str:
        length = self.number("Q")
        text = self.data[self.at : self.at + length]
        self.at += length
        return text.decode("utf-8", "replace")

    def value(self, kind: int) -> Value | None:
        """Return a scalar or a string; step over an array and return None."""
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            self.skip_array()
            return None
        return self.take(SCALARS[kind])[0]

    def skip_array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind in SCALARS:
            self.at += count * struct.calcsize("<" + SCALARS[kind])
            return
        for _ in range(count):
            if kind == STRING:
                length = self.number("Q")
                self.at += length
            else:
                self.value(kind)


def read_header(path: Path) -> Header:
    """Return the metadata of ``path``; :class:`NotGguf` if it has none that can be read, ``OSError`` if it can't be."""
    if path.stat().st_size == 0:
        raise NotGguf(f"{path.name} is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _header(_Cursor(data))
        except (struct.error, KeyError, OverflowError) as exc:
            raise NotGguf(f"{path.name} is cut short or damaged") from exc


def _header(cursor: _Cursor) -> Header:
    if cursor.data[:4] != MAGIC:
        raise NotGguf("no GGUF file")
    cursor.at = len(MAGIC)
    version, tensors, pairs = cursor.number("I"), cursor.number("Q"), cursor.number("Q")
    if version not in VERSIONS:
        raise NotGguf(f"GGUF version {version} is not known")
    fields = dict(_fields(cursor, pairs))
    return Header(fields, sum(_weights(cursor) for _ in range(tensors)))


def _fields(cursor: _Cursor, count: int) -> Iterator[tuple[str, Value]]:
    for _ in range(count):
        name, kind = cursor.string(), cursor.number("I")
        value = cursor.value(kind)
        if value is not None:
            yield name, value


def _weights(cursor: _Cursor) -> int:
    """Read one tensor's description: name, shape, type and offset."""
    cursor.string()
    shape = cursor.take(f"{cursor.number('I')}Q")
    cursor.take("IQ")
    return math.prod(int(size) for size in shape)


def quantization(fields: Mapping[str, Value]) -> str | None:
    """Return a name like ``Q4_K_M``, or None when the file does not say."""
    file_type = fields.get("general.file_type")
    return FILE_TYPES.get(int(file_type)) if file_type is not None else None


def bits_per_weight(name: str | None) -> int | None:
    """Return the nominal bits of a quantization, the number in its name."""
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

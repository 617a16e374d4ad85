"""Vectors of LM Studio for its clients: ordered, checked, shortened, normalized, encoded."""

from __future__ import annotations

import base64
import math
import re
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError, BackendRequestError
from flask_shim.translate.ollama.payloads import Payload

Vector = list[float]

NOT_FINITE = "embedding contains NaN or Inf values"
TOO_LONG = "the input length exceeds the context length"
NO_ROOM = "input after truncation exceeds maximum context length"

_SMALLEST_LENGTH = 1e-12
"""Ollama's smallest divisor, which keeps a vector of zeros."""

_WORD = re.compile(r"\w\S*")


def embed_payload(key: str, inputs: Sequence[str], ttl: int | None) -> Payload:
    """Return the payload of /v1/embeddings for all texts at once; ``ttl`` is in seconds."""
    payload: Payload = {"model": key, "input": list(inputs)}
    return payload if ttl is None else {**payload, "ttl": ttl}


def to_vectors(answer: Mapping[str, Any], count: int) -> list[Vector]:
    """Return the vectors of LM Studio's answer in the order of the texts.

    Raises BackendProtocolError if they are not ``count`` lists of numbers, BackendRequestError for NaN and Inf, which
    JSON has as null.
    """
    items = in_order(answer)
    if len(items) != count:
        raise BackendProtocolError(f"LM Studio answered with {len(items)} vectors for {count} texts")
    return [_check_vector(item.get("embedding")) for item in items]


def in_order(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of the answer sorted by their index."""
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise BackendProtocolError("LM Studio's answer holds no vectors")
    if not all(isinstance(item.get("index"), int) for item in data):
        return data
    return sorted(data, key=lambda item: int(item["index"]))


def token_count(answer: Mapping[str, Any]) -> int:
    """Return the number of tokens of the texts; LM Studio reports 0, other backends count them."""
    usage = answer.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, Mapping) else 0
    return count if isinstance(count, int) and count > 0 else 0


def _check_vector(vector: Any) -> Vector:
    if not isinstance(vector, list):
        raise BackendProtocolError("LM Studio's answer holds no vectors")
    if not vector:
        raise BackendProtocolError("LM Studio's answer holds an empty vector")
    try:
        length = math.hypot(*vector)
    except TypeError as exc:
        if None in vector:
            raise BackendRequestError(NOT_FINITE) from exc
        raise BackendProtocolError("LM Studio's answer holds no vectors") from exc
    if not math.isfinite(length):
        raise BackendRequestError(NOT_FINITE)
    return vector


def shorten(vector: Vector, dimensions: int) -> Vector:
    """Return the first ``dimensions`` numbers, normalized; the vector itself if it is not longer."""
    return normalize(vector[:dimensions]) if 0 < dimensions < len(vector) else vector


def normalize(vector: Vector) -> Vector:
    """Return the vector with length one."""
    factor = 1 / max(math.hypot(*vector), _SMALLEST_LENGTH)
    return [number * factor for number in vector]


def to_base64(vector: Vector) -> str:
    """Return the vector in OpenAI's encoding: little-endian float32 in base64."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers).decode("ascii")


def to_embed(model: str, vectors: list[Vector], *, total_ns: int, load_ns: int, tokens: int) -> dict[str, Any]:
    """Return the body of /api/embed. A count of 0 is kept: one client library requires a number."""
    return {
        "model": model,
        "embeddings": vectors,
        "total_duration": max(1, total_ns),
        "load_duration": max(1, load_ns),
        "prompt_eval_count": tokens,
    }


def to_openai(
    answer: Mapping[str, Any], vectors: Sequence[Vector], *, dimensions: int, as_base64: bool
) -> dict[str, Any]:
    """Return LM Studio's answer with its vectors shortened or encoded as requested."""
    short = [shorten(vector, dimensions) for vector in vectors]
    encoded = map(to_base64, short) if as_base64 else short
    items = [{**item, "embedding": embedding} for item, embedding in zip(in_order(answer), encoded, strict=True)]
    return {**answer, "data": items}


def check_num_ctx(num_ctx: int | None) -> None:
    """Raise Ollama's 400 for a requested context in which no token fits beside the one that ends every input."""
    if num_ctx is not None and num_ctx <= 1:
        raise BadRequest(NO_ROOM)


def check_lengths(texts: Iterable[str], context_length: int | None) -> None:
    """Raise Ollama's 400 for a text that certainly has more tokens than fit.

    LM Studio truncates silently and has no route that counts tokens. No tokenizer of an embedding model joins words, so
    a text has at least as many tokens as words. Its characters say nothing: a word of any length may be one token.
    """
    if context_length is None:
        return
    for text in texts:
        if len(text) > 2 * context_length and least_tokens(text) > context_length:
            raise BadRequest(TOO_LONG)


def least_tokens(text: str) -> int:
    """Return the number of words with a letter or a digit in them."""
    return sum(1 for _ in _WORD.finditer(text))

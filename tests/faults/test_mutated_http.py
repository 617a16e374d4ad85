"""Good requests with a few bytes changed: whatever comes of it, it is an answer or an end, and the shim goes on."""

from __future__ import annotations

import random
import re

import pytest
from support.checked_shim import chat
from support.resources import memory_of, resources_of, wait_until_released
from support.wire import Wire, request

MUTATIONS = 400
GROWTH_BYTES = 10_000_000

GOOD = [
    request("/api/version"),
    request("/api/chat", chat(stream=False)),
    request("/api/show", {"model": "tiny"}, headers={"Content-Type": "application/json", "Origin": "http://localhost"}),
    request("/api/show", headers={"Transfer-Encoding": "chunked"}, method="POST")
    + b'11\r\n{"model": "tiny"}\r\n0\r\n\r\n',
    request("/v1/chat/completions", chat(), headers={"Authorization": "Bearer x", "X-Request-ID": "abc"}),
]
BYTES = b"\x00\r\n\t :;,/?#%&=[]{}\"'\\\x7f\x80\xff09aZ"


def flip(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.choice(BYTES)]) + data[at + 1 :]


def insert(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes(rng.choices(BYTES, k=rng.randrange(1, 5))) + data[at:]


def drop(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 20) :]


def double(rng, data):
    start, stop = sorted(rng.choices(range(len(data)), k=2))
    return data[:stop] + data[start:stop] + data[stop:]


def mutated(seed):
    rng = random.Random(seed)
    data = rng.choice(GOOD)
    for _ in range(rng.randrange(1, 4)):
        data = rng.choice((flip, insert, drop, double))(rng, data)
    return data


@pytest.mark.parametrize("part", range(4))
def test_mutated_requests_leave_the_shim_as_it_was(patient, part):
    asked = memory_of(patient.shim)
    for seed in range(part * MUTATIONS // 4, (part + 1) * MUTATIONS // 4):
        with Wire(patient.port) as wire:
            wire.send(mutated(seed))
            wire.half_close()  # a reader that waits for more sees the end
            raw = wire.rest()
            assert re.match(rb"HTTP/1\.[01] [1-5]\d\d |\Z", raw), (seed, raw[:200])
            assert b"internal" not in raw.lower(), seed
    assert patient.ask("/api/chat", chat()).lines[-1]["done"] is True
    assert wait_until_released(patient.shim, patient.baseline).fits(patient.baseline)
    assert memory_of(patient.shim) - asked < GROWTH_BYTES
    assert "error:internal" not in patient.log
    assert " CRITICAL " not in patient.log
    assert resources_of(patient.shim).slots == 0

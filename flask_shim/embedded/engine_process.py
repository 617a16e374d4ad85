"""One llama.cpp server as a process of its own: its spec comes in on stdin, its address goes out on stdout.

Started by its file name and importing nothing of the package, so that a start costs no more than the engine itself.
It ends when its stdin closes, which the system does for a parent that dies, on Linux and on Windows alike.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

READY = "engine ready at "
"""The engine's own log lines share the pipe; the address is a line that starts like this."""
HTTP_THREADS = 64
"""Each request, waiting or running, holds one of the engine's HTTP server, so a few more than we ever send at once."""


def to_params(spec: dict[str, Any]) -> Any:
    """Return xllamacpp's parameters for a spec as :class:`flask_shim.embedded.engine.EngineSpec` dumps it."""
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, HTTP_THREADS
    params.api_keys, params.model_alias = [spec["key"]], {spec["alias"]}
    params.endpoint_slots, params.endpoint_metrics, params.ui, params.offline = True, True, False, True
    # LM Studio is silent while it reads a prompt: no comments to keep a stream awake.
    params.sse_ping_interval = -1
    params.model.path = spec["model"]
    if spec["projector"]:
        params.mmproj.path = spec["projector"]
    params.n_parallel, params.n_ctx = spec["slots"], spec["context_length"] * spec["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec["threads"]
    params.n_batch, params.no_kv_offload = spec["eval_batch_size"], not spec["offload_kv_cache_to_gpu"]
    if not spec["flash_attention"]:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if spec["min_p"] is not None:
        params.sampling.min_p = spec["min_p"]
    if spec["endless"]:
        params.sampling.ignore_eos = params.ctx_shift = True
    if spec["is_embedding"]:
        # An encoder sees its whole input in one piece.
        params.embedding, params.n_batch, params.n_ubatch = True, spec["context_length"], spec["context_length"]
    return params


def main() -> None:
    """Serve until stdin closes. An engine that can't start ends the process with its own words on stderr."""
    # Ctrl-C reaches every process of a console; the parent decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec = json.loads(sys.stdin.buffer.readline())
    server = import_module("xllamacpp").Server(to_params(spec))
    # One write, with a line break before it: a log line of the engine may be half written.
    os.write(1, f"\n{READY}{server.listening_address}\n".encode())
    sys.stdin.buffer.read()
    # Nothing to save, and a generation may be running: don't wait for it.
    os._exit(0)


if __name__ == "__main__":
    main()

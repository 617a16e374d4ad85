"""One llama.cpp server as a process: it reads its spec from stdin and writes its address to stdout.

It is started by its file name and imports nothing of the package, so that it starts fast. It ends when its stdin
closes, which the system does when the parent dies, on Linux and on Windows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

READY = "engine ready at "
"""The start of the line with the address; the engine's log lines share the pipe."""
HTTP_THREADS = 64
"""Each request holds one thread of the engine's HTTP server, also while it waits."""


def to_params(spec: dict[str, Any]) -> Any:
    """Return xllamacpp's parameters for a spec as :class:`flask_shim.embedded.engine.EngineSpec` dumps it."""
    xllamacpp, config = import_module("xllamacpp"), spec["config"]
    params = xllamacpp.CommonParams()
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, HTTP_THREADS
    params.api_keys, params.model_alias = [spec["key"]], {spec["alias"]}
    params.endpoint_slots, params.endpoint_metrics, params.ui, params.offline = True, True, False, True
    # LM Studio sends no SSE comments while it reads a prompt.
    params.sse_ping_interval = -1
    params.model.path = spec["model"]
    if spec["projector"]:
        params.mmproj.path = spec["projector"]
    params.n_parallel, params.n_ctx = spec["slots"], config["context_length"] * spec["slots"]
    # With two threads ggml's spinning barriers cost a tiny model nearly all its speed on a busy machine.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_batch, params.no_kv_offload = config["eval_batch_size"], not config["offload_kv_cache_to_gpu"]
    if not config["flash_attention"]:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if spec["min_p"] is not None:
        params.sampling.min_p = spec["min_p"]
    if spec["endless"]:
        params.sampling.ignore_eos = params.ctx_shift = True
    if spec["is_embedding"]:
        # An encoder needs its whole input in one batch.
        params.embedding, params.n_batch, params.n_ubatch = True, config["context_length"], config["context_length"]
    return params


def main() -> None:
    """Serve until stdin closes. An engine that cannot start ends the process with its error on stderr."""
    # Ctrl-C reaches every process of a console, but the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec = json.loads(sys.stdin.buffer.readline())
    server = import_module("xllamacpp").Server(to_params(spec))
    # One write, with a line break before it: a log line of the engine may be half written.
    os.write(1, f"\n{READY}{server.listening_address}\n".encode())
    sys.stdin.buffer.read()
    # There is nothing to save, and a running generation would delay the exit.
    os._exit(0)


if __name__ == "__main__":
    main()

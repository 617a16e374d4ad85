"""The shim one writes first: Flask, requests, json, one write per token. ``python -m tests.benchmarks.naive PORT URL``.

It does what it does correctly, and nothing besides: no checks, no limits, no cancelling, no errors.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import requests
import waitress
from flask import Flask, Response, jsonify, request

from tests.benchmarks.children import end_with_parent

THREADS = 64

app = Flask(__name__)
session = requests.Session()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def _backend(path: str) -> str:
    return f"{app.config['BACKEND']}{path}"


def _events(response: requests.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            yield json.loads(line[6:])


@app.post("/api/chat")
def chat() -> Any:
    """Chat with a model."""
    asked = request.get_json()
    stream = asked.get("stream", True)
    payload = {"model": asked["model"], "messages": list(map(_message, asked["messages"])), "stream": stream}
    response = session.post(_backend("/v1/chat/completions"), json=payload, stream=stream)
    model = asked["model"]
    if stream:
        return Response(_lines(model, response), mimetype="application/x-ndjson")
    text = response.json()["choices"][0]["message"]["content"]
    return jsonify(_record(model, text, done=True))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    urls = [f"data:image/jpeg;base64,{image}" for image in message.get("images", ())]
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    text = message["content"]
    return {"role": message["role"], "content": [{"type": "text", "text": text}, *images] if images else text}


def _record(model: str, text: str, *, done: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"model": model, "created_at": _now(), "message": message, "done": done}


def _lines(model: str, response: requests.Response) -> Iterator[str]:
    for event in _events(response):
        if event["choices"] and (text := event["choices"][0]["delta"].get("content")):
            yield json.dumps(_record(model, text, done=False)) + "\n"
    yield json.dumps(_record(model, "", done=True)) + "\n"


@app.post("/v1/chat/completions")
def passthrough() -> Response:
    """Pass a chat on."""
    response = session.post(_backend("/v1/chat/completions"), json=request.get_json(), stream=True)
    return Response(response.iter_content(chunk_size=None), mimetype=response.headers["Content-Type"])


@app.get("/api/version")
def version() -> Any:
    """Say which Ollama's API this is."""
    return jsonify({"version": "0.13.5"})


def _listed() -> list[dict[str, Any]]:
    return session.get(_backend("/api/v1/models")).json()["models"]  # type: ignore[no-any-return]


@app.get("/api/tags")
def tags() -> Any:
    """List all models."""
    models = [
        {"name": model["key"], "model": model["key"], "modified_at": _now(), "size": model["size_bytes"], "digest": ""}
        for model in _listed()
    ]
    return jsonify({"models": models})


@app.post("/api/show")
def show() -> Any:
    """Describe one model."""
    name = request.get_json()["model"]
    model = next(model for model in _listed() if model["key"] == name)
    details = {"family": model["architecture"], "parameter_size": model["params_string"], "format": model["format"]}
    return jsonify({"modelfile": "", "template": "", "details": details, "model_info": {}})


def main() -> None:
    """Serve on the loopback port given, in front of the backend given."""
    end_with_parent()
    app.config["BACKEND"] = sys.argv[2]
    waitress.serve(app, listen=f"127.0.0.1:{sys.argv[1]}", threads=THREADS)


if __name__ == "__main__":
    main()

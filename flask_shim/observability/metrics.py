"""Numbers for Prometheus at ``/metrics``: what was asked, how it ended, how long models took.

Every process counts for itself. Where several serve the port (SHIM_WORKERS), each sample carries the ``pid`` of the
one that answered the scrape, so that the counters of different processes are different series and sum up right.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sized
from typing import Protocol

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flask_shim.config import Config
from flask_shim.observability.access_log import Recorder, recorder_of
from flask_shim.observability.request_context import CLIENT_DISCONNECTED, RequestRecord

PATH = "/metrics"

OTHER = "other"
"""The label of whatever clients could make up: unknown paths and methods, and models beyond the first hundred."""

MOST_MODELS = 100

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
_FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_GENERATION_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Slots(Protocol):
    """The part of :class:`flask_shim.models.slots.Slots` that is measured."""

    in_use: int
    total: int


class Backend(Protocol):
    """The part of :class:`flask_shim.lmstudio.LMStudio` that is measured."""

    @property
    def watchdog(self) -> Sized:
        """The calls that are watched."""

    @property
    def open_connections(self) -> int:
        """How many connections to LM Studio are in use."""


def init_app(app: Flask, config: Config, slots: Slots, backend: Backend) -> Metrics | None:
    """Count the requests of ``app`` and serve the numbers at ``/metrics``, unless metrics are off."""
    if not config.metrics:
        return None
    recorder = recorder_of(app)
    metrics = Metrics(recorder, slots, backend)
    recorder.observers.append(metrics.count)
    shown: Collector = PerProcess(metrics.registry) if config.workers > 1 else metrics.registry

    def show() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(shown), content_type=content_type)

    app.add_url_rule(PATH, "metrics", show, methods=["GET"])
    return metrics


class Metrics:
    """The counters of one application."""

    def __init__(self, recorder: Recorder, slots: Slots, backend: Backend) -> None:
        """Begin at zero, in a registry of its own."""
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        by_model = ("model",)
        self.requests = Counter("shim_requests", "Requests answered.", ("route", "method", "status"), registry=registry)
        self.first_token = Histogram(
            "shim_time_to_first_token_seconds",
            "Seconds until an answer began.",
            by_model,
            registry=registry,
            buckets=_FIRST_TOKEN_SECONDS,
        )
        self.generation = Histogram(
            "shim_generation_seconds",
            "Seconds a whole answer took.",
            by_model,
            registry=registry,
            buckets=_GENERATION_SECONDS,
        )
        self.tokens_in = Counter("shim_prompt_tokens", "Tokens read by models.", by_model, registry=registry)
        self.tokens_out = Counter("shim_generated_tokens", "Tokens made by models.", by_model, registry=registry)
        self.backend_errors = Counter("shim_backend_errors", "Failures of LM Studio.", ("kind",), registry=registry)
        self.cancellations = Counter("shim_client_disconnects", "Answers whose client hung up.", registry=registry)
        self._models: set[str] = set()
        for name, meaning, read in (
            ("shim_streams_open", "Streamed answers on their way.", lambda: _streams(recorder)),
            ("shim_generations_in_flight", "Generations that run.", lambda: slots.in_use),
            ("shim_generations_limit", "Generations that may run at once.", lambda: slots.total),
            (
                "shim_backend_requests_in_flight",
                "Requests that end when their client hangs up.",
                lambda: len(backend.watchdog),
            ),
            ("shim_backend_connections", "Connections to LM Studio in use.", lambda: backend.open_connections),
        ):
            Gauge(name, meaning, registry=registry).set_function(read)

    def count(self, record: RequestRecord) -> None:
        """Count a request that is over."""
        method = record.method if record.method in _METHODS else OTHER
        self.requests.labels(record.route or OTHER, method, record.status).inc()
        if record.backend_error:
            self.backend_errors.labels(record.backend_error).inc()
        if record.outcome == CLIENT_DISCONNECTED:
            self.cancellations.inc()
        if record.model:
            self._count_generation(record, self._label(record.model))

    def _count_generation(self, record: RequestRecord, model: str) -> None:
        if record.first_token_seconds is not None:
            self.first_token.labels(model).observe(record.first_token_seconds)
            self.generation.labels(model).observe(record.seconds)
        if record.tokens_in:
            self.tokens_in.labels(model).inc(record.tokens_in)
        if record.tokens_out:
            self.tokens_out.labels(model).inc(record.tokens_out)

    def _label(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MOST_MODELS:
                return OTHER
            self._models.add(model)
        return model


class PerProcess(Collector):
    """A registry whose samples say which process they are of."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Show ``registry``."""
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with the label added."""
        pid = str(os.getpid())
        for metric in self._registry.collect():
            metric.samples = [sample._replace(labels={**sample.labels, "pid": pid}) for sample in metric.samples]
            yield metric


def _streams(recorder: Recorder) -> int:
    return sum(record.is_streamed for record in tuple(recorder.open))

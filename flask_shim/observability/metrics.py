"""Metrics for Prometheus at ``/metrics``: requests, their outcomes, tokens and times by model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from typing import Protocol

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flask_shim.config import Config
from flask_shim.observability.access_log import Recorder, recorder_of
from flask_shim.observability.request_context import CLIENT_DISCONNECTED, RequestRecord

PATH = "/metrics"

_KEY = "flask_shim.metrics"

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
    metrics = app.extensions[_KEY] = Metrics(recorder, slots, backend)
    recorder.observers.append(metrics.count)

    def show() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.shown), content_type=content_type)

    app.add_url_rule(PATH, "metrics", show, methods=["GET"])
    return metrics


def metrics_of(app: Flask) -> Metrics | None:
    """Return the metrics of ``app``, None if they are off."""
    metrics: Metrics | None = app.extensions.get(_KEY)
    return metrics


class Metrics:
    """The counters of one application."""

    shown: Collector
    """What a scrape reads: the registry, or the metrics of several workers."""

    def __init__(self, recorder: Recorder, slots: Slots, backend: Backend) -> None:
        """Begin at zero, in a registry of its own."""
        registry = self.registry = self.shown = CollectorRegistry()
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


class WorkerMetrics(Collector):
    """The metrics of all workers of a server; the label ``worker`` of a sample has the number of its worker."""

    def __init__(
        self, registry: CollectorRegistry, number: int, collect_others: Callable[[], Iterable[Metric]]
    ) -> None:
        """Show the ``registry`` of worker ``number`` and what ``collect_others`` returns."""
        self._registry = registry
        self._number = number
        self._collect_others = collect_others

    def collect_own(self) -> Iterator[Metric]:
        """Yield the metrics of this worker."""
        for metric in self._registry.collect():
            metric.samples = [
                sample._replace(labels={**sample.labels, "worker": str(self._number)}) for sample in metric.samples
            ]
            yield metric

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all workers; the samples of one metric follow each other, as the format requires."""
        metrics: dict[str, Metric] = {}
        for metric in chain(self.collect_own(), self._collect_others()):
            if metrics.setdefault(metric.name, metric) is not metric:
                metrics[metric.name].samples += metric.samples
        return metrics.values()


def _streams(recorder: Recorder) -> int:
    return sum(record.is_streamed for record in tuple(recorder.open))

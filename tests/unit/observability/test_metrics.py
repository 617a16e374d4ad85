"""What Prometheus reads: no client can invent labels."""

from __future__ import annotations

import platform
import threading

import pytest
from flask import Flask, Response, request
from prometheus_client.parser import text_string_to_metric_families
from support.apps import NoBackend, guarded

from flask_shim._version import __version__
from flask_shim.config import Config
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendTimeout, ClientDisconnected, ServerBusy
from flask_shim.models.slots import Slots
from flask_shim.observability import access_log, metrics
from flask_shim.observability.metrics import MOST_MODELS, OTHER, WorkerMetrics
from flask_shim.observability.request_context import RequestRecord, current

KEY = "a-key"


class Shim:
    """A small application with metrics, and a way to read them."""

    def __init__(self, **settings):
        self.app = Flask("test")
        self.slots = Slots(3)
        self.backend = NoBackend()
        access_log.init_app(self.app)
        self.app.before_request(lambda: access_log.note_route(request))
        self.metrics = metrics.init_app(
            self.app, Config(**settings), self.slots, self.backend.watchdog, self.backend.measure
        )
        self.app.add_url_rule("/models/<name>", "model", lambda name: name)
        self.app.add_url_rule("/stream", "stream", self.stream)
        self.client = self.app.test_client()

    def stream(self):
        current().is_streamed = True
        return Response(iter([b"1", b"2"]))

    def read(self):
        text = self.client.get("/metrics", buffered=True).text
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name, **labels):
        return self.read().get((name, *sorted(labels.items())))


@pytest.fixture
def shim():
    return Shim()


def generated(**noted):
    record = RequestRecord(model="tiny", started_ns=0, first_token_ns=2_000_000_000, status=200, method="POST", **noted)
    record.ended_ns = 4_000_000_000
    return record


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/models/a", {"route": "/models/<name>", "method": "GET", "status": "200"}),
        ("GET", "/models/b?x=1", {"route": "/models/<name>", "method": "GET", "status": "200"}),
        ("GET", "/made/up/1", {"route": OTHER, "method": "GET", "status": "404"}),
        ("POST", "/models/a", {"route": OTHER, "method": "POST", "status": "405"}),
        ("BREW", "/made/up/2", {"route": OTHER, "method": OTHER, "status": "404"}),
    ],
)
def test_requests_are_counted_by_route_method_and_status(shim, method, path, labels):
    shim.client.open(path, method=method, buffered=True)
    assert shim.value("shim_requests_total", **labels) == 1


def test_a_scan_of_paths_makes_one_series(shim):
    for number in range(50):
        shim.client.open(f"/{number}", method=f"M{number}", buffered=True)
    series = [key for key in shim.read() if key[0] == "shim_requests_total"]
    assert len(series) == 1


def test_rejected_requests_are_counted_with_their_route():
    app, _ = guarded(api_keys=(KEY,))
    client = app.test_client()
    client.get("/api/tags", buffered=True)
    text = client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}, buffered=True).text
    assert 'shim_requests_total{method="GET",route="/api/tags",status="401"} 1.0' in text


def test_cached_tokens_are_counted_where_they_are_known(shim):
    shim.metrics.count(generated(tokens_in=9))
    assert shim.value("shim_cached_prompt_tokens_total", model="tiny") is None
    shim.metrics.count(generated(tokens_in=9, cached_tokens=8))
    assert shim.value("shim_cached_prompt_tokens_total", model="tiny") == 8


def test_a_generation_is_counted_by_its_model(shim):
    shim.metrics.count(generated(tokens_in=7, tokens_out=21))
    shim.metrics.count(generated(tokens_in=1, tokens_out=1))
    assert shim.value("shim_prompt_tokens_total", model="tiny") == 8
    assert shim.value("shim_generated_tokens_total", model="tiny") == 22
    assert shim.value("shim_time_to_first_token_seconds_sum", model="tiny") == 4
    assert shim.value("shim_time_to_first_token_seconds_bucket", model="tiny", le="1.0") == 0
    assert shim.value("shim_time_to_first_token_seconds_bucket", model="tiny", le="2.5") == 2
    assert shim.value("shim_generation_seconds_sum", model="tiny") == 8
    assert shim.value("shim_generation_seconds_count", model="tiny") == 2


def test_speeds_are_counted_by_model_where_they_are_known(shim):
    shim.metrics.count(generated(tokens_in=100, tokens_out=21, sent_ns=1_000_000_000))
    shim.metrics.count(generated(tokens_in=100, tokens_out=None))  # loaded first, and no count of the answer
    assert shim.value("shim_prefill_tokens_per_second_sum", model="tiny") == 100
    assert shim.value("shim_decode_tokens_per_second_sum", model="tiny") == 10.5
    assert shim.value("shim_prefill_tokens_per_second_count", model="tiny") == 1
    assert shim.value("shim_decode_tokens_per_second_count", model="tiny") == 1


@pytest.mark.parametrize(
    ("failure", "noted", "reason"),
    [
        (ServerBusy("busy"), {}, "server_busy"),
        (None, {"rejected_by": "key", "status": 401}, "key"),
        (None, {"status": 404}, OTHER),
        (None, {"status": 200}, None),
        (BackendTimeout("slow"), {}, None),
    ],
)
def test_refusals_are_counted_by_their_reason(shim, failure, noted, reason):
    record = RequestRecord(**noted)
    if failure:
        record.fail(failure)
    shim.metrics.count(record)
    refusals = {key[1][1]: value for key, value in shim.read().items() if key[0] == "shim_refusals_total"}
    assert refusals == ({reason: 1.0} if reason else {})


def test_a_scrape_has_running_requests_and_reachability(shim):
    labels = {"version": __version__, "python": platform.python_version()}
    assert (shim.value("shim_build_info", **labels), shim.value("shim_backend_up")) == (1, 0)


def test_a_request_that_never_began_an_answer_has_no_times(shim):
    shim.metrics.count(RequestRecord(model="tiny", status=503))
    assert shim.value("shim_generation_seconds_count", model="tiny") is None


def test_models_beyond_the_first_hundred_share_a_label(shim):
    for number in range(MOST_MODELS + 20):
        for _ in range(2):
            record = generated(tokens_out=1)
            record.model = f"m{number}"
            shim.metrics.count(record)
    found = {key[1][1]: value for key, value in shim.read().items() if key[0] == "shim_generated_tokens_total"}
    assert len(found) == MOST_MODELS + 1
    assert found[OTHER] == 40
    assert found["m0"] == 2


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (BackendTimeout("slow"), "backend_timeout"),
        (ServerBusy("busy"), None),
        (ClientDisconnected(), None),
        (KeyError("bug"), None),
    ],
)
def test_only_failures_of_the_backend_are_its_errors(shim, failure, kind):
    record = generated()
    record.fail(failure)
    shim.metrics.count(record)
    errors = {key[1][1]: value for key, value in shim.read().items() if key[0] == "shim_backend_errors_total"}
    assert errors == ({kind: 1.0} if kind else {})


def test_clients_that_hang_up_are_counted(shim):
    assert shim.value("shim_client_disconnects_total") == 0
    record = generated()
    record.fail(ClientDisconnected())
    shim.metrics.count(record)
    shim.client.get("/stream").close()
    assert shim.value("shim_client_disconnects_total") == 2


def test_streams_and_slots_are_read_as_they_are(shim):
    slot = shim.slots.take()
    response = shim.client.get("/stream")
    names = ("shim_streams_open", "shim_generations_in_flight", "shim_generations_limit")
    assert [shim.value(name) for name in names] == [1, 1, 3]
    response.close()
    slot.release()
    assert [shim.value(name) for name in names] == [0, 0, 3]


def test_waits_for_a_slot_are_counted(shim):
    for seconds in (None, 0.3, 4.0):
        shim.metrics.count(generated(queue_seconds=seconds))
    assert shim.value("shim_queue_seconds_count", model="tiny") == 2
    assert shim.value("shim_queue_seconds_sum", model="tiny") == pytest.approx(4.3)
    assert shim.value("shim_generations_waiting") == 0


def test_calls_and_connections_are_read_as_they_are(shim):
    names = ("shim_backend_requests_in_flight", "shim_backend_connections")
    with shim.backend.watchdog.watch(BackendCall()):
        shim.backend.open_connections = 2
        assert [shim.value(name) for name in names] == [1, 2]
    shim.backend.watchdog.close()
    assert [shim.value(name) for name in names] == [0, 2]


def test_figures_of_several_backends_have_their_names(shim, monkeypatch):
    monkeypatch.setattr(shim.backend, "figures", [("desktop", True, 3, 2), ("laptop", False, 0, 0)])
    names = ("shim_backend_up", "shim_backend_connections", "shim_backend_generations_in_flight")
    assert [shim.value(name, backend="desktop") for name in names] == [1, 3, 2]
    assert [shim.value(name, backend="laptop") for name in names] == [0, 0, 0]


def test_every_application_counts_for_itself():
    first, second = Shim(), Shim()
    first.client.get("/models/a", buffered=True)
    labels = {"route": "/models/<name>", "method": "GET", "status": "200"}
    assert first.value("shim_requests_total", **labels) == 1
    assert second.value("shim_requests_total", **labels) is None


def test_requests_on_many_threads_are_all_counted(shim):
    def ask():
        client = shim.app.test_client()
        for _ in range(25):
            client.get("/models/a", buffered=True)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shim.value("shim_requests_total", route="/models/<name>", method="GET", status="200") == 100


def test_one_scrape_has_a_label_for_each_worker(shim):
    other = Shim()
    for tokens, each in ((3, shim), (5, other)):
        each.metrics.count(generated(tokens_out=tokens))
    theirs = WorkerMetrics(other.metrics.registry, 2, list)
    shim.metrics.shown = WorkerMetrics(shim.metrics.registry, 1, theirs.collect_own)
    assert shim.value("shim_generated_tokens_total", model="tiny", worker="1") == 3
    assert shim.value("shim_generated_tokens_total", model="tiny", worker="2") == 5
    assert shim.value("shim_generations_limit", worker="2") == 3
    assert {dict(key[1:])["worker"] for key in shim.read()} == {"1", "2"}
    text = shim.client.get("/metrics", buffered=True).text
    assert text.count("# TYPE shim_generated_tokens_total ") == 1


def test_a_process_on_its_own_needs_no_such_label(shim):
    assert not any(label[0] == "worker" for key in shim.read() for label in key[1:])


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_the_format_follows_the_accept_header(shim, accept, content_type):
    response = shim.client.get("/metrics", headers={"Accept": accept}, buffered=True)
    assert response.status_code == 200
    assert response.content_type.startswith(content_type)


def test_without_metrics_there_is_no_such_path():
    app, _ = guarded(metrics=False)
    assert app.test_client().get("/metrics", buffered=True).status_code == 404


def test_metrics_touch_no_backend():
    app, backend = guarded()
    assert app.test_client().get("/metrics", buffered=True).status_code == 200
    assert backend.touched == []

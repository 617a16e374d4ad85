"""What LM Studio says decides what kind of failure it is; the status counts only when the text tells nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    ContextOverflow,
    ModelEvicted,
    ModelLoadError,
    NoModelLoaded,
    NoSuchEndpoint,
    ServerBusy,
    UnsupportedReasoningEffort,
)
from flask_shim.lmstudio.http.error_parsing import error_from_text, parse_error_event, parse_error_response

INVALID = 'Invalid model identifier "o4-mini". Please specify a valid downloaded model (e.g., qwen/qwen3-8b).'
CRASHED = "The model has crashed without additional information. (Exit code: null)"
TOO_LONG = "request (8810 tokens) exceeds the available context size (8192 tokens), try increasing it"

OVERFLOWS = [
    (
        "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context "
        "length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or "
        "provide a shorter input"
    ),
    (
        "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= "
        "n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."
    ),
    "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)",
    (
        "Input does not fit in context length. The input has 359277 tokens, but the context length only supports "
        "262144 tokens."
    ),
    TOO_LONG,
    "input (24002 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
    (
        "Input length (9000 tokens) exceeds the maximum allowed length (8191 tokens). Use a shorter input or enable "
        "--allow-auto-truncate."
    ),
    "Context size has been exceeded.",
    (
        "Reached context length of 4096 tokens with model (arch: qwen2) that does not currently support mid-generation "
        "context overflow. Try reloading with a larger context length or shortening the prompt/chat."
    ),
]
REQUEST_FAULTS = [
    "[Server Error] _0x48eeaf is not iterable",
    "'url' field must be a base64 encoded image.",
    "Model does not support images. Please use a model that does.",
    'Error rendering prompt with jinja template: "x".\n\nThis is usually an issue with the model\'s prompt template.',
    "Engine protocol applyPromptTemplate request returned 500: Jinja Exception: x",
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    "audio input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    (
        "Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at #: "
        "unrecognized type banana"
    ),
    'JSON schema conversion failed:\nUnrecognized schema: {"type":"banana"}',
    "Failed to parse tools: [json.exception.out_of_range.403] key 'name' not found; tools = []",
    'Failed to parse tools: Unsupported tool type: {"type":"banana"}; tools = []',
    "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line 1, column 2",
    "Failed to initialize samplers: failed to parse grammar",
    "Failed to initialize samplers: penalty_repeat must be finite and greater than 0",
]
REFUSED = [
    *REQUEST_FAULTS,
    "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
    "'response_format.type' must be 'json_schema' or 'text'",
    "'input' field must be a string or an array of strings",
]
FAILED = [
    'Failed to load model "X". Error: Model loading aborted due to insufficient system resources.',
    (
        "Model loading was stopped due to insufficient system resources. Under the current settings, this model "
        "requires approximately 273.25 GB of memory"
    ),
    'Failed to load model "X". Error: Engine protocol startup was aborted.',
    'Failed to load model "X". Error: Operation canceled.',
    'Failed to load model "X". Error: Invalid load message',
    "Error loading model. (Exit code: 18446744072635812000). Unknown error. Try a different model and/or config.",
    "Engine protocol runtime llama-server for gguf exited before becoming healthy. exitCode=1, signal=null",
    "No LM Runtime found for model format 'gguf'!",
    "The model has crashed without additional information. (Exit code: 18446744072635812000)",
    CRASHED,
    "Channel Error",
    "Error: Channel Error",
]
EVICTED = ["Model unloaded.", "Model is unloaded.", "Error: the model was unloaded"]
EFFORTS = [
    "Invalid reasoning_effort. Supported values: none, low, medium, high",
    "Model 'qwen/qwen3-8b' does not support reasoning configuration.",
    "Reasoning effort 'xhigh' is not supported",
]


@pytest.mark.parametrize("text", [*OVERFLOWS, *REQUEST_FAULTS])
def test_a_fault_of_the_request_is_a_400_inside_a_stream_too(text):
    error = parse_error_event(json.dumps({"error": {"message": text}, "message": text}).encode())
    assert isinstance(error, BackendRequestError)
    assert error.status == 400


SIZES = [
    *((15857, 4096), (13055, 4096), (15028, 7424), (359277, 262144), (8810, 8192), (24002, 512), (9000, 8191)),
    *((None, None), (None, None)),
]


@pytest.mark.parametrize(("text", "sizes"), list(zip(OVERFLOWS, SIZES, strict=True)))
def test_an_overflow_states_the_sizes_that_its_text_names(text, sizes):
    error = error_from_text(text, 500)
    assert isinstance(error, ContextOverflow)
    assert (error.prompt_tokens, error.context_length) == sizes


def _from_engine(status, error):
    return {"error": f"Engine protocol predict request returned {status}: {json.dumps({'error': error})}"}


ENGINE_ERRORS = {
    "the status in the prefix": (_from_engine(400, {"message": "odd"}), BackendRequestError, 400),
    "the status in the error": ({"error": {"code": 400, "message": "odd"}}, BackendRequestError, 400),
    "the status that a proxy adds": ({"error": {"message": "odd", "status_code": 400}}, BackendRequestError, 400),
    "only a type": ({"error": {"message": "odd", "type": "invalid_request_error"}}, BackendRequestError, 400),
    "an overflow by its type": (
        _from_engine(400, {"message": "odd", "type": "exceed_context_size_error"}),
        ContextOverflow,
        400,
    ),
    "an overflow by its code": ({"error": {"message": "odd", "code": "context_length_exceeded"}}, ContextOverflow, 400),
    "a prefix without JSON": ({"error": "Engine protocol predict request returned 400: odd"}, BackendRequestError, 400),
    "a fault of the engine": (
        _from_engine(500, {"code": 500, "message": "odd", "type": "server_error"}),
        BackendError,
        502,
    ),
    "a busy engine": (_from_engine(503, {"code": 503, "message": "Loading model"}), ServerBusy, 503),
    "an unprocessable request": (_from_engine(422, {"message": "odd"}), BackendRequestError, 400),
    "a crash that is called a request error": (
        {"error": {"message": CRASHED, "type": "invalid_request_error", "code": 400}},
        ModelLoadError,
        500,
    ),
}


@pytest.mark.parametrize(("body", "kind", "status"), ENGINE_ERRORS.values(), ids=ENGINE_ERRORS.keys())
@pytest.mark.parametrize(
    "parse", [parse_error_event, lambda body: parse_error_response(500, body)], ids=["event", "500"]
)
def test_the_status_of_the_engine_outranks_that_of_the_response(parse, body, kind, status):
    error = parse(json.dumps(body).encode())
    assert (type(error), error.status) == (kind, status)


ORIGINS = {
    "overflow": (
        {"code": 400, "message": TOO_LONG, "type": "exceed_context_size_error"},
        (ContextOverflow, 400, None),
    ),
    "request": (
        {"message": "odd", "type": "invalid_request_error", "param": "temperature"},
        (BackendRequestError, 400, "temperature"),
    ),
    "crash": ({"message": CRASHED, "type": "invalid_request_error"}, (ModelLoadError, 500, None)),
}
ENGINE = "Engine protocol predict request returned 500: "
WRAPPERS = {
    "none": lambda error: error,
    "typed event": lambda error: {"type": "error", "error": error},
    "two levels": lambda error: {"error": {"error": error}},
    "string": lambda error: {"error": json.dumps(error)},
    "string of a string": lambda error: {"error": json.dumps(json.dumps(error))},
    "JSON in a message": lambda error: {"error": {"message": json.dumps({"error": error})}, "message": "x"},
    "engine": lambda error: {"error": ENGINE + json.dumps({"error": error})},
    "engine, encoded twice": lambda error: {"error": ENGINE + json.dumps(json.dumps({"error": error}))},
    "text behind it": lambda error: {"error": f"{ENGINE}{json.dumps({'error': error})}. Please try again."},
    "brackets before it": lambda error: {"error": f"Error in {{model}} [llama]: {json.dumps({'error': error})}"},
    "event of Responses": lambda error: {"type": "response.failed", "response": {"status": "failed", "error": error}},
    "list": lambda error: {"errors": [error]},
    "cause": lambda error: {"error": {"message": "Prediction failed", "cause": error}},
}


@pytest.mark.parametrize(("error", "expected"), ORIGINS.values(), ids=ORIGINS.keys())
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
@pytest.mark.parametrize(
    "parse", [parse_error_event, lambda body: parse_error_response(500, body)], ids=["event", "500"]
)
def test_the_origin_of_an_error_decides_whatever_wraps_it(parse, wrap, error, expected):
    found = parse(json.dumps(wrap(error)).encode())
    assert (type(found), found.status, found.param) == expected
    assert found.text == error["message"]


SIZED = [
    {"message": "the request exceeds the available context size", "n_prompt_tokens": 8810, "n_ctx": 8192},
    {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 8810 tokens."},
    {"message": TOO_LONG},
]


@pytest.mark.parametrize("error", SIZED)
def test_the_sizes_of_an_overflow_are_read_from_text_or_fields(error):
    found = parse_error_event(json.dumps({"error": error}).encode())
    assert (found.prompt_tokens, found.context_length) == (8810, 8192)


PARAM = {"message": "Invalid", "param": "messages[0].content", "code": "invalid_type"}


@pytest.mark.parametrize("body", [{"error": PARAM}, _from_engine(400, PARAM), PARAM])
def test_param_and_code_survive(body):
    error = parse_error_response(400, json.dumps(body).encode())
    assert (error.text, error.param, error.code) == ("Invalid", "messages[0].content", "invalid_type")


@pytest.mark.parametrize("odd", [5, None, True, [], {}, ""])
def test_param_and_code_are_texts_or_absent(odd):
    error = parse_error_response(400, json.dumps({"error": PARAM | {"param": odd, "code": odd}}).encode())
    assert (error.param, error.code) == (None, None)


def test_a_fault_of_lm_studio_names_no_part_of_the_request():
    error = parse_error_response(500, json.dumps({"error": PARAM}).encode())
    assert (error.param, error.code) == (None, None)


NOT_LOADED = [
    "No models loaded. Please load a model in the developer page or use the 'lms load' command.",
    "No models loaded. Please load a model in the developer page or use the `lms load` command.",
    "Model is not loaded.",
]
TEXTS = [
    *((text, ContextOverflow, 400) for text in OVERFLOWS),
    *((text, BackendRequestError, 400) for text in REFUSED),
    *((text, ModelLoadError, 500) for text in FAILED),
    *((text, ModelEvicted, 503) for text in EVICTED),
    *((text, UnsupportedReasoningEffort, 400) for text in EFFORTS),
    *((text, NoModelLoaded, 400) for text in NOT_LOADED),
    ("Unexpected endpoint or method. (POST /v1/responses)", NoSuchEndpoint, 501),
    *((text, NoSuchEndpoint, 501) for text in ("Not Found", "File Not Found", "404 page not found")),
    (INVALID, BackendRequestError, 400),
]


@pytest.mark.parametrize(("text", "kind", "status"), TEXTS)
def test_the_text_decides_what_kind_of_failure_it_is(text, kind, status):
    failure = parse_error_response(400, json.dumps({"error": text}).encode())
    assert (type(failure), failure.status) == (kind, status)
    assert text in failure.text


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_endpoint_is_known_by_its_text(status):
    failure = parse_error_response(status, b'{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}')
    assert isinstance(failure, NoSuchEndpoint)
    assert failure.text.startswith("this version of LM Studio does not have that route: Unexpected endpoint")


def test_a_crash_that_comes_as_404_is_a_crash():
    body = {"error": {"message": FAILED[0], "type": "invalid_request_error", "code": "model_not_found"}}
    assert isinstance(parse_error_response(404, json.dumps(body).encode()), ModelLoadError)


@pytest.mark.parametrize("error", [{"code": "model_not_found"}, {"code": None, "type": "model_not_found"}])
@pytest.mark.parametrize("status", [400, 404])
def test_a_model_that_is_not_found_is_a_404(error, status):
    failure = parse_error_response(status, json.dumps({"error": {"message": INVALID, **error}}).encode())
    assert (type(failure), failure.status, failure.text) == (BackendRequestError, 404, INVALID)


STATUSES = [
    (302, BackendProtocolError, 502),
    (307, BackendProtocolError, 502),
    (400, BackendRequestError, 400),
    (401, BackendError, 502),
    (402, BackendRequestError, 400),
    (403, BackendError, 502),
    (404, BackendRequestError, 404),
    (405, BackendRequestError, 400),
    (408, BackendError, 502),
    (413, BackendRequestError, 400),
    (422, BackendRequestError, 400),
    (429, ServerBusy, 503),
    (500, BackendError, 502),
    (502, BackendError, 502),
    (503, ServerBusy, 503),
    (529, BackendError, 502),
]


@pytest.mark.parametrize("body", [b"", b'{"error":"no"}', b"<html>no</html>", b"no"])
@pytest.mark.parametrize(("status", "kind", "expected_status"), STATUSES)
def test_without_a_telling_text_the_status_decides(status, kind, expected_status, body):
    failure = parse_error_response(status, body)
    assert (type(failure), failure.status) == (kind, expected_status)
    assert failure.text
    assert "<" not in failure.text


@given(st.integers(300, 599), st.sampled_from([b"", *(json.dumps({"error": text}).encode() for text, _, _ in TEXTS)]))
def test_lm_studio_faults_never_look_like_sign_in_quota_or_filters(status, body):
    assert parse_error_response(status, body).status not in (401, 402, 403, 422, 429)


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_token_is_named(status):
    assert "API token" in parse_error_response(status, b'{"error":{"message":"Invalid token"}}').text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3600", 60), ("7", 7), ("0", 1), ("soon", 1), ("-1", 1), ("9" * 5000, 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1)],
)
def test_how_long_to_wait_is_passed_on_but_never_more_than_a_minute(header, seconds):
    assert parse_error_response(503, b"", {"Retry-After": header}).retry_after == seconds


def test_only_a_busy_backend_sends_retry_after():
    assert parse_error_response(503, b"").retry_after == 1
    assert parse_error_response(500, b"", {"Retry-After": "5"}).retry_after is None


def test_an_error_inside_a_stream_is_classified_by_its_text():
    assert isinstance(error_from_text(CRASHED, 500), ModelLoadError)
    assert isinstance(error_from_text("something else", 500), BackendError)

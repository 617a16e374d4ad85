"""Twenty details that imitations get wrong and what Ollama's own tests demand, each with the rows that show it."""

from __future__ import annotations

DETAILS = {
    "1 load and unload answer with one object": (
        "7.6 a chat that is to stream loads",
        "7.6 keep_alive 0 in a stream unloads",
        "7.5 a request that is to stream loads",
    ),
    "2 streams are what is wanted by default": ("4.3 stream left out is a stream", "4.3 stream of null is a stream"),
    "3 durations are whole nanoseconds, and none is 0": ("7.6 a chat comes at once", "7.5 an answer comes at once"),
    "4 calls have objects for arguments, an index and an id": ("7.6 a tool is called", "7.6 two calls in one object"),
    "5 texts for arguments and lists for content are refused": (
        "7.6 arguments of a call are no text",
        "1.7 array is no content of chat",
    ),
    "6 every route has its own text for a missing model": (
        "3 /api/generate without a model",
        "3 /api/chat without a model",
        "3 /api/embed with an unknown model",
        "3 /api/show with an unknown model",
    ),
    "7 wrong options are 500, unknown ones are nothing": (
        "4.1 option stop is not 'x'",
        "4.1 option bogus has no effect",
        "4.4 'yaml' is no format",
    ),
    "8 thinking is on by default, and refused where the model cannot think": (
        "4.5 a model that thinks does so with None",
        "4.5 plain cannot think True",
        "5 then tools",
    ),
    "9 texts of durations need a unit": (
        "4.2 keep_alive is not '-1'",
        "4.2 keep_alive is not '5'",
        "4.2 keep_alive may be -1",
    ),
    "10 a name is repeated as asked and listed with its tag": ("3 /api/chat knows a model in capitals", "7.2 the list"),
    "11 a digest has 64 digits and no prefix": ("7.2 the list", "7.4 what is loaded"),
    "12 unknown paths are text, copies and deletions nothing": (
        "1.2 GET /nope is unknown",
        "1.2 GET /api/chat is no way to ask",
        "7.12 a copy is made",
        "7.13 a name is deleted",
    ),
    "13 HEAD works in four places": (
        "1.2 HEAD of the greeting",
        "1.2 HEAD of the version",
        "1.2 HEAD of the list",
        "7.14 a blob is not there",
        "1.2 HEAD /api/ps is no way to ask",
    ),
    "14 content types do not matter, empty bodies have two texts": (
        "1.3 the content type application/x-www-form-urlencoded does not matter",
        "1.7 /api/chat cannot read nothing",
        "8.1 /v1/chat/completions needs a body",
    ),
    "15 vectors are of length 1 here and raw there": ("7.7 a text", "7.8 a prompt", "7.7 an empty list only loads"),
    "16 a pull fails in its stream, or with a status at once": (
        "7.9 an unknown model fails after the first line",
        "7.9 an unknown model fails with a status at once",
        "7.9 a model comes",
    ),
    "17 failures have a status before the first word and a line after it": (
        "7.6 a failure before the first word has a status",
        "7.6 a failure in the middle is the last line",
    ),
    "18 model_info is there and names its context": (
        "7.3 model_info has what clients look for",
        "7.3 a model is shown",
    ),
    "19 foreign origins are refused everywhere": (
        "1.5 http://example.com may not ask for /api/version",
        "1.5 null may not ask for /nope",
        "1.4 we are not called evil.com (/api/version)",
    ),
    "20 OpenAI's envelope and counts": ("8.2 counts come last", "8.2 thinking has its field"),
}

DEMANDS = {
    "the last object has all counts": ("7.5 an answer comes line by line", "7.6 a chat comes line by line"),
    "what is loaded has all details": ("7.4 what is loaded",),
    "logprobs are shaped": ("7.6 logprobs come with their token", "4.7 no logprobs without a request"),
    "thinking and answer are apart": (
        "7.6 thinking comes first",
        "4.5 a model that thinks may be kept from it",
    ),
    "tools work on all four protocols": (
        "7.6 the result of a tool is understood with ids on both sides",
        "8.2 a result is understood",
        "8.6 a function is called",
        "9 a tool is used",
    ),
    "embeddings are as many as inputs": ("7.7 several texts",),
    "stop and rm of the command line work": (
        "7.5 keep_alive '0s' without a prompt unloads",
        "7.13 a name is deleted by its old field",
    ),
    "the heartbeat works": ("1.2 HEAD of the greeting",),
}

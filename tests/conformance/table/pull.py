"""POST /api/pull (section 7.9): what there is to download is a model that the miniature offers."""

from __future__ import annotations

from conformance.row import JSON, NDJSON, Many, error, post
from support.shapes import DIGEST, POSITIVE, TEXT, matching, one_of, optional

MANIFEST = {"status": "pulling manifest"}
PULLING = {
    "status": matching("pulling [0-9a-f]{12}"),
    "digest": DIGEST,
    optional("total"): POSITIVE,
    optional("completed"): POSITIVE,
}
DONE = {"status": matching("pulling [0-9a-f]{12}"), "digest": DIGEST, "total": POSITIVE, "completed": POSITIVE}
END = ({"status": "verifying sha256 digest"}, {"status": "writing manifest"}, {"status": "success"})

FROM_LM_STUDIO = (
    "LM Studio downloads from its catalog or from Hugging Face, so a pull accepts their names. It "
    "reports all files of a model in one line, with a digest computed from the name. Names of "
    "Ollama's library work only where LM Studio has the same."
)
PULL = "/api/pull"

ROWS = (
    post(
        "7.9",
        "a model comes",
        PULL,
        {"model": "acme/fresh"},
        type=NDJSON,
        lines=[MANIFEST, Many(PULLING), *END],
        differs=FROM_LM_STUDIO,
    ),
    post(
        "7.9",
        "a model comes at once",
        PULL,
        {"model": "acme/second", "stream": False},
        type=JSON,
        json={"status": "success"},
    ),
    post(
        "7.9", "a model that is here is complete", PULL, {"model": "plain"}, type=NDJSON, lines=[MANIFEST, DONE, *END]
    ),
    post(
        "7.9",
        "a model that is here is complete at once",
        PULL,
        {"model": "plain", "stream": False},
        type=JSON,
        json={"status": "success"},
    ),
    post(
        "7.9",
        "the old field for the name does",
        PULL,
        {"name": "plain", "model": "", "username": "", "password": ""},
        type=NDJSON,
        lines=[MANIFEST, DONE, *END],
    ),
    post(
        "7.9",
        "insecure says nothing",
        PULL,
        {"model": "plain", "insecure": True, "stream": False},
        type=JSON,
        json={"status": "success"},
    ),
    post(
        "7.9",
        "an unknown model fails after the first line",
        PULL,
        {"model": "acme/nope"},
        type=NDJSON,
        lines=[MANIFEST, {"error": matching("pull model manifest: .+")}],
    ),
    post(
        "7.9",
        "an unknown model fails with a status at once",
        PULL,
        {"model": "acme/nope", "stream": False},
        **error(500, matching("pull model manifest: .+")),
    ),
    post(
        "7.9",
        "a name in the cloud is not pulled",
        PULL,
        {"model": "gpt-oss:20b-cloud"},
        **error(one_of(403, 500), TEXT),
    ),
)

"""What differs from Ollama and is not shown by a row of the table, with the test that shows it."""

from __future__ import annotations

_TOLD = (
    (
        "test_tokens_that_arrive_at_once_leave_at_once",
        (
            "Tokens that LM Studio sends at once share an HTTP chunk, a line for each; a slower stream has "
            "one line per chunk."
        ),
    ),
    (
        "test_a_model_kept_forever_stays_for_weeks",
        (
            "A negative `keep_alive` means 24 days without a request if LM Studio loaded the model on "
            "demand: its timer counts no further."
        ),
    ),
    (
        "test_a_later_request_can_shorten_a_stay_but_not_lengthen_it",
        (
            "A later `keep_alive` can shorten the time that a model stays loaded, not lengthen it: LM Studio"
            " keeps the TTL it loaded the model with. /api/ps shows the real time."
        ),
    ),
    (
        "test_a_larger_context_reloads_the_model",
        (
            "Only a `num_ctx` larger than the loaded context reloads the model, up to the model's maximum. "
            "`num_batch`, `num_gpu`, `main_gpu`, `use_mmap` and `num_thread` have no effect: they are "
            "settings of LM Studio."
        ),
    ),
    (
        "test_one_answer_too_many_is_rejected_with_ollamas_text",
        (
            "At most `SHIM_MAX_STREAMS` generations run, and one more gets Ollama's 503, at once or after "
            "`SHIM_QUEUE_SECONDS`; Ollama "
            "queues requests for a loaded model without limit."
        ),
    ),
    (
        "test_a_model_runs_under_its_own_name_whatever_name_loaded_it",
        (
            "/api/ps lists models under their own names, also if a name made here loaded them: LM Studio "
            "knows only the model."
        ),
    ),
    (
        "test_openais_list_of_nothing_is_a_list_where_ollamas_is_null",
        (
            "/v1/models is an empty list if there are no models; Ollama's `data` is null, which clients "
            "cannot iterate over."
        ),
    ),
)

OTHER_DIFFERENCES = {text: test for test, text in _TOLD}
"""The name of the test by what differs."""

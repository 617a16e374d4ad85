"""What differs from Ollama and is not shown by a row of the table, with the test that shows it."""

from __future__ import annotations

_TOLD = (
    (
        "test_a_model_kept_for_ever_stays_for_weeks",
        (
            "Without a limit (`keep_alive` below 0) is 24 days without a request, if LM Studio loaded the model on its"
            " first use: its timer cannot count further."
        ),
    ),
    (
        "test_a_later_request_can_shorten_a_stay_but_not_lengthen_it",
        (
            "A later `keep_alive` can shorten a model's stay but not lengthen it: LM Studio keeps the time it loaded it"
            " with, and /api/ps tells what is true."
        ),
    ),
    (
        "test_a_larger_context_loads_the_model_anew",
        (
            "A smaller `num_ctx` than what is loaded changes nothing; only a larger one reloads the model, up to its"
            " maximum. `num_batch`, `num_gpu`, `main_gpu`, `use_mmap` and `num_thread` are LM Studio's settings and"
            " have no effect."
        ),
    ),
    (
        "test_one_answer_too_many_is_refused_in_the_words_of_ollama",
        (
            "As many answers as SHIM_MAX_STREAMS are made at once, and one more is refused at once with Ollama's"
            " 503; Ollama lets requests for a loaded model wait without limit."
        ),
    ),
    (
        "test_a_model_runs_under_its_own_name_whatever_name_loaded_it",
        (
            "/api/ps lists models under their own names, also those that were loaded by a name made here: for LM"
            " Studio the two are one."
        ),
    ),
    (
        "test_openais_list_of_nothing_is_a_list_where_ollamas_is_null",
        ("/v1/models is an empty list if there are no models, where Ollama's `data` is null: clients iterate over it."),
    ),
)

ELSEWHERE = {text: test for test, text in _TOLD}
"""The name of the test by what differs."""

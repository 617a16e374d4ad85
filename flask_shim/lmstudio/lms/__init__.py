"""The ``lms`` command-line tool of LM Studio."""

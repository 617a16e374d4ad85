"""The doctor: looks at the way from a client through the shim to LM Studio, and says what is wrong and what to do.

What is asked (``asking``, ``examination``) and what is made of the answers (everything else) are kept apart: judgements
are pure. No question of the doctor's loads a model, unless that is wanted.
"""

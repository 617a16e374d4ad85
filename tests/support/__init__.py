"""What tests of several folders use.

What stands in for LM Studio, from the least to the most:

================================  ================================================================================
``apps.NoBackend``                nothing: for what must be answered without it
``listed.ListedBackend``          recorded model lists without any socket; ``routes/scripted`` adds scripted answers
``fake_backend.FakeBackend``      one function of each request: for answers that no engine gives
``remembering.Remembering``       lists, loads, unloads and downloads that it remembers, of any generation
``rude.RudeServer``, ``scripts``  a socket and what is done with it, byte by byte: for broken and slow answers
``studio.Studio``                 one that changes while it runs, is killed and comes back: for faults
``scripted``                      one that says what the last message tells it to say: for the rows of conformance
``fake_lms.FakeLms``              the ``lms`` tool beside an old one
``flask_shim.embedded``           the miniature with a real engine: for everything that works
================================  ================================================================================
"""

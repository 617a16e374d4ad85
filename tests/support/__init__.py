"""What tests of several folders use.

Three fakes stand in for LM Studio, from the least to the most:

=================================  ==========================================================================
``model_lists.ModelListBackend``   ``responses`` with recorded model lists: no socket, for units
``socket_server``, ``answers``     a socket and what is done with it, byte by byte: broken and slow answers
``fake_lmstudio.FakeLMStudio``     stateful, on such a socket: lists, loads, dies, freezes and comes back
=================================  ==========================================================================

In addition, ``apps.NoBackend`` fails when it is used, ``fake_lms.FakeLms`` is the ``lms`` tool, and
``flask_shim.embedded`` is a miniature with a real engine.
"""

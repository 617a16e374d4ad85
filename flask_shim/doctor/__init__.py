"""The doctor: check the way from a client through the shim to LM Studio, and say what is wrong and what to do.

``probe``, ``handshakes`` and ``runner`` send requests; the other modules judge responses without I/O. Only a chat
loads a model, and only if the user asks for it.
"""

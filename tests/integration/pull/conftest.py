"""A shim in front of a backend made of one function."""

from support.before_fake import backend, shim

__all__ = ["backend", "shim"]

"""A shim in front of a backend made of one function."""

from support.fake_lmstudio_fixtures import backend, shim

__all__ = ["backend", "shim"]

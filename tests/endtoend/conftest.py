"""These tests use the real engine."""

import pytest

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

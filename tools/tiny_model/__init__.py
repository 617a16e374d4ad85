"""Tiny GGUF models, made from nothing: corpus, tokenizer, network, training, files."""

from __future__ import annotations

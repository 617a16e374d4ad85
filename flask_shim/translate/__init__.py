"""Ollama's words into LM Studio's and back: pure functions, no I/O, no clock, no settings."""

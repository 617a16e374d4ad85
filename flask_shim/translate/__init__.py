"""Translate between the protocols of clients and LM Studio's: pure functions without I/O, clock or settings."""

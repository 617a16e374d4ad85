"""Ollama's API: requests into payloads, answers into records."""

"""Logs, the access log, metrics, and what is known of the current request."""

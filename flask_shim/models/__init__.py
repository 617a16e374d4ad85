"""Models as the shim manages them: names, aliases, slots, loading and keep-alive."""

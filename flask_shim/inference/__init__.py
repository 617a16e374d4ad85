"""From a translated request to a response: completions, streams, embeddings, pulls."""

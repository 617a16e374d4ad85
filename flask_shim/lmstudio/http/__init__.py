"""HTTP to LM Studio: one Session, cancellable calls, streamed answers."""

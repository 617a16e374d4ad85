"""What the shim costs, against other ways to the same backend: ``python -m tests.benchmarks`` from the repository."""

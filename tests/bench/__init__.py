"""Ratios against a bare docker-registry on the same machine (docs/performance.md): ``python -m tests.bench``."""

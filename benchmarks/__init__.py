"""Benchmarks: what a night costs, as ratios to a bare COPY of the same files on the same server in the same run."""

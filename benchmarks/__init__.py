"""Measurements of fedcli; `python -m benchmarks` takes the main ones in one run."""

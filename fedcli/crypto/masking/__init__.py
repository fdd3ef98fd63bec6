"""Exact integer sums under pairwise masks that cancel (SecAgg+)."""

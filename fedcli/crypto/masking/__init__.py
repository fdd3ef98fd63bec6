"""Exact integer sums under pairwise masks."""

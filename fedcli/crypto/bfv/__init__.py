"""Exact integer sums under encryption: a shared key, or a committee's."""

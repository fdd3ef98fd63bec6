"""Exact integer sums under BFV encryption, with a key that all parties share or a key split over a committee."""

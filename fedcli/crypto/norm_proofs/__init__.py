"""Commitments to vectors of integers, and proofs of bounds on their norm."""

"""Pedersen commitments to integer vectors, and zero-knowledge proofs that bound their Euclidean norm."""

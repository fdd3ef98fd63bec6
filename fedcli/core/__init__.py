"""The vocabulary of all packages: types, vectors, seeds, metrics, errors. NumPy and the standard library only."""

"""Sweeps: many runs of one config, each a process of its own, in one folder with an index."""

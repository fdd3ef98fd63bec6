"""Rejects unsupported combinations of components before training, and suggests a fix: one file per config section."""

"""Strict YAML: reads a file into a tree of values with their places."""

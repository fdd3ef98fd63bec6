"""Flags that several benchmarks have."""

from __future__ import annotations

import argparse
from pathlib import Path


def file_to_write(text: str) -> Path:
    """A path whose folder exists: a benchmark that took an hour must find a place for its figures.

    Raises:
        argparse.ArgumentTypeError: if the folder does not exist, or the path is a folder.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder; give the path of a file.")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.parent} does not exist; make the folder first.")
    return path

"""Coverage-guided fuzzing of the readers of files, with `atheris`, which is installed by hand.

    python benchmarks/fuzz_with_atheris.py -max_total_time=600

`pip install atheris` first (Linux, CPython 3.11 to 3.13). Whatever the bytes are, a reader returns a value or raises
a ValueError; anything else ends the fuzzing with the input in a file.
"""

from __future__ import annotations

import argparse
import sys

try:
    import atheris
except ImportError:
    # `--help` needs nothing.
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_known_args()
    sys.exit("fuzz_with_atheris.py needs atheris: pip install atheris (Linux, CPython 3.11 to 3.13).")

with atheris.instrument_imports():
    from fedcli.components.proofs.parameters import read_parameters
    from fedcli.store.files import canonical_json, manifests, npz

READERS = (canonical_json.parse, manifests.parse, npz.tree_from_bytes, read_parameters)


def read(data: bytes) -> None:
    """One input: the first byte chooses the reader."""
    if data:
        try:
            READERS[data[0] % len(READERS)](data[1:])
        except ValueError:
            return


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()

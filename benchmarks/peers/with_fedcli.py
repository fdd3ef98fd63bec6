"""The task with fedcli: `python with_fedcli.py FOLDER`; the config is in the folder, the run goes there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import fedcli


def main() -> None:
    """Run the rounds."""
    folder = Path(sys.argv[1])
    times: list[float] = []
    clock = fedcli.Callback(
        on_start=lambda _run, _records: times.append(time.perf_counter()),
        on_round_end=lambda _run, _state, _record: times.append(time.perf_counter()),
    )
    run = fedcli.run(folder / "experiment.yaml", folder=folder / "run", callbacks=[clock], progress=False)
    print(json.dumps({"times": times, "accuracy": run.records[-1]["test/accuracy"]}))


if __name__ == "__main__":
    main()

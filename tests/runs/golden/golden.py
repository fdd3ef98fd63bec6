"""The figures of every strategy on the tiny experiment, and how they are written again.

After a change that is meant to move them, run `PYTHONPATH=tests python tests/runs/golden/golden.py`, and say why in
the commit.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from built_ins import NEEDED, REQUIRED

from fedcli.components.strategies import STRATEGIES

FILE = Path(__file__).with_name("strategies.json")
DIGITS = 5


def figures(result):
    """What two rounds come to, rounded: enough digits to see a changed rule, few enough for another machine."""
    first, last = (np.load(result.folder / f"checkpoints/round-{n:05d}/weights.npz") for n in (0, 2))
    moved = np.concatenate([np.ravel(last[name].astype(np.float64) - first[name]) for name in first])
    record = result.records[-1]
    values = {
        "moved": np.linalg.norm(moved),
        "sum": moved.sum(),
        "largest": np.abs(moved).max(),
        **{name: record[name] for name in ("test/loss", "test/accuracy", "train/loss")},
    }
    if "epsilon" in record:
        values["epsilon"] = record["epsilon"]
    return {name: float(f"{value:.{DIGITS}g}") for name, value in values.items()}


TUNED = {
    "fedprox": {"mu": 1.0},
    "feddyn": {"alpha": 0.5},
    "trimmed-mean": {"trim": 0.25},
    "multi-krum": {"num_selected": 2},
    "centered-clipping": {"clip_norm": 0.2},
    "norm-bounded": {"clip_norm": 0.2},
    "dnc": {"num_byzantine": 1},
    "fedbuff": {"buffer_size": 2},
    "dp-adaptive": {"initial_clip_norm": 0.5},
}
"""Values at which the rule binds on four clients; the other parameters are those of `built_ins`."""


def experiments():
    """Name -> overrides of the tiny experiment."""
    unequal = "data.partition={name: quantity-dirichlet, clients: 4, alpha: 5.0}"
    common = ["client.epochs=2", "privacy.reproducible_noise=true", "model.dropout=0.1", unequal]
    return {name: [f"strategy={_written(name)}", *common, *NEEDED[name]] for name in STRATEGIES}


def _written(name):
    # A flow mapping of YAML may be written as JSON.
    return json.dumps({"name": name, **REQUIRED[name], **TUNED.get(name, {})})


def main():
    """Write the file again."""
    import tiny

    from fedcli.runs import lifecycle

    written = {}
    for name, overrides in experiments().items():
        with TemporaryDirectory() as folder:
            written[name] = figures(lifecycle.start_run(tiny.source(*overrides), Path(folder) / "run"))
    FILE.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

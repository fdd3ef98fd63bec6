"""The figures of every strategy on the tiny experiment, and how they are written again.

After a change that is meant to move them: `python tests/golden/golden.py`, and say why in the commit.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

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


def experiments():
    """Name -> overrides of the tiny experiment."""
    strategies = {
        "fedavg": "fedavg",
        "mean": "mean",
        "weighted": "weighted",
        "fedsgd": "fedsgd",
        "fedprox": "{name: fedprox, mu: 1.0}",
        "fedavgm": "fedavgm",
        "fedadam": "fedadam",
        "scaffold": "scaffold",
        "fednova": "fednova",
        "feddyn": "{name: feddyn, alpha: 0.5}",
        "moon": "moon",
        "fedbn": "fedbn",
        "fedper": "{name: fedper, personal: head/*}",
        "fedrep": "{name: fedrep, personal: head/*}",
        "ditto": "ditto",
        "apfl": "apfl",
        "fedadagrad": "fedadagrad",
        "fedyogi": "fedyogi",
        "qfedavg": "qfedavg",
        "median": "median",
        "trimmed-mean": "{name: trimmed-mean, trim: 0.25}",
        "krum": "{name: krum, num_byzantine: 0}",
        "multi-krum": "{name: multi-krum, num_byzantine: 0, num_selected: 2}",
        "bulyan": "{name: bulyan, num_byzantine: 0}",
        "geometric-median": "geometric-median",
        "centered-clipping": "{name: centered-clipping, clip_norm: 0.2}",
        "norm-bounded": "{name: norm-bounded, clip_norm: 0.2}",
        "sign-guard": "sign-guard",
        "dnc": "{name: dnc, num_byzantine: 1}",
        "fedbuff": "{name: fedbuff, buffer_size: 2}",
        "dp-clipped": "{name: dp-clipped, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
        "dp-adaptive": "{name: dp-adaptive, initial_clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
        "dp-per-layer": "{name: dp-per-layer, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
        "dp-distributed": "{name: dp-distributed, clip_norm: 0.5, contributors: 3, noise_multiplier: 1.0, delta: 1e-3}",
        "dp-local": "{name: dp-local, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
        "dp-ftrl": "{name: dp-ftrl, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
        "dp-banded": "{name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}",
        "dp-sgd": "{name: dp-sgd, clip_norm: 0.5, noise_multiplier: 1.0, rate: 0.4, steps: 3, "
        "expected_batch_size: 4, delta: 1.0e-3}",
    }
    unequal = "data.partition={name: quantity-dirichlet, clients: 4, alpha: 5.0}"
    common = ["client.epochs=2", "privacy.reproducible_noise=true", "model.dropout=0.1", unequal]
    needed = {
        **{name: ["cohort=full"] for name in ("dp-clipped", "dp-adaptive", "dp-per-layer")},
        "fedbn": ["model.batchnorm=true", "model.non_trainable=local"],
        "fedbuff": ["devices={name: lognormal}"],
        "dp-banded": ["cohort={name: min-separation, separation: 2}"],
    }
    return {
        name: [f"strategy={written}", *common, *needed.get(name, [])] for name, written in strategies.items()
    }


def main():
    """Write the file again."""
    sys.path.insert(0, str(FILE.parents[1]))
    import tiny

    from fedcli.runs import lifecycle

    written = {}
    for name, overrides in experiments().items():
        with TemporaryDirectory() as folder:
            written[name] = figures(lifecycle.start_run(tiny.source(*overrides), Path(folder) / "run"))
    FILE.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

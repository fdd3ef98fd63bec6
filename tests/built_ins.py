"""What the built-in strategies need to be tried on a handful of clients."""

REQUIRED = {
    "fedbuff": {"buffer_size": 4},
    "dp-clipped": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-ftrl": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-banded": {"clip_norm": 0.5, "noise_multiplier": 1.0, "bands": 2, "delta": 1e-3},
    "dp-sgd": {
        "clip_norm": 0.5,
        "noise_multiplier": 1.0,
        "rate": 0.4,
        "steps": 3,
        "expected_batch_size": 4,
        "delta": 1e-3,
    },
    "dp-adaptive": {"noise_multiplier": 1.0, "delta": 1e-3},
    "dp-per-layer": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-local": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-distributed": {"clip_norm": 0.5, "contributors": 3, "noise_multiplier": 1.0, "delta": 1e-3},
    "fedper": {"personal": "head/*"},
    "fedrep": {"personal": "head/*"},
    "trimmed-mean": {"trim": 0.4},
    "krum": {"num_byzantine": 0},
    "multi-krum": {"num_byzantine": 0},
    "bulyan": {"num_byzantine": 0},
    "dnc": {"num_byzantine": 1},
    "norm-bounded": {"clip_norm": 1.0},
}
"""Parameters that a strategy has no default for, or whose default is for more clients."""

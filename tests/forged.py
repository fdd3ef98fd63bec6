"""Run directories that somebody forged who knows the format: each is consistent in itself, and no run wrote it.

`FORGERIES` has one function a directory. It changes a copy of the audited run; the manifests are written anew after it.
"""

import json
import shutil

import numpy as np
from audited import edit, published_mean

from fedcli.store.files import npz


def rewrite(run, *changes):
    """Replace texts of config.yaml, each of which must be there."""
    path = run / "config.yaml"
    text = path.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


def without(run, section):
    """Remove a section of config.yaml."""
    path = run / "config.yaml"
    lines, kept, inside = path.read_text().splitlines(keepends=True), [], False
    for line in lines:
        inside = line.startswith(f"{section}:") or (inside and line.startswith(" "))
        kept += [] if inside else [line]
    assert len(kept) < len(lines)
    path.write_text("".join(kept))


def moved(run, by):
    """Add a number to every weight of every model after the first."""
    for folder in sorted((run / "checkpoints").glob("round-*"))[1:]:
        for name in ("weights.npz", "average.npz"):
            path = folder / name
            arrays = {each: array + by for each, array in npz.read_arrays(path).items()}
            path.write_bytes(npz.to_bytes({each: array.astype(np.float32) for each, array in arrays.items()}))


def any_model(run):
    """All weights + 7, under `proofs` without `fixed_point`."""
    without(run, "fixed_point")
    moved(run, 7)


def a_larger_bound(run):
    """A run of `LARGER`, whose clients proved a bound 2^10 times larger, without that `fixed_point` in the config."""
    without(run, "fixed_point")


def sums_of_two(run):
    """Sums of two clients, under a config by which no sum of fewer than three is opened."""
    path = run / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_clients": 20}, indent=1) + "\n")
    rewrite(run, ("clients: 2", "clients: 20"), ("encryption: null", "encryption: {name: secagg}"))
    for round in (1, 3):
        edit(run, round, share=0.1)


def moved_statistics(run):
    """Statistics of BatchNorm that move from one model to the next, about which nothing is proved."""
    for folder in sorted((run / "checkpoints").glob("round-*")):
        said = json.loads((folder / "manifest.json").read_text())
        said["arrays"]["statistics"] = ["averages"]
        (folder / "manifest.json").write_text(json.dumps(said))
        for name in ("weights.npz", "average.npz"):
            if (folder / name).exists():
                averages = np.full(2, said["round"], np.float32)
                arrays = {**npz.read_arrays(folder / name), "averages": averages}
                (folder / name).write_bytes(npz.to_bytes(arrays))


def no_proofs(run):
    """All weights + 7, without `proofs` in the config; the folder of proofs is left."""
    without(run, "proofs")
    moved(run, 7)


def nothing_left(run):
    """All weights + 7, without `proofs` in the config and without the folder of proofs."""
    no_proofs(run)
    shutil.rmtree(run / "proofs")


def own_strategy(run):
    """All weights + 7, with a custom strategy in the config."""
    rewrite(run, ("name: fedavgm", "name: x:y"))
    moved(run, 7)


def too_many(run):
    """A run of `MANY`: a fixed cohort of one, all clients in the sum, and a divisor of 1, by which the model moves."""
    rewrite(run, ("name: full", "name: uniform, size: 1"))
    count = json.loads((run / "environment.json").read_text())["num_clients"]
    model = count * published_mean(run, 1)
    edit(run, 1, divisor=1.0, share=1 / count)
    path = run / "checkpoints/round-00001/weights.npz"
    path.write_bytes(npz.to_bytes({"w": model.astype(np.float32)}))


FORGERIES = {
    each.__name__: each
    for each in (
        any_model,
        sums_of_two,
        moved_statistics,
        no_proofs,
        nothing_left,
        own_strategy,
    )
}
LARGER = ("fixed_point.clip_norm=10240.0", "rounds=1")
"""Settings of the run that `a_larger_bound` forges."""
MANY = (
    "strategy={name: dp-clipped, clip_norm: 0.5, noise_multiplier: 0.5, delta: 1.0e-3}",
    "cohort=full",
    "fixed_point={bits: 16}",
    "average=null",
    "rounds=1",
)
"""Settings of the run that `too_many` forges: one round of as many clients as there are."""

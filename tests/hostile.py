"""Run directories that would harm whoever opens them: each a change to a copy of a sound run.

`HOSTILE` has one function a directory, with what is said about it. Where the manifests could be written anew, they are:
the digests hold, as they do for somebody who knows the format.
"""

import io
import json
import os
import zipfile

import numpy as np
from audited import edit, rehash
from kept_runs import forge_manifest

from fedcli.store.files import manifests, npz

LAST = "checkpoints/round-00003"


def far_folder(run):
    """A folder of a round that no run reaches."""
    (run / "checkpoints/round-99999999999").mkdir()


def far_round(run):
    """A checkpoint of a late round, which is sound in itself: all rounds before it have no evidence."""
    last = run / LAST
    copy = run / "checkpoints/round-999999999"
    copy.mkdir()
    for path in last.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    facts = json.loads((copy / "manifest.json").read_text())
    previous = manifests.digest(last)
    for name in ("sha256", "previous", "self"):
        del facts[name]
    facts |= {"round": 999_999_999, "follows": 3}
    files = [path.name for path in last.iterdir() if path.name != "manifest.json"]
    forge_manifest(copy, files, facts=facts, previous=previous)


def linked(run, place, target):
    path = run / place
    if path.is_dir():
        path.rename(run.parent / path.name)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def pipe(run):
    """A named pipe in the place of environment.json."""
    (run / "environment.json").unlink()
    os.mkfifo(run / "environment.json")


def pipe_of_config(run):
    """A named pipe in the place of config.yaml."""
    (run / "config.yaml").unlink()
    os.mkfifo(run / "config.yaml")


def endless_log(run):
    """A log that is linked to a file without an end."""
    linked(run, "metrics.jsonl", "/dev/zero")


def endless_config(run):
    """The same of config.yaml."""
    linked(run, "config.yaml", "/dev/zero")


def endless_weights(run):
    """The same of the weights of the last model."""
    linked(run, f"{LAST}/weights.npz", "/dev/zero")


def linked_checkpoints(run):
    """All checkpoints are outside the run directory."""
    linked(run, "checkpoints", run.parent / "checkpoints")


def deflated(run):
    """A compressed file of arrays, which is a thousand times larger when it is read."""
    path = run / LAST / "weights.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        content = io.BytesIO()
        np.save(content, np.zeros(1_000_000, np.float32))
        archive.writestr("w.npy", content.getvalue())
    rehash(run)


def large_header(run):
    """An array whose header says that it has 10^13 numbers."""
    path = run / LAST / "weights.npz"
    content = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(content, "w") as forged:
        for name in archive.namelist():
            header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }\n"
            forged.writestr(zipfile.ZipInfo(name), b"\x93NUMPY\x01\x00" + bytes([len(header), 0]) + header)
    path.write_bytes(content.getvalue())
    rehash(run)


def many_bands(run):
    """A config that asks for two billion coefficients."""
    path = run / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if line.startswith("strategy:"))
    end = next(index for index in range(start + 1, len(lines)) if not lines[index].startswith(" "))
    strategy = (
        "strategy: {name: dp-banded, clip_norm: 1.0, noise_multiplier: 1.0, delta: 0.1, bands: 2000000000}\n"
    )
    path.write_text("".join([*lines[:start], strategy, *lines[end:]]))
    rehash(run)


def array_and_folder(run):
    """An array `server` beside the array `server/velocity`."""
    with_arrays(run, server=np.zeros(1))


def average_without_sum(run):
    """An average of the models without its sum."""
    path = run / LAST / "state.npz"
    arrays = npz.read_arrays(path)
    del arrays["average/sum"]
    path.write_bytes(npz.to_bytes(arrays))
    rehash(run)


def with_arrays(run, **more):
    path = run / LAST / "state.npz"
    path.write_bytes(npz.to_bytes({**npz.read_arrays(path), **more}))
    rehash(run)


def arrays_of_5(run):
    """A manifest whose list of arrays is the number 5."""
    with_facts(run, arrays={"trainable": 5, "statistics": [], "frozen": [], "personal": []})


def with_facts(run, **changes):
    path = run / LAST / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    rehash(run)


def huge_size(run):
    """A vector of 10^400 integers."""
    edit(run, 3, size=10**400)
    rehash(run)


def same_key_twice(run):
    """A key of environment.json comes twice; of two readers, each could take another one."""
    path = run / "environment.json"
    path.write_text(path.read_text().replace('"num_clients": 2', '"num_clients": 9,\n "num_clients": 2'))
    rehash(run)


def ten_and_ten_point_zero(run):
    """Another text of the same number, and so another digest of the same statement."""
    path = run / "proofs/round-00003/parameters.json"
    text = path.read_text()
    assert ("10.0" in text) != ('"clip_norm":10,' in text)
    path.write_text(
        text.replace("10.0", "10") if "10.0" in text else text.replace('"clip_norm":10,', '"clip_norm":10.0,')
    )
    rehash(run)


def float_round(run):
    """A round that is written as 3.0."""
    with_facts(run, round=3.0)


REFUSED = {
    far_folder: "checkpoints/round-99999999999 is not a file of the run",
    far_round: "no files of rounds 4 to 999,999,999",
    pipe: "environment.json is not a file: it is a named pipe",
    pipe_of_config: "config.yaml is not a file: it is a named pipe",
    endless_log: "metrics.jsonl is not a file: it is a symbolic link, which is not followed",
    endless_config: "config.yaml is not a file: it is a symbolic link, which is not followed",
    endless_weights: "weights.npz is not a file: it is a symbolic link, which is not followed",
    linked_checkpoints: "checkpoints is not a folder: it is a symbolic link, which is not followed",
    deflated: "weights.npz cannot be read as an .npz of plain arrays: its member 'w.npy' is compressed or encrypted",
    large_header: "has 0 bytes, which are not an array of float32 and the shape (10000000000000,)",
    many_bands: "bands is at most 10,000; received 2000000000",
    array_and_folder: "state.npz is not the state of a run: it has an array that is named as the beginning",
    average_without_sum: "state.npz has an average of the model without its sum and weight",
    arrays_of_5: "manifest.json does not say which arrays the model has",
    huge_size: "parameters.json has an integer of 1,329 bits",
    same_key_twice: "environment.json has the key 'num_clients' twice",
    ten_and_ten_point_zero: "parameters.json is not written in its canonical form",
    float_round: "manifest.json is of round 3.0 and is in the folder of round 3",
}
"""Each directory, with a part of what `verify` says about it."""

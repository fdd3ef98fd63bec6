"""The laws that hold for every aggregator."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from rounds_by_hand import noise, updates_of, value_of

from fedcli.components.aggregators import AGGREGATORS
from fedcli.core.errors import ConfigError
from fedcli.testing import check_aggregator

PARAMETERS = {
    "discounted-mean": {},
    "mean": {},
    "median": {},
    "trimmed-mean": {"trim": 0.2},
    "krum": {"num_byzantine": 1},
    "multi-krum": {"num_byzantine": 1},
    "bulyan": {"num_byzantine": 1},
    "geometric-median": {},
    "centered-clipping": {"num_iterations": 2},
    "norm-bounding": {"clip_norm": 50.0},
    "sign-guard": {"coordinate_share": 0.5},
    "dnc": {"num_byzantine": 1, "num_coordinates": 2},
}
RULES = {name: factory(**PARAMETERS[name]) for name, factory in AGGREGATORS.items()}
RULES["centered-clipping-streamed"] = AGGREGATORS["centered-clipping"]()
STREAMED = {"mean", "discounted-mean", "norm-bounding", "centered-clipping-streamed"}

every_rule = pytest.mark.parametrize("name", RULES)


def test_every_aggregator_is_held_to_these_laws():
    assert PARAMETERS.keys() == AGGREGATORS.keys()


@every_rule
def test_it_says_what_it_takes(name):
    part = RULES[name]
    assert part.name == name.removesuffix("-streamed")
    assert part.accepts == (("vector", "integers") if name == "mean" else ("vector",))
    assert part.is_sum == (name in ("mean", "discounted-mean"))
    assert part.min_clients >= 1


@every_rule
def test_it_declares_whether_weights_change_the_result(name):
    vectors = noise(9, 11, 3).tolist()
    equal, unequal = (value_of(RULES[name], vectors, weights=w) for w in (None, [1.0 + k for k in range(11)]))
    assert (equal.tobytes() != unequal.tobytes()) == RULES[name].uses_weights


@every_rule
def test_it_keeps_the_public_laws(name):
    check_aggregator(RULES[name], exact_order=name not in STREAMED)


@every_rule
def test_a_single_client_gives_its_update_or_leaves_the_model(name):
    part = RULES[name]
    value = value_of(part, [[0.5, -1.5]])
    if part.min_clients == 1:
        assert value.tolist() == [0.5, -1.5]
    else:
        assert value is None


@every_rule
def test_only_the_rules_that_say_so_heed_weights(name):
    rows, weights = noise(6, 9, 4), [1, 1, 1, 1, 1, 1, 1, 1, 9]
    weighted, plain = value_of(RULES[name], rows, weights), value_of(RULES[name], rows)
    heeds = name in {"mean", "discounted-mean", "geometric-median", "norm-bounding"}
    assert np.array_equal(weighted, plain) != heeds


@pytest.mark.parametrize("name", [name for name in RULES if name not in STREAMED])
def test_collecting_takes_the_memory_of_the_updates_and_little_more(name):
    count, size = 50, 200_000
    part, rng = RULES[name], np.random.default_rng(8)
    template = updates_of(np.zeros((1, 1)))[0]

    def stream():
        for client in range(count):
            payload = rng.standard_normal(size, dtype=np.float32)
            yield type(template)(**{**vars(template), "client": client, "payload": payload})

    tracemalloc.start()
    try:
        part.aggregate(stream(), size, part.init(size))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * count * size * 4


@pytest.mark.parametrize("name", sorted(STREAMED))
def test_streaming_holds_a_few_vectors_however_many_clients_there_are(name):
    count, size = 50, 100_000
    part, template = RULES[name], updates_of(np.zeros((1, 1)))[0]

    def stream():
        for client in range(count):
            payload = np.full(size, client, np.float32)
            yield type(template)(**{**vars(template), "client": client, "payload": payload})

    tracemalloc.start()
    try:
        part.aggregate(stream(), size, part.init(size))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * size * 4


_DIGEST = """
import hashlib, sys
sys.path[:0] = sys.argv[1:]
from rounds_by_hand import noise, value_of
from test_conformance import RULES
rows = noise(9, 40, 9000)
for name, part in RULES.items():
    print(name, hashlib.sha256(value_of(part, rows).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_bits_do_not_depend_on_the_number_of_threads():
    def digests(threads):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, threads)}
        command = [sys.executable, "-c", _DIGEST, os.path.dirname(__file__)]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert len(digests("1").splitlines()) == len(RULES)
    assert digests("1") == digests("4")


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("trimmed-mean", {"trim": 0.5}, "trim"),
        ("trimmed-mean", {"trim": 0.0}, "trim"),
        ("trimmed-mean", {"trim": -0.1}, "trim"),
        ("trimmed-mean", {"trim": float("nan")}, "trim"),
        ("krum", {"num_byzantine": -1}, "num_byzantine"),
        ("multi-krum", {"num_byzantine": -1}, "num_byzantine"),
        ("multi-krum", {"num_byzantine": 1, "num_selected": 0}, "num_selected"),
        ("bulyan", {"num_byzantine": -1}, "num_byzantine"),
        ("geometric-median", {"num_iterations": 0}, "num_iterations"),
        ("geometric-median", {"smoothing": 0.0}, "smoothing"),
        ("geometric-median", {"smoothing": float("inf")}, "smoothing"),
        ("centered-clipping", {"clip_norm": 0.0}, "clip_norm"),
        ("centered-clipping", {"num_iterations": 0}, "num_iterations"),
        ("norm-bounding", {"clip_norm": -1.0}, "clip_norm"),
        ("sign-guard", {"lower": 1.5}, "lower"),
        ("sign-guard", {"upper": 0.5}, "upper"),
        ("sign-guard", {"coordinate_share": 0.0}, "coordinate_share"),
        ("sign-guard", {"coordinate_share": 1.5}, "coordinate_share"),
        ("dnc", {"num_byzantine": -1}, "num_byzantine"),
        ("dnc", {"num_byzantine": 1, "num_iterations": 0}, "num_iterations"),
        ("dnc", {"num_byzantine": 1, "num_coordinates": 0}, "num_coordinates"),
        ("dnc", {"num_byzantine": 1, "filter_fraction": 0.0}, "filter_fraction"),
        ("dnc", {"num_byzantine": 1, "filter_fraction": float("inf")}, "filter_fraction"),
    ],
)
def test_parameters_outside_their_range_are_refused_by_name(name, parameters, key):
    with pytest.raises(ConfigError, match="received") as caught:
        AGGREGATORS[name](**parameters)
    assert caught.value.key == key
    assert key in str(caught.value)

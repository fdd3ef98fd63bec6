"""The laws that hold for every aggregator."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rounds_by_hand import FEW, noise, updates_of, value_of, vectors

from fedcli.aggregators import AGGREGATORS
from fedcli.core.errors import ConfigError
from fedcli.core.trees import from_table, to_table

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
    assert part.accepts == ("vector",)
    assert part.is_sum == (name in ("mean", "discounted-mean"))
    assert part.min_clients >= 1


@every_rule
@FEW
@given(st.data())
def test_a_permutation_of_the_clients_changes_nothing(name, data):
    # Whole numbers make ties: equal distances, equal scores, equal updates.
    grid = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 0.1])
    rows = data.draw(vectors(9, size=4, values=grid))
    weights = data.draw(st.lists(st.sampled_from([1.0, 2.0, 7.0]), min_size=9, max_size=9))
    order = data.draw(st.permutations(range(9)))
    part = RULES[name]
    before = value_of(part, rows, weights)
    after = value_of(part, rows[order], [weights[i] for i in order])
    if before is None or after is None:
        assert before is after
    elif name in STREAMED:
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-14)
    else:
        assert after.tobytes() == before.tobytes()


@every_rule
def test_who_the_clients_are_changes_no_bit(name):
    part, rows = RULES[name], noise(1, 9, 5)
    plain, _ = part.aggregate(updates_of(rows), 5, part.init(5))
    renamed, _ = part.aggregate(updates_of(rows, clients=range(900, 0, -100)), 5, part.init(5))
    assert plain.value.tobytes() == renamed.value.tobytes()


@every_rule
def test_identical_updates_give_that_update(name):
    update = np.array([0.1, -3.3, 1e-20, 0.0, 7.0], np.float32)
    value = value_of(RULES[name], [update] * 11)
    assert value.astype(np.float32).tolist() == update.tolist()


@every_rule
def test_a_single_client_gives_its_update_or_leaves_the_model(name):
    part = RULES[name]
    value = value_of(part, [[0.5, -1.5]])
    if part.min_clients == 1:
        assert value.tolist() == [0.5, -1.5]
    else:
        assert value is None


@every_rule
def test_an_empty_stream_leaves_the_model_and_the_state(name):
    part = RULES[name]
    state = part.init(3)
    aggregate, after = part.aggregate(iter([]), 3, state)
    assert aggregate.weight == 0
    assert aggregate.value.tolist() == [0, 0, 0]
    assert after is state


@every_rule
def test_min_clients_is_where_the_rule_begins(name):
    part = RULES[name]
    state = part.init(3)
    enough = noise(2, part.min_clients, 3)
    assert value_of(part, enough) is not None
    aggregate, after = part.aggregate(updates_of(enough[1:]), 3, state)
    assert (aggregate.weight, aggregate.value.any()) == (0, False)
    assert after is state


@every_rule
def test_a_list_and_a_stream_give_the_same_bits_and_arguments_stay_as_they_were(name):
    part, rows = RULES[name], noise(3, 20, 7)
    state = part.init(7)
    kept = to_table(state)
    before = {path: value.copy() for path, value in kept.items()}
    updates = updates_of(rows.copy())
    first, _ = part.aggregate(updates, 7, state)
    second, _ = part.aggregate((update for update in updates_of(rows)), 7, state)
    assert first.value.tobytes() == second.value.tobytes()
    assert first.value.dtype in (np.float32, np.float64)
    assert all(np.array_equal(update.payload, row) for update, row in zip(updates, rows, strict=True))
    assert all(np.array_equal(value, before[path]) for path, value in to_table(state).items())


@every_rule
def test_the_state_can_be_written_down_between_rounds(name):
    part = RULES[name]
    _, state = part.aggregate(updates_of(noise(4, 9, 6)), 6, part.init(6))
    reread = from_table({path: np.array(value) for path, value in to_table(state).items()})
    second = updates_of(noise(5, 9, 6))
    in_memory, left = part.aggregate(second, 6, state)
    resumed, right = part.aggregate(second, 6, reread)
    assert in_memory.value.tobytes() == resumed.value.tobytes()
    assert {path: value.tolist() for path, value in to_table(left).items()} == {
        path: value.tolist() for path, value in to_table(right).items()
    }


@every_rule
def test_only_the_rules_that_say_so_heed_weights(name):
    rows, weights = noise(6, 9, 4), [1, 1, 1, 1, 1, 1, 1, 1, 9]
    weighted, plain = value_of(RULES[name], rows, weights), value_of(RULES[name], rows)
    heeds = name in {"mean", "discounted-mean", "geometric-median", "norm-bounding"}
    assert np.array_equal(weighted, plain) != heeds


@every_rule
def test_updates_of_any_finite_size_give_finite_values(name):
    largest = np.finfo(np.float32).max
    rows = noise(7, 9, 3)
    rows[0], rows[1], rows[2] = largest, -largest, [largest, -largest, largest]
    assert np.isfinite(value_of(RULES[name], rows)).all()


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

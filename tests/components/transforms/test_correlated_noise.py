"""Noise of DP-FTRL: its covariance over rounds is that of the dense matrices, its secret stays apart."""

import math
import random

import numpy as np
import pytest
from scipy import stats

from fedcli.components.transforms import banded_noise, tree_noise
from fedcli.components.transforms.banded_noise import banded_square_root
from fedcli.components.transforms.tree_noise import changed_nodes
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import BandedEvent, TreeEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.types import SECRET
from fedcli.privacy import accountant_for
from fedcli.privacy.correlated import tree_sensitivity_squared

SIZE, ROUNDS = 3000, 11


def context(round, *, reproducible=True, root=7):
    return RoundContext(root=root, round=round, reproducible_noise=reproducible)


def drawn(part, rounds=ROUNDS, *, size=SIZE, void=(), **how):
    """The noise of each round [T, P], and the state after the last."""
    state, rows = part.init(size), []
    for round in range(1, rounds + 1):
        if round not in void:
            aggregate, state = part.decode(Aggregate(np.zeros(size), 1.0), state, context(round, **how))
            rows.append(aggregate.value)
    return np.array(rows), state


@pytest.fixture
def lasting_secrets(monkeypatch):
    """Keys as the operating system draws them, but the same in every run of the tests, so that none is lucky."""
    monkeypatch.setattr("secrets.token_bytes", random.Random(5).randbytes)


def assert_has_covariance(noise, covariance):
    """Chi-square of the whitened noise, as a whole and of each round, and no round's follows from another's."""
    white = np.linalg.solve(np.linalg.cholesky(covariance), noise)
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], white.size)
    assert low < np.square(white).sum() < high
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], white.shape[1])
    assert all(low < np.square(row).sum() < high for row in white)
    products = white @ white.T / math.sqrt(white.shape[1])
    assert np.abs(products[np.triu_indices(len(white), 1)]).max() < 5


def node_matrix(rounds):
    """Rows: running sums. Columns: the nodes (first leaf, last leaf) that cover them, by the binary digits."""
    covers = []
    for t in range(1, rounds + 1):
        start, nodes = 0, []
        for height in reversed(range(rounds.bit_length())):
            if t >> height & 1:
                nodes.append((start + 1, start + 2**height))
                start += 2**height
        covers.append(nodes)
    names = sorted({node for nodes in covers for node in nodes})
    return np.array([[float(node in nodes) for node in names] for nodes in covers]), names


def differences(matrix):
    return np.diff(matrix, axis=0, prepend=np.zeros((1, matrix.shape[1])))


def square_root(rounds, bands):
    """The dense banded matrix C."""
    column = np.array([math.comb(2 * k, k) / 4**k for k in range(bands)])
    dense = sum(np.diag(np.full(rounds - k, value), -k) for k, value in enumerate(column[:rounds]))
    return dense / np.linalg.norm(column)


@pytest.mark.parametrize("reproducible", [True, False])
def test_the_tree_adds_the_differences_of_its_running_sums(reproducible, lasting_secrets):
    noise, _ = drawn(tree_noise(noise_multiplier=2.0, clip_norm=0.5), reproducible=reproducible)
    matrix = differences(node_matrix(ROUNDS)[0])
    assert_has_covariance(noise, matrix @ matrix.T)


@pytest.mark.parametrize("rounds", [1, 2, 7, 8, 11])
def test_the_noise_on_a_running_sum_is_one_node_for_each_one_among_the_digits(rounds):
    noise, _ = drawn(tree_noise(noise_multiplier=1.0, clip_norm=1.0), rounds)
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], SIZE)
    assert low < np.square(noise.sum(axis=0)).sum() / bin(rounds).count("1") < high


def test_changed_nodes_are_the_difference_of_two_coverings():
    matrix, names = node_matrix(20)
    for leaf, row in enumerate(differences(matrix), start=1):
        expected = {(int(sign), names[i]) for i, sign in enumerate(row) if sign}
        found = {(sign, (n * 2**h + 1, (n + 1) * 2**h)) for sign, (h, n) in changed_nodes(leaf)}
        assert found == expected


def test_the_accountant_counts_at_least_the_nodes_that_are_drawn():
    for rounds in (1, 2, 7, 8, 13):
        nodes = {(h, n) for leaf in range(1, rounds + 1) for sign, (h, n) in changed_nodes(leaf) if sign > 0}
        once = max(sum(n * 2**h < leaf <= (n + 1) * 2**h for h, n in nodes) for leaf in range(1, rounds + 1))
        assert tree_sensitivity_squared(rounds, separation=rounds) == once
        # It counts right children as well, which the running sums never use.
        assert tree_sensitivity_squared(rounds) >= sum(4**h for h, _ in nodes)


def test_a_restarted_tree_is_a_new_one():
    noise, _ = drawn(tree_noise(noise_multiplier=1.0, clip_norm=1.0, restart_every=3), 6)
    block = differences(node_matrix(3)[0])
    covariance = np.kron(np.eye(2), block @ block.T)
    assert_has_covariance(noise, covariance)
    whole, _ = drawn(tree_noise(noise_multiplier=1.0, clip_norm=1.0), 3)
    assert np.array_equal(noise[:3], whole)


@pytest.mark.parametrize("bands", [1, 2, 4, 20])
@pytest.mark.parametrize("reproducible", [True, False])
def test_the_banded_noise_times_its_matrix_is_independent(bands, reproducible, lasting_secrets):
    part = banded_noise(noise_multiplier=2.0, clip_norm=0.5, bands=bands)
    noise, _ = drawn(part, reproducible=reproducible)
    inverse = np.linalg.inv(square_root(ROUNDS, bands))
    assert_has_covariance(noise, inverse @ inverse.T)


def test_columns_have_norm_one_and_without_a_band_the_square_is_the_running_sum():
    for bands in (1, 3, 8):
        assert np.linalg.norm(banded_square_root(bands)) == pytest.approx(1)
    column = banded_square_root(30)
    assert np.convolve(column, column)[:30] == pytest.approx(np.full(30, column[0] ** 2))


def test_bands_make_the_noise_on_the_running_sum_smaller():
    part = banded_noise(noise_multiplier=1.0, clip_norm=1.0, bands=8)
    sums = np.cumsum(drawn(part, 16)[0], axis=0)
    dense = np.tril(np.ones((16, 16))) @ np.linalg.inv(square_root(16, 8))
    expected = np.square(dense).sum(axis=1)
    np.testing.assert_allclose(np.square(sums).mean(axis=1), expected, rtol=0.15)
    assert expected[-1] < 16 / 2


def test_after_a_void_round_the_bands_begin_again():
    part = banded_noise(noise_multiplier=1.0, clip_norm=1.0, bands=3)
    noise, _ = drawn(part, 8, void=(4,))
    blocks = np.zeros((7, 7))
    blocks[:3, :3], blocks[3:, 3:] = square_root(3, 3), square_root(4, 3)
    inverse = np.linalg.inv(blocks)
    assert_has_covariance(noise, inverse @ inverse.T)
    # Two blocks cost no more: no column is longer, and turns that are `bands` rounds apart do not overlap.
    assert np.linalg.norm(blocks, axis=0).max() <= 1 + 1e-12


def test_a_void_round_leaves_the_rest_of_the_tree_as_it_was():
    part = tree_noise(noise_multiplier=1.0, clip_norm=1.0)
    assert np.array_equal(drawn(part, 8, void=(4,))[0], np.delete(drawn(part, 8)[0], 3, axis=0))


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_a_secret_state_holds_the_rows_that_the_next_round_needs(bands):
    part = banded_noise(noise_multiplier=1.0, clip_norm=1.0, bands=bands)
    noise, state = drawn(part, 7, size=4)
    assert state.keys() == {SECRET}
    assert np.array_equal(state[SECRET]["rows"], noise[8 - bands :] if bands > 1 else noise[:0])
    assert state[SECRET]["round"] == 7


def test_the_trees_key_is_drawn_once_and_not_at_all_where_noise_is_reproducible():
    part = tree_noise(noise_multiplier=1.0, clip_norm=1.0)
    _, first = drawn(part, 1, size=4, reproducible=False)
    _, later = part.decode(Aggregate(np.zeros(4), 1.0), first, context(2, reproducible=False))
    assert np.array_equal(first[SECRET]["key"], later[SECRET]["key"])
    assert len(first[SECRET]["key"]) == 32
    assert drawn(part, 3, size=4)[1] == {}


BOTH = pytest.mark.parametrize(
    "make",
    [tree_noise, lambda **settings: banded_noise(bands=3, **settings)],
    ids=["tree", "banded"],
)


@BOTH
def test_without_noise_and_clip_no_bit_changes(make):
    value = np.array([0.1, -0.0, 1e300])
    part = make(noise_multiplier=0.0, clip_norm=math.inf)
    aggregate, state = part.decode(Aggregate(value, 2.0), {}, context(1))
    assert (aggregate.value.tobytes(), aggregate.weight, state) == (value.tobytes(), 2.0, {})


@BOTH
def test_noise_of_the_operating_system_never_repeats_and_that_of_the_seed_always_does(make):
    part = make(noise_multiplier=1.0, clip_norm=1.0)
    assert not np.array_equal(drawn(part, 4, reproducible=False)[0], drawn(part, 4, reproducible=False)[0])
    assert np.array_equal(drawn(part, 4)[0], drawn(part, 4)[0])
    assert not np.array_equal(drawn(part, 4)[0], drawn(part, 4, root=8)[0])


@BOTH
@pytest.mark.parametrize(("norm", "admitted"), [(1.0, True), (1.5, False), (math.nan, False)])
def test_an_update_that_the_noise_does_not_cover_is_refused(make, norm, admitted):
    payload = np.array([norm, 0.0], np.float32)
    update = ClientUpdate(3, payload, 1.0, 5, payload[:0], {}, {}, payload.nbytes, 0.1)
    reason = make(noise_multiplier=1.0, clip_norm=1.0).admit(update, {}, context(1))
    assert (reason is None) == admitted


def test_the_accountant_is_told_what_is_drawn():
    assert tree_noise(noise_multiplier=2.0, clip_norm=0.5, restart_every=4).privacy == TreeEvent(2.0, 0.5, 4)
    assert banded_noise(noise_multiplier=2.0, clip_norm=0.5, bands=3).privacy == BandedEvent(2.0, 0.5, 3)


def test_a_cohort_that_does_not_fit_is_refused():
    event = BandedEvent(1.0, 1.0, 4)
    for sampling in (
        Sampling("full", 10, size=10),
        Sampling("poisson", 10, rate=0.5),
        Sampling("min-separation", 10, separation=3),
    ):
        with pytest.raises(ConfigError, match="waits as long") as caught:
            accountant_for(event, sampling)
        assert caught.value.key == "cohort"
    with pytest.raises(ConfigError, match="gains nothing from random cohorts"):
        accountant_for(TreeEvent(1.0, 1.0), Sampling("min-separation", 10, separation=3, rate=0.5))


@pytest.mark.parametrize(
    ("make", "changes", "key"),
    [
        (tree_noise, {"noise_multiplier": -1.0}, "noise_multiplier"),
        (tree_noise, {"clip_norm": math.inf}, "clip_norm"),
        (tree_noise, {"restart_every": 0}, "restart_every"),
        (banded_noise, {"noise_multiplier": math.nan, "bands": 2}, "noise_multiplier"),
        (banded_noise, {"clip_norm": 0.0, "bands": 2}, "clip_norm"),
        (banded_noise, {"bands": 0}, "bands"),
    ],
)
def test_parameters_without_meaning_are_refused_by_name(make, changes, key):
    with pytest.raises(ConfigError, match="received") as caught:
        make(**({"noise_multiplier": 1.0, "clip_norm": 1.0} | changes))
    assert caught.value.key == key

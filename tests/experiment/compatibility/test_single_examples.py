"""What one example can change under a claim about single examples: nothing but its own clipped gradient."""

import numpy as np
import pytest
import tiny

from benchmarks.attacks_on_noise import ON_GRADIENTS, preprocessing_attack
from fedcli.components.data import PARTITIONS, PREPROCESSORS, Dataset, federate
from fedcli.components.strategies import STRATEGIES
from fedcli.config import ConfigErrors
from fedcli.core.privacy_events import ExampleEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.experiment.compatibility import single_examples
from fedcli.privacy import accountant_for

CLAIMED = {"clip_norm": 1.0, "noise_multiplier": 3.0, "rate": 1.0, "steps": 1, "expected_batch_size": 200}
DP_SGD = "strategy={name: dp-sgd, clip_norm: 1.0, noise_multiplier: 3.0, rate: 1.0, steps: 1, "
DP_SGD += "expected_batch_size: 200, delta: 1.0e-3}"
PRIVATE = ["cohort=full", DP_SGD]


def example_federation(x, *steps, **changes):
    y = (x[:, 0] > 0).astype(np.int64)
    dataset = Dataset(x, y, x[:2], y[:2], "classification", 2)
    partition = PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=1)
    return federate(dataset, partition, preprocessing=steps, root_seed=7, **changes)


def test_fitted_preprocessing_tells_two_data_sets_apart_whatever_the_noise_claims():
    event = ExampleEvent(ON_GRADIENTS, 1.0, 1.0, 1)
    claimed = accountant_for(event, Sampling("full", 1, size=1)).epsilon(1, 1e-3)
    assert claimed < 0.84
    # The fault: one example far out presses all others together, and their gradients vanish.
    attack = preprocessing_attack("", PREPROCESSORS["standardise"]())
    assert attack.right == attack.guesses == 400
    # The claim allows a share of e^0.84 / (1 + e^0.84) = 0.7 of right guesses.
    assert preprocessing_attack("", PREPROCESSORS["affine"]()).right < 0.7 * 400


@pytest.mark.parametrize("step", ["standardise", "min_max", "automatic"])
def test_a_fitted_step_is_refused_where_single_examples_are_protected(step):
    with pytest.raises(ConfigErrors, match="learns from a client's examples") as caught:
        tiny.plan(*PRIVATE, f"data.preprocessing=[flatten, {step}]")
    assert "data.preprocessing.1" in str(caught.value)
    assert "affine" in str(caught.value)


def test_constants_pass():
    tiny.plan(
        *PRIVATE,
        "data.preprocessing=[{name: affine, centre: [1, 2, 3, 4], divisor: 2}, {name: scale, factor: 0.5}]",
    )


def test_clients_as_the_unit_fit_their_own_preprocessing():
    tiny.plan(*tiny.PRIVATE, "data.preprocessing=[standardise]")


@pytest.mark.parametrize("removed", [0, 17, 199])
def test_an_example_that_is_added_moves_no_other_between_training_and_validation(removed):
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    split = {"validation_fraction": 0.3, "by_example": True}
    whole = example_federation(x, **split).client(0)
    fewer = example_federation(np.delete(x, removed, 0), **split).client(0)

    def rows(part):
        return {row.tobytes() for row in part} - {x[removed].tobytes()}

    assert rows(whole.x_train) == rows(fewer.x_train)
    assert rows(whole.x_validation) == rows(fewer.x_validation)
    assert 40 <= len(whole.x_validation) <= 80
    assert len(whole.x_train) + len(whole.x_validation) == 200


def test_a_run_that_protects_examples_splits_by_example():
    federations = [tiny.plan(*overrides).world.federation for overrides in ((), PRIVATE)]
    assert federations[0].num_validation.tolist() == [3, 3, 3, 3]
    assert federations[1].num_validation.tolist() != [3, 3, 3, 3]
    for k, count in enumerate(federations[1].num_validation):
        assert len(federations[1].client(k).x_validation) == count


def test_coins_that_certainly_leave_clients_without_training_examples_are_tossed_for_nobody(monkeypatch):
    monkeypatch.setattr(Dataset, "take", lambda *_: pytest.fail("an example was read"))
    few = "data={name: digits, partition: {name: iid, clients: 700}, preprocessing: [], validation_fraction: "
    with pytest.raises(
        ConfigErrors, match="about 61 of 700 clients would have no training example"
    ) as caught:
        tiny.plan(*PRIVATE, f"{few}0.3}}")
    assert "data.validation_fraction" in str(caught.value)
    # Nothing is tossed without a validation part, nor where noise covers whole clients.
    for others, fraction in ((PRIVATE, 0.0), (tiny.PRIVATE, 0.3)):
        assert tiny.plan(*others, f"{few}{fraction}}}").num_clients == 700


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(
        "size,colour,kind\n" + "".join(f"{n},{'red' if n % 2 else 'blue'},{n % 3}\n" for n in range(30))
    )
    return f"data={{name: csv, path: '{path}', target: kind, partition: {{name: iid, clients: 3}}, preprocessing: []"


@pytest.mark.parametrize("protection", [tiny.PRIVATE, PRIVATE], ids=["clients", "examples"])
def test_categories_and_classes_are_declared_under_privacy(table, protection):
    for declared, missing in (
        ("", "categories of the column 'colour'"),
        (", categories: {colour: [blue, red]}", "classes of the target 'kind'"),
    ):
        with pytest.raises(ConfigErrors, match=missing) as caught:
            tiny.plan(*protection, f"{table}{declared}}}")
        assert "Add for example c" in str(caught.value)
    made = tiny.plan(
        *protection, f"{table}, categories: {{colour: [blue, red, green]}}, classes: [0, 1, 2, 3]}}"
    )
    assert (made.world.federation.input_shape, made.world.federation.num_outputs) == ((4,), 4)


def test_without_privacy_they_are_read_from_the_rows(table):
    assert tiny.plan(f"{table}}}").world.federation.num_outputs == 3


def test_a_custom_federation_is_warned_about():
    assert single_examples.warning(STRATEGIES["dp-sgd"](**CLAIMED, delta=1e-3), is_custom=True)
    assert single_examples.warning(STRATEGIES["mean"](), is_custom=True) is None

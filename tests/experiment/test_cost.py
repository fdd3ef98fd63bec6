"""What a round will cost, told before any training, on figures that can be added up by hand."""

import numpy as np
import pytest
import tiny

from fedcli.experiment.cost import checked_cost, cost

WEIGHTS = 4 * 5 + 5 + 5 * 3 + 3  # mlp with 5 hidden units on 4 features and 3 classes
MLP = ("model={name: mlp, hidden: [5]}",)


def figures(*overrides):
    return cost(tiny.plan(*MLP, *overrides))


def test_a_round_of_four_clients_added_up_by_hand():
    # 60 examples over 4 clients, a fifth of each for validation: 12 to train on, in batches of 5.
    facts = figures()
    assert facts == {
        "name": "tiny",
        "rounds": 2,
        "parameters": WEIGHTS,
        "clients": 4,
        "cohort": 4.0,
        "examples": 48,
        "examples_per_client": {"min": 12, "max": 12},
        "client_steps_per_round": 4 * 3,
        "bytes_up_per_round": 4 * WEIGHTS * 4,
        "bytes_down_per_round": 4 * WEIGHTS * 4,
    }


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (["client.epochs=4"], 4 * 3 * 4),
        (["client.steps=7", "client.epochs=null"], 4 * 7),
        (["client.batch_size=12"], 4),
        (["client.batch_size=100"], 4),
        (["cohort={name: uniform, size: 2}"], 2 * 3),
        (["cohort={name: poisson, rate: 0.25}"], 3),
        # fedsgd is one pass, whatever the config says of epochs and steps.
        (["strategy=fedsgd", "client.epochs=4"], 4 * 3),
        (["strategy=fedsgd", "client.steps=1", "client.epochs=null"], 4 * 3),
    ],
)
def test_the_steps_of_a_round(overrides, steps):
    assert figures(*overrides)["client_steps_per_round"] == steps


def test_unequal_clients_count_by_the_average():
    facts = figures(
        "data.partition={name: quantity-dirichlet, clients: 4, alpha: 0.7}", "cohort={name: uniform, size: 2}"
    )
    sizes = np.asarray(
        tiny.plan(
            *MLP, "data.partition={name: quantity-dirichlet, clients: 4, alpha: 0.7}"
        ).world.federation.num_train
    )
    assert facts["examples_per_client"] == {"min": sizes.min(), "max": sizes.max()}
    assert facts["examples"] == sizes.sum()
    assert facts["client_steps_per_round"] == round(2 * np.mean(-(-sizes // 5)))


def test_a_private_run_is_told_its_epsilon_beforehand():
    facts = figures(*tiny.PRIVATE)
    assert (facts["accountant"], facts["relation"], facts["delta"]) == ("pld", "add-remove", 1e-3)
    assert 0 < facts["epsilon"] < 10
    assert figures(*tiny.PRIVATE, "rounds=20")["epsilon"] > facts["epsilon"]
    assert figures(*tiny.PRIVATE, "strategy.noise_multiplier=0.0")["epsilon"] is None


def test_a_cohort_of_fixed_size_has_its_own_accounting():
    facts = figures(*tiny.PRIVATE, "cohort={name: uniform, size: 2}")
    assert (facts["accountant"], facts["relation"]) == ("rdp", "replace-one")


def test_malicious_clients_are_told_beforehand():
    facts = figures("attack={name: alie, share: 0.5, z: 1.5}")
    assert (facts["attack"], facts["malicious_clients"]) == ("alie", 2)


def test_a_built_in_model_is_counted_without_tensorflow_and_a_users_is_built():
    entered = []

    def before_tensorflow():
        from contextlib import nullcontext

        entered.append(True)
        return nullcontext()

    assert checked_cost(tiny.source(*MLP), before_tensorflow=before_tensorflow)["parameters"] == WEIGHTS
    assert entered == []
    facts = checked_cost(tiny.source("model=user_parts:tiny"), before_tensorflow=before_tensorflow)
    assert facts["parameters"] == 4 * 3 + 3
    assert entered == [True]


def test_frozen_weights_are_not_sent():
    from contextlib import nullcontext

    source = tiny.source(*MLP, "model.trainable=dense_1/*")
    facts = checked_cost(source, before_tensorflow=nullcontext)
    assert facts["parameters"] == 5 * 3 + 3
    assert facts["bytes_up_per_round"] == 4 * (5 * 3 + 3) * 4

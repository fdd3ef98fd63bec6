"""Unsupported combinations are rejected before training, with the reason, the place and a fix."""

import pytest
from built_ins import REQUIRED

from fedcli.components.aggregators import mean
from fedcli.components.clients.optimizers import adam, sgd
from fedcli.components.cohorts import full, poisson, uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import arrival
from fedcli.config import loads
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import ExampleEvent, GaussianEvent
from fedcli.core.transform import Transform
from fedcli.experiment.compatibility import model_statistics, pipeline

PLAIN = STRATEGIES["mean"]()
PRIVATE = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=1.0, delta=1e-5)
ENCRYPTING = Transform("encrypt", gives="ciphertext")


def experiment(**sections: str):
    more = "".join(f"{name}: {text}\n" for name, text in sections.items())
    model = "" if "model" in sections else "model: mlp\n"
    text = f"rounds: 3\ndata: {{name: digits, partition: {{name: iid, clients: 10}}}}\n{model}{more}"
    return loads(text).experiment


def refusal(strategy: Strategy, cohort: Cohort | None = None, **sections: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        pipeline.check(strategy, cohort or full(), experiment(**sections), num_clients=10)
    assert caught.value.hint, "every refusal says what to do"
    return caught.value


@pytest.mark.parametrize(
    "strategy", [PLAIN, PRIVATE, PRIVATE._replace(transforms=(*PRIVATE.transforms, arrival()))]
)
@pytest.mark.parametrize(
    "cohort", [full(), poisson(rate=0.1), uniform(size=3)], ids=lambda cohort: cohort.name
)
def test_built_in_pipelines_pass_over_every_cohort(strategy, cohort):
    pipeline.check(strategy, cohort, experiment(), num_clients=10)


def test_a_transform_gets_the_payload_it_takes():
    strategy = PLAIN._replace(transforms=(ENCRYPTING, *PRIVATE.transforms[:1]))
    error = refusal(strategy)
    assert error.key == "strategy"
    assert (
        error.message == "the transform clip takes a payload of vector; the one before it gives ciphertext."
    )
    assert "order" in error.hint


def test_the_first_transform_gets_a_vector():
    error = refusal(PLAIN._replace(transforms=(Transform("decode", takes="integers"),)))
    assert "takes a payload of integers; the one before it gives vector" in error.message


def test_an_aggregator_gets_a_payload_that_it_can_aggregate():
    error = refusal(PLAIN._replace(transforms=(ENCRYPTING,)))
    assert error.key == "strategy"
    assert (
        error.message == "the aggregator mean cannot aggregate a payload of ciphertext; it takes vector or "
        "integers."
    )


def test_a_chain_whose_payloads_fit_passes():
    summing = mean()._replace(name="sum", accepts=("integers", "ciphertext"))
    chain = (
        Transform("quantise", gives="integers"),
        Transform("encrypt", takes="integers", gives="ciphertext"),
    )
    pipeline.check(PLAIN._replace(transforms=chain, aggregator=summing), full(), experiment(), num_clients=10)


def test_central_noise_needs_a_sum():
    robust = mean()._replace(name="median", is_sum=False)
    error = refusal(PRIVATE._replace(aggregator=robust))
    assert (error.key, error.message) == (
        "strategy",
        "central noise is calibrated to a sum; median is not one.",
    )
    pipeline.check(PLAIN._replace(aggregator=robust), full(), experiment(), num_clients=10)


def test_example_counts_are_no_weights_under_privacy():
    error = refusal(PRIVATE._replace(weighting="examples"))
    assert error.key == "strategy"
    assert "must be bounded by the config" in error.message
    pipeline.check(STRATEGIES["weighted"](), full(), experiment(), num_clients=10)


def test_a_private_run_keeps_every_round_because_none_may_be_released_twice():
    error = refusal(PRIVATE, checkpoint="{every: 2}")
    assert error.key == "checkpoint.every"
    assert error.message.endswith("checkpoint.every is 2.")
    assert "reproducible_noise: true" in error.hint


@pytest.mark.parametrize(
    ("strategy", "privacy"), [(PRIVATE, "{reproducible_noise: true}"), (PLAIN, "{reproducible_noise: false}")]
)
def test_other_runs_may_keep_fewer(strategy, privacy):
    made = experiment(checkpoint="{every: 2}", privacy=privacy)
    pipeline.check(strategy, full(), made, num_clients=10)


def test_the_planned_divisor_of_a_private_run_is_not_zero():
    nobody = full()._replace(expected_size=lambda _population: 0.0)
    error = refusal(PRIVATE, nobody)
    assert (error.key, error.message) == ("cohort", "the planned cohort is empty.")


def test_statistics_are_not_averaged_without_noise_in_a_private_run():
    with pytest.raises(ConfigError, match="published without noise") as caught:
        model_statistics.check(PRIVATE, experiment(), num_statistics=64)
    assert caught.value.key == "model.non_trainable"
    assert caught.value.message.startswith("the model has 64 non-trainable weights")
    assert "local or frozen" in caught.value.hint


@pytest.mark.parametrize(
    ("strategy", "policy", "count"),
    [(PRIVATE, "local", 64), (PRIVATE, "frozen", 64), (PRIVATE, "federated", 0), (PLAIN, "federated", 64)],
)
def test_statistics_that_stay_or_protect_nobody_pass(strategy, policy, count):
    made = experiment(model=f"{{name: mlp, non_trainable: {policy}}}")
    model_statistics.check(strategy, made, num_statistics=count)


def test_the_privacy_event_of_a_pipeline_is_that_of_its_noise():
    assert PLAIN.privacy_event is None
    assert PRIVATE.privacy_event == GaussianEvent(1.0, 1.0)


@pytest.mark.parametrize("name", ["scaffold", "fednova", "qfedavg"])
def test_compression_is_refused_where_something_stands_behind_the_update(name):
    error = refusal(STRATEGIES[name](), compression="top-k")
    assert error.key == "compression"
    assert "in one vector with the update" in error.message


def test_compression_is_refused_in_a_private_run():
    assert "noise does not cover it" in refusal(PRIVATE, compression="quantise").message


def test_a_metric_without_noise_does_not_end_a_private_run():
    stop = "{metric: test/loss, patience: 3}"
    assert refusal(PRIVATE, early_stop=stop).key == "early_stop"
    pipeline.check(PLAIN, full(), experiment(early_stop=stop), num_clients=10)


@pytest.mark.parametrize(
    ("name", "parameters", "optimizer"),
    [
        ("scaffold", {}, "{name: sgd, momentum: 0.9}"),
        ("qfedavg", {}, "adam"),
        ("fedrep", {"personal": "head/*"}, "{name: sgd, momentum: 0.9}"),
        ("fednova", {}, "adam"),
        ("fednova", {}, "{name: sgd, weight_decay: 0.1}"),
    ],
)
def test_a_local_algorithm_is_refused_on_an_optimizer_it_does_not_know(name, parameters, optimizer):
    error = refusal(STRATEGIES[name](**parameters), client=f"{{optimizer: {optimizer}}}")
    assert error.key == "client.optimizer"


def test_what_a_strategy_declares_decides_and_not_its_name():
    own = STRATEGIES["fedbn"]()._replace(name="own")
    error = refusal(own, model="{name: mlp, non_trainable: federated}")
    assert (error.key, error.message.split()[0]) == ("model.non_trainable", "own")
    pipeline.check(own, full(), experiment(model="{name: mlp, non_trainable: local}"), num_clients=10)


def test_asynchronous_rounds_take_every_cohort_of_a_fixed_size():
    own, made = uniform(size=3)._replace(name="own"), experiment(devices="lognormal")
    pipeline.check(STRATEGIES["fedbuff"](buffer_size=2), own, made, num_clients=10)
    assert (
        refusal(STRATEGIES["fedbuff"](buffer_size=2), poisson(rate=0.5), devices="lognormal").key == "cohort"
    )


@pytest.mark.parametrize(
    ("optimizer", "is_plain", "is_linear"),
    [
        (sgd(), True, True),
        (sgd(weight_decay=0.1), True, False),
        (sgd(momentum=0.9), False, True),
        (adam(), False, False),
    ],
)
def test_optimizers_declare_what_local_algorithms_rely_on(optimizer, is_plain, is_linear):
    assert optimizer.is_plain_sgd == is_plain
    assert (optimizer.accumulated is not None) == is_linear


def test_krum_with_too_few_clients_says_how_many_it_needs():
    error = refusal(STRATEGIES["krum"](num_byzantine=4), uniform(size=9))
    assert (error.key, error.message) == (
        "cohort",
        "krum needs at least 11 clients in a round; the cohort has 9.",
    )


def test_own_models_are_refused_where_their_averages_would_be_lost():
    with pytest.raises(ConfigError, match="statistics are not kept"):
        model_statistics.check(STRATEGIES["ditto"](), experiment(), num_statistics=4)


EXAMPLES = STRATEGIES["dp-sgd"](**REQUIRED["dp-sgd"])


def test_a_trainers_event_is_that_of_its_strategy_and_no_transform_has_another():
    assert EXAMPLES.privacy_event == ExampleEvent(1.0, 0.5, 0.4, 3)
    pipeline.check(EXAMPLES, full(), experiment(compression="quantise"), num_clients=10)
    both = EXAMPLES._replace(transforms=PRIVATE.transforms)
    assert "this one has 2 and does" in refusal(both).message


@pytest.mark.parametrize("policy", ["federated", "local", "frozen"])
def test_clipped_examples_are_not_mixed_by_batchnorm(policy):
    made = experiment(model=f"{{name: mlp, non_trainable: {policy}}}")
    with pytest.raises(ConfigError, match="BatchNorm mixes the examples of a batch") as caught:
        model_statistics.check(EXAMPLES, made, num_statistics=4)
    assert (caught.value.key, "LayerNormalization" in caught.value.hint) == ("model", True)

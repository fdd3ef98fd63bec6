"""The robust recipes: which parts they are made of, and a poisoned round of each through the engine."""

import numpy as np
import pytest
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts

from fedcli.components.aggregators import AGGREGATORS
from fedcli.components.strategies import STRATEGIES
from fedcli.core.factories import describe
from fedcli.engine.round import run_round

RECIPES = {
    "median": STRATEGIES["median"](),
    "trimmed-mean": STRATEGIES["trimmed-mean"](trim=0.2),
    "krum": STRATEGIES["krum"](num_byzantine=2),
    "multi-krum": STRATEGIES["multi-krum"](num_byzantine=2),
    "bulyan": STRATEGIES["bulyan"](num_byzantine=2),
    "geometric-median": STRATEGIES["geometric-median"](),
    "centered-clipping": STRATEGIES["centered-clipping"](clip_norm=5.0),
    "norm-bounded": STRATEGIES["norm-bounded"](clip_norm=5.0),
    "sign-guard": STRATEGIES["sign-guard"](coordinate_share=1.0),
    "dnc": STRATEGIES["dnc"](num_byzantine=2),
}
FACTORIES = {name: STRATEGIES[name] for name in RECIPES}

every_recipe = pytest.mark.parametrize("name", RECIPES)


def one_round(strategy, *, num_clients=12, payloads=None):
    federation = LinearFederation(num_clients)
    by_examples = strategy.weighting == "examples"
    runtime = LinearRuntime(federation, payloads=payloads, by_examples=by_examples)
    parts, state = linear_parts(strategy, federation=federation, runtime=runtime)
    after, record, _ = run_round(parts, state, charge=lambda _round: None, watch=lambda _done, _planned: None)
    return after, record


@every_recipe
def test_a_recipe_is_fedavg_with_another_aggregator(name):
    strategy = RECIPES[name]
    assert strategy.name == name
    assert strategy.aggregator.name == ("norm-bounding" if name == "norm-bounded" else name)
    assert (strategy.trainer.name, strategy.server.name) == ("sgd", "sgd")
    assert (strategy.transforms, strategy.privacy) == ((), None)
    assert strategy.weighting == ("examples" if name in {"geometric-median", "norm-bounded"} else "uniform")


@every_recipe
def test_a_recipe_explains_itself(name):
    described = describe(FACTORIES[name])
    assert described == describe(AGGREGATORS[RECIPES[name].aggregator.name])
    assert "20" in described.reference
    assert "central noise" in described.combines
    assert "BatchNorm" in described.combines


@every_recipe
def test_what_needs_single_updates_refuses_encryption_and_central_noise(name):
    aggregator = RECIPES[name].aggregator
    assert aggregator.accepts == ("vector",)
    assert not aggregator.is_sum


def test_parameters_reach_the_rule():
    assert STRATEGIES["krum"](num_byzantine=4).aggregator.min_clients == 11
    assert STRATEGIES["multi-krum"](num_byzantine=4, num_selected=9).aggregator.min_clients == 13
    assert STRATEGIES["bulyan"](num_byzantine=4).aggregator.min_clients == 19
    assert STRATEGIES["dnc"](num_byzantine=4, filter_fraction=3.0).aggregator.min_clients == 13


@every_recipe
def test_two_poisoned_clients_of_twelve_move_the_model_by_a_bounded_step(name):
    honest, _ = one_round(RECIPES[name])
    poisoned, record = one_round(RECIPES[name], payloads={3: 1e6, 8: 1e6})
    assert record["clients/finished"] == 12
    assert np.linalg.norm(honest.weights) > 0
    assert np.linalg.norm(poisoned.weights) < 2 * 5.0
    mean, _ = one_round(STRATEGIES["mean"](), payloads={3: 1e6, 8: 1e6})
    assert np.linalg.norm(mean.weights) > 1e5


@pytest.mark.parametrize("name", ["trimmed-mean", "krum", "multi-krum", "bulyan", "dnc"])
def test_a_round_with_too_few_valid_updates_leaves_the_model(name):
    needed = RECIPES[name].aggregator.min_clients
    # The missing client sends NaN, which is refused on arrival.
    after, record = one_round(RECIPES[name], num_clients=needed, payloads={0: np.full(SIZE, np.nan)})
    assert record["clients/finished"] == needed - 1
    assert not after.weights.any()
    complete, _ = one_round(RECIPES[name], num_clients=needed)
    assert complete.weights.any()

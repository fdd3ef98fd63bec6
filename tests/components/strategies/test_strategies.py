"""Strategies are recipes: each builds, describes itself, and reduces to FedAvg where its paper says so."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from built_ins import REQUIRED

from fedcli.components.clients.sgd import Carry
from fedcli.components.clients.trainer import Learner, Pass, Start
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ConfigError
from fedcli.core.factories import describe
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import PrivacyTarget

ALL = pytest.mark.parametrize("name", STRATEGIES)
WEIGHTS = np.array([1.0, -2.0], np.float32)


def made(name, **parameters):
    return STRATEGIES[name](**{**REQUIRED[name], **parameters})


@ALL
def test_it_builds_from_its_required_parameters_and_bears_its_name(name):
    assert made(name).name == name


@ALL
def test_its_example_has_every_parameter_that_it_requires(name):
    about = describe(STRATEGIES[name])
    assert {parameter.name for parameter in about.parameters if parameter.required} <= about.example.keys()


@ALL
def test_it_says_what_it_is_who_wrote_it_and_what_it_combines_with(name):
    about = describe(STRATEGIES[name])
    assert about.summary.endswith(".")
    assert "arXiv:" in about.reference
    assert about.combines.endswith(".")


@ALL
def test_its_docstring_explains_every_parameter(name):
    for parameter in describe(STRATEGIES[name]).parameters:
        assert f"    {parameter.name}: " in STRATEGIES[name].__doc__


@ALL
def test_its_transforms_have_names_of_their_own_under_which_states_are_kept(name):
    names = [transform.name for transform in made(name).transforms]
    assert len(set(names)) == len(names)


@ALL
def test_only_those_that_claim_to_protect_have_an_event_and_a_target(name):
    strategy = made(name)
    events = [part.privacy for part in (strategy.trainer, *strategy.transforms) if part.privacy]
    assert (len(events), strategy.privacy is not None) == (
        (1, True) if name.startswith("dp-") else (0, False)
    )


BY_EXAMPLES = {
    *("fedavg", "weighted", "fedsgd", "fedprox", "fednova", "moon", "fedbn", "fedper", "fedrep", "ditto"),
    *("fedavgm", "fedadagrad", "fedadam", "fedyogi", "norm-bounded", "geometric-median"),
}


def test_mean_and_weighted_are_fedavg_by_its_two_weightings():
    for name, weighting in (("mean", "uniform"), ("weighted", "examples")):
        one, other = made(name, server_learning_rate=0.5), made("fedavg", weighting=weighting)
        assert (one.weighting, one.aggregator.made) == (other.weighting, other.aggregator.made)
        assert one.trainer.made == other.trainer.made
        assert one.server.made == made("fedavg", server_learning_rate=0.5).server.made


@ALL
def test_clients_count_by_examples_where_their_paper_says_so(name):
    assert made(name).weighting == ("examples" if name in BY_EXAMPLES else "uniform")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("fedavg", {}),
        ("mean", {}),
        ("weighted", {}),
        ("fedprox", {}),
        ("fedavgm", {"beta": 0.0}),
        ("dp-clipped", {}),
    ],
)
def test_with_its_neutral_parameters_the_server_adds_the_mean_update(name, parameters):
    server, delta = made(name, **parameters).server, np.array([0.5, -1.0])
    weights, _ = server.apply(WEIGHTS, delta, server.init(WEIGHTS), 1.0)
    assert weights.tobytes() == (WEIGHTS + delta).astype(np.float32).tobytes()


@pytest.mark.parametrize("name", ["mean", "weighted", "fedsgd", "fedavgm", "fedadam", "dp-clipped"])
def test_the_server_learning_rate_reaches_the_server(name):
    steps = []
    for rate in (0.25, 0.5):
        server = made(name, server_learning_rate=rate).server
        steps.append(server.apply(WEIGHTS, np.array([0.5, -1.0]), server.init(WEIGHTS), 1.0)[0] - WEIGHTS)
    assert steps[1].tolist() == pytest.approx((2 * steps[0]).tolist(), rel=1e-5)


def test_dp_clipped_hands_its_parameters_to_clip_noise_and_accountant():
    strategy = made("dp-clipped", clip_norm=2.0, noise_multiplier=0.5, delta=1e-6, epsilon=8.0)
    assert [transform.name for transform in strategy.transforms] == ["clip", "gaussian_noise"]
    assert strategy.transforms[1].privacy == GaussianEvent(0.5, 2.0)
    assert strategy.privacy == PrivacyTarget(1e-6, 8.0)


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("dp-clipped", "delta", [0, 1, -1e-5, math.nan]),
        ("dp-clipped", "epsilon", [0, -1, math.nan]),
        ("dp-clipped", "clip_norm", [0, math.nan, math.inf]),
        ("dp-clipped", "noise_multiplier", [-1, math.nan, math.inf]),
        ("dp-adaptive", "initial_clip_norm", [0, math.inf]),
        ("dp-adaptive", "target_quantile", [-0.1, 1.1]),
        ("dp-adaptive", "count_deviation", [0.5, -1.0]),
        ("dp-per-layer", "clip_norm", [0, math.nan, math.inf]),
        ("dp-local", "noise_multiplier", [-1, math.nan]),
        ("fedprox", "mu", [-0.1, math.nan]),
        ("fedavgm", "beta", [-0.1, 1.0]),
        ("fedadam", "tau", [0.0]),
        ("fedadam", "beta_2", [1.0]),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_the_name_it_has_in_the_file(name, parameter, values):
    for value in values:
        with pytest.raises(ConfigError) as caught:
            made(name, **{parameter: value})
        assert caught.value.key == parameter


@pytest.mark.parametrize("name", ["mean", "weighted", "fedsgd", "fedavgm", "fedadam", "dp-clipped"])
def test_a_wrong_server_learning_rate_is_refused_by_the_name_it_has_in_the_file(name):
    with pytest.raises(ConfigError) as caught:
        made(name, server_learning_rate=0.0)
    assert caught.value.key == "server_learning_rate"


class TestFedProx:
    """One local step on literals: gradient 4 at w = 3 with the global weight at 1."""

    GRADIENTS = (np.array([4.0]),)

    def gradients_of_a_step(self, mu):
        """What the client's optimizer is handed."""
        handed = []

        def update(gradients, weights, state, _scale):
            handed.append(gradients)
            return weights, state

        def differentiate(_weights, moving, _batch, _also=None):
            return Pass(self.GRADIENTS, moving, np.zeros(1), np.float32(1))

        learner = Learner(
            differentiate,
            SimpleNamespace(init=lambda _weights: [], update=update),
            num_metrics=1,
            represent=None,
            is_personal=(False,),
        )
        trainer = made("fedprox", mu=mu).trainer.build(learner)
        survey, keys = (np.zeros(1), np.float32(0)), np.zeros((0, 2), np.int64)
        start = Start([np.array([1.0])], [], np.float32(1), np.int32(1), {}, {}, survey, keys)
        carry = Carry([np.array([3.0])], [], [], np.zeros(1), np.float32(0), np.float32(0))
        trainer.step(start, carry, None)
        return handed[0]

    def test_mu_pulls_towards_the_global_weights(self):
        (gradient,) = self.gradients_of_a_step(0.5)
        assert gradient.tolist() == [4.0 + 0.5 * (3.0 - 1.0)]

    def test_with_mu_zero_the_gradient_is_not_touched(self):
        assert self.gradients_of_a_step(0.0) is self.GRADIENTS

"""A run that names its epsilon and not its noise: the noise is calculated once, written down, and used by a resume."""

import pytest
import tiny

from fedcli import config
from fedcli.components.strategies import STRATEGIES
from fedcli.config import ConfigErrors
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.experiment.cost import cost
from fedcli.experiment.describe import expand
from fedcli.experiment.plan import plan, warnings_of
from fedcli.privacy import calibrate
from fedcli.runs import lifecycle

BUDGET = (
    "cohort={name: poisson, rate: 0.5}",
    "strategy={name: dp-clipped, clip_norm: 0.5, epsilon: 4.0, delta: 1.0e-3}",
)


def multiplier(made):
    return made.experiment.strategy.parameters["noise_multiplier"]


def test_the_plan_has_the_noise_that_its_rounds_need():
    made = tiny.plan(*BUDGET, "rounds=5")
    sampling, target = Sampling("poisson", 4, rate=0.5), PrivacyTarget(1e-3, 4.0)
    assert multiplier(made) == calibrate(lambda z: GaussianEvent(z, 0.5), sampling, target, 5)
    assert made.protocol.strategy.privacy_event == GaussianEvent(multiplier(made), 0.5)
    assert made.protocol.strategy.privacy == target
    assert 4.0 * (1 - 1e-3) <= made.protocol.accountant.epsilon(5, 1e-3) <= 4.0


def test_more_rounds_need_more_noise_and_a_written_multiplier_stays():
    few, many = (multiplier(tiny.plan(*BUDGET, f"rounds={rounds}")) for rounds in (2, 20))
    assert few < many
    assert multiplier(tiny.plan(*BUDGET, "strategy.noise_multiplier=0.125")) == 0.125


def test_the_cost_says_what_was_calculated():
    made = tiny.plan(*BUDGET, "model={name: mlp, hidden: [5]}")
    facts = cost(made)
    assert facts["noise_multiplier"] == multiplier(made) > 0
    assert facts["epsilon"] <= 4.0


def test_a_run_directory_holds_the_number_and_its_own_config_gives_the_same_plan(tmp_path):
    result = lifecycle.start_run(tiny.source(*BUDGET), tmp_path / "run")
    assert result.ending == "all 2 rounds are done"
    assert result.records[-1]["epsilon"] <= 4.0
    written = config.load(result.folder / "config.yaml").experiment
    assert written == tiny.plan(*BUDGET).experiment
    assert plan(written).experiment == written


def test_a_run_without_noise_and_without_epsilon_is_refused_with_the_way_out():
    with pytest.raises(ConfigErrors) as caught:
        tiny.source("strategy={name: dp-clipped, clip_norm: 0.5, delta: 1.0e-3}")
    assert "strategy.noise_multiplier" in str(caught.value)
    assert "neither is given" in str(caught.value)
    assert "epsilon: 8.0" in str(caught.value)


def test_an_epsilon_that_no_noise_reaches_is_refused_at_its_place():
    with pytest.raises(ConfigErrors, match=r"strategy\.epsilon") as caught:
        tiny.plan(*BUDGET, "cohort=full", "strategy.epsilon=1.0e-7")
    assert "no noise multiplier from" in str(caught.value)


def test_what_is_not_calibrated_has_no_noise_and_an_infinite_epsilon():
    strategy = STRATEGIES["dp-clipped"](clip_norm=1.0, delta=1e-5, epsilon=8.0)
    assert not strategy.privacy.is_calibrated
    assert strategy.privacy_event.noise_multiplier == 0
    assert expand(strategy).privacy.noise_multiplier is None
    assert "as much as the budget needs" in dict(expand(strategy).rows)["privacy"]


@pytest.mark.parametrize(("delta", "warned"), [(0.25, False), (0.26, True), (1e-5, False)])
def test_a_delta_above_one_over_the_clients_is_warned_of(delta, warned):
    made = tiny.plan(*tiny.PRIVATE, f"strategy.delta={delta}", "model={name: mlp, hidden: [5]}")
    assert [warning.split(" ")[1] for warning in warnings_of(made)] == ([f"{delta:g}"] if warned else [])
    assert ("warnings" in cost(made)) == warned

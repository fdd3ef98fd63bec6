"""Auditing a private experiment with canaries."""

import pytest

from fedcli import config
from fedcli.config import ConfigErrors
from fedcli.core.errors import ConfigError
from fedcli.runs.audit import audit_experiment

YAML = """
name: audited
seed: 7
rounds: 3
data:
  name: user_parts:blobs
  partition: {name: iid, clients: 4}
  validation_fraction: 0.0
model: {name: mlp, hidden: [200, 20], dropout: 0.1}
client: {batch_size: 5}
cohort: {name: full}
strategy: {name: dp-clipped, clip_norm: 0.5, noise_multiplier: 6.0, delta: 1.0e-5}
executor: {name: threads, workers: 2}
privacy: {reproducible_noise: true}  # With secret noise, some run of these tests would have bad luck.
"""


def found(*overrides, canaries=2000, **arguments):
    return audit_experiment(
        config.loads(YAML, "audited.yaml", overrides), canaries=canaries, seed=1, **arguments
    )


def test_an_honest_claim_stands():
    finding = found()
    assert finding.verdict == "stands"
    assert 0 <= finding.audit.epsilon < finding.claim < finding.best
    assert (finding.rounds, finding.accountant) == (3, "closed-form")


@pytest.mark.parametrize("strategy", ["weak_noise", "no_clip"])
def test_a_false_claim_is_disproved(strategy):
    finding = found(f"strategy.name=user_parts:{strategy}")
    assert finding.verdict == "disproved"
    assert finding.audit.epsilon > finding.claim


def test_poisson_cohorts_are_audited_as_they_are_accounted():
    finding = found("cohort={name: poisson, rate: 0.5}")
    assert finding.verdict == "stands"


def test_a_run_that_encrypts_and_proves_is_audited_without_either():
    protected = ("encryption={name: threshold, committee: 3, threshold: 2}", "proofs={name: norm-bound}")
    assert found("fixed_point={bits: 16}", *protected).verdict == "stands"


def test_an_audit_that_could_not_disprove_the_claim_says_so():
    finding = found("strategy.noise_multiplier=3.0", canaries=20)
    assert finding.best < finding.claim
    assert finding.verdict == "cannot tell"


def test_without_noise_a_claim_of_rare_cohorts_cannot_be_tested_by_few_canaries():
    rare = ("cohort={name: poisson, rate: 0.01}", "strategy.noise_multiplier=0.4")
    assert found(*rare, canaries=100, noise_scale=0.01).verdict == "cannot tell"


def test_without_noise_canaries_are_told_apart():
    finding = found("strategy.noise_multiplier=0.01")
    assert finding.audit.correct == finding.audit.guesses
    assert finding.audit.epsilon > 5


DISTRIBUTED = (
    "strategy={name: dp-distributed, clip_norm: 0.5, contributors: 3, noise_multiplier: 6.0, delta: 1e-5}"
)
LOCAL = "strategy={name: dp-local, clip_norm: 0.5, noise_multiplier: 12.0, delta: 1.0e-5}"
TREE = "strategy={name: dp-ftrl, clip_norm: 0.5, noise_multiplier: 9.0, delta: 1.0e-5}"
ADAPTIVE = "strategy={name: dp-adaptive, noise_multiplier: 6.0, delta: 1.0e-5}"
CAPPED = "cohort={name: capped-poisson, rate: 0.5, cap: 2}"


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param([CAPPED, "strategy.noise_multiplier=2.5"], id="capped", marks=pytest.mark.slow),
        pytest.param(["fixed_point={bits: 16, max_examples: 40}"], id="max-examples"),
        pytest.param([DISTRIBUTED], id="distributed", marks=pytest.mark.slow),
        pytest.param([LOCAL, "rounds=1"], id="local", marks=pytest.mark.slow),
        pytest.param(["cohort={name: poisson, rate: 0.2}"], id="poisson", marks=pytest.mark.slow),
        pytest.param(["cohort={name: uniform, size: 2}"], id="uniform", marks=pytest.mark.slow),
        pytest.param([TREE], id="tree", marks=pytest.mark.slow),
        pytest.param([ADAPTIVE], id="adaptive", marks=pytest.mark.slow),
    ],
)
def test_a_tenth_of_the_noise_is_caught(overrides):
    finding = found(*overrides, noise_scale=0.1)
    assert finding.verdict == "disproved"
    assert finding.noise_scale == 0.1


def test_a_budget_ends_an_audit_as_it_ends_a_run():
    finding = found("rounds=12", "strategy.epsilon=2.0", canaries=100)
    assert finding.rounds < 12
    assert finding.claim <= 2.0


def test_the_same_seed_gives_the_same_coins():
    assert found(canaries=200) == found(canaries=200)


def test_more_canaries_than_coordinates_need_several_runs():
    told = []
    finding = found("model.hidden=[10]", "rounds=1", canaries=100, round_end=told.append)
    assert (finding.audit.canaries, len(told)) == (100, 2)


def test_rounds_are_told():
    told = []
    found("rounds=2", "privacy.reproducible_noise=false", canaries=32, round_end=told.append)
    assert [record["round"] for record in told] == [1, 2]


@pytest.mark.parametrize(
    ("overrides", "canaries", "words"),
    [
        (["strategy=mean"], 32, "has no privacy guarantee"),
        (
            [
                "strategy={name: dp-sgd, clip_norm: 1.0, noise_multiplier: 1.0, rate: 0.1, steps: 2, "
                "expected_batch_size: 1, delta: 1.0e-5}"
            ],
            32,
            "protects an example",
        ),
        (["rounds=5000"], 32, "coordinates for canaries"),
        ([], 3, "at least 16"),
    ],
)
def test_what_cannot_be_audited_is_refused(overrides, canaries, words):
    with pytest.raises((ConfigErrors, ConfigError), match=words):
        found(*overrides, canaries=canaries)


def test_noise_that_cannot_be_scaled_is_refused():
    with pytest.raises((ConfigErrors, ConfigError), match="factor on the noise"):
        found(noise_scale=0.0)

"""Auditing a private experiment with canaries."""

import numpy as np
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
"""


def found(*overrides, canaries=2000, **arguments):
    return audit_experiment(
        config.loads(YAML, "audited.yaml", overrides), canaries=canaries, seed=1, **arguments
    )


def test_an_honest_claim_stands():
    finding = found()
    assert finding.is_disproved is False
    assert 0 <= finding.audit.epsilon < finding.claim < finding.audit.largest
    assert (finding.rounds, finding.accountant) == (3, "pld")


@pytest.mark.parametrize("strategy", ["weak_noise", "no_clip"])
def test_a_false_claim_is_disproved(strategy):
    finding = found(f"strategy.name=user_parts:{strategy}")
    assert finding.is_disproved is True
    assert finding.audit.epsilon > finding.claim


def test_poisson_cohorts_are_audited_as_they_are_accounted():
    finding = found("cohort={name: poisson, rate: 0.5}")
    assert finding.is_disproved is False


def test_a_run_that_encrypts_and_proves_is_audited_without_either():
    protected = ("encryption={name: threshold, committee: 3, threshold: 2}", "proofs={name: norm-bound}")
    assert found("fixed_point={bits: 16}", *protected).is_disproved is False


def test_too_few_canaries_give_no_verdict():
    finding = found("strategy.noise_multiplier=3.0", canaries=20)
    assert finding.audit.largest < finding.claim
    assert finding.is_disproved is None


def test_without_noise_canaries_are_told_apart():
    finding = found("strategy.noise_multiplier=0.01")
    assert finding.audit.correct == finding.audit.guesses
    assert finding.audit.epsilon > 5


def test_a_budget_ends_an_audit_as_it_ends_a_run():
    finding = found("rounds=50", "strategy.epsilon=2.0")
    assert finding.rounds < 50
    assert finding.claim <= 2.0


def test_the_same_seed_gives_the_same_coins():
    fixed = "privacy.reproducible_noise=true"
    assert found(fixed) == found(fixed)


def test_rounds_are_told():
    told = []
    found("rounds=2", canaries=32, round_end=told.append)
    assert [record["round"] for record in told] == [1, 2]
    assert all(np.isfinite(record["train/loss"]) for record in told)


@pytest.mark.parametrize(
    ("overrides", "canaries", "words"),
    [
        (["strategy=mean"], 32, "has no privacy guarantee"),
        (["cohort={name: uniform, size: 2}"], 32, "replace-one"),
        ([], 10**6, "number of coordinates"),
        ([], 3, "at least 16"),
    ],
)
def test_what_cannot_be_audited_is_refused(overrides, canaries, words):
    with pytest.raises((ConfigErrors, ConfigError), match=words):
        found(*overrides, canaries=canaries)

"""Proofs in an experiment: where they stand, what they cost, and what they are refused with."""

import pytest
import tiny

from fedcli.config import ConfigErrors
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import DistributedGaussianEvent, GaussianEvent
from fedcli.core.transform import Transform
from fedcli.experiment.cost import cost
from fedcli.experiment.protection.proofs import with_commitments

PROOFS = "proofs={name: norm-bound}"
GRID = "fixed_point={clip_norm: 10.0, max_examples: 9}"
NOISED_BY_CLIENTS = (
    "cohort={name: full}",
    "strategy={name: dp-distributed, clip_norm: 0.5, contributors: 4, noise_multiplier: 1.0, delta: 1.0e-3, "
    "bits: 16}",
)


def refusal(*overrides):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides)
    return str(caught.value)


def names(*overrides):
    return [part.name for part in tiny.plan(*overrides).protocol.strategy.transforms]


def test_commitments_stand_behind_the_grid_and_proofs_behind_everything_that_is_sent():
    assert names(GRID, PROOFS) == ["fixed_point", "commit", "prove", "arrival"]
    assert names(*NOISED_BY_CLIENTS, PROOFS) == [
        *("finite", "fixed_point", "distributed_noise", "commit", "prove", "arrival")
    ]


def test_a_sum_that_the_server_changes_in_a_way_of_the_users_own_is_not_published_before_that():
    def noised(aggregate, state, _context):
        return aggregate._replace(value=aggregate.value + 1), state

    strategy = tiny.plan(GRID).protocol.strategy
    own = Transform("own noise", decode=noised, takes="integers", gives="integers")
    experiment = tiny.plan(GRID, PROOFS).experiment
    with pytest.raises(ConfigError, match="own noise changes the sum of integers on the server"):
        with_commitments(strategy._replace(transforms=(*strategy.transforms[:1], own)), experiment)


def test_the_server_draws_its_noise_where_it_commits_to_it_and_is_charged_once():
    private = (*tiny.PRIVATE, "fixed_point={bits: 16}")
    assert names(*private, PROOFS) == ["clip", "fixed_point", "commit", "prove", "arrival"]
    with_proofs, without = (tiny.plan(*private, *more) for more in ([PROOFS], []))
    event = with_proofs.protocol.strategy.privacy_event
    assert isinstance(event, GaussianEvent)
    assert event.excess_probability == 2.0**-60
    assert without.protocol.strategy.privacy_event == GaussianEvent(event.noise_multiplier, event.clip_norm)
    epsilons = [made.protocol.accountant.epsilon(2, 1e-3) for made in (with_proofs, without)]
    assert epsilons[1] < epsilons[0] < epsilons[1] * (1 + 1e-5)


def test_noise_of_clients_that_would_not_be_proved_is_charged_for_each_contributor():
    event = tiny.plan(*NOISED_BY_CLIENTS, PROOFS).protocol.strategy.privacy_event
    assert isinstance(event, DistributedGaussianEvent)
    assert event.excess_probability == 4 * 2.0**-60


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "vectors of integers"),
        (["strategy=median"], "vectors of integers"),
        (
            ["strategy=scaffold", "fixed_point={clip_norm: 1.0, extra_clip_norm: 1.0}"],
            "one norm would be proved of both",
        ),
        (
            ["strategy=fedbuff", "devices=lognormal", "cohort={name: uniform, size: 4}"],
            "scales updates by their staleness",
        ),
        (
            [*tiny.PRIVATE, "fixed_point={bits: 16}", "privacy={publish: noised-only}"],
            "name who took part",
        ),
        (
            [
                "cohort={name: min-separation, separation: 2}",
                "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3, bands: 2}",
                "fixed_point={bits: 16}",
            ],
            "opens no commitment",
        ),
    ],
)
def test_what_proofs_have_no_meaning_for_is_refused_with_the_way_out(overrides, said):
    report = refusal(*overrides, PROOFS)
    assert "proofs" in report
    assert said in report


def test_the_cost_says_bytes_bound_projections_and_that_nobody_has_reviewed_it():
    made = tiny.plan(GRID, PROOFS)
    facts = cost(made, parameters=300)
    assert facts["proofs"] == "norm of each update at most 2^20 steps, 309 projections"
    assert facts["commitment_bytes_per_client"] == 17 * 48
    assert facts["proof_bytes_per_client"] > 309 * 8
    each = facts["bytes_up_per_round"] / facts["cohort"]
    assert each > facts["commitment_bytes_per_client"] + facts["proof_bytes_per_client"] + 300 * 2
    assert any("reviewed" in warning for warning in facts["warnings"])
    assert "proofs" not in cost(tiny.plan(GRID), parameters=300)


def test_the_cost_says_how_far_noise_lets_one_party_move_a_sum():
    clipped = "strategy={name: dp-clipped, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}"
    said = [
        cost(tiny.plan(*overrides, PROOFS), parameters=10_000).get("proved_noise")
        for overrides in ([GRID], NOISED_BY_CLIENTS, ("fixed_point={bits: 16}", clipped))
    ]
    by = "clip norms: with valid proofs it can move a sum by that"
    # sqrt(10,000 + 2 sqrt(10,000 x 41.6) + 83) deviations: of a quarter of the variance, and of all of it.
    assert said == [
        None,
        f"norm of the noise of each client at most 53 {by}",
        f"norm of the noise of the server at most 107 {by}",
    ]


def test_noise_that_is_too_long_to_be_proved_is_refused_before_the_model_is_built():
    cohort, strategy = NOISED_BY_CLIENTS
    loud = strategy.replace("bits: 16", "bits: 24").replace("noise_multiplier: 1.0", "noise_multiplier: 4.0")
    tiny.plan(cohort, loud, "model={name: logistic}")
    report = refusal(cohort, loud, "model={name: logistic}", PROOFS)
    assert "strategy.bits" in report
    assert "Use bits of at most" in report

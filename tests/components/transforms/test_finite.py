"""Updates that count as zero, and what follows for noise that clients add."""

import numpy as np
import pytest
import tiny
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import finite
from fedcli.config import ConfigErrors
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.engine.round import run_round

CONTEXT = RoundContext(7, 1, True, 1.0, (3,))


def update(*values):
    payload = np.array(values, np.float32)
    return ClientUpdate(0, payload, 1.0, 4, payload[:0], {}, {}, 12, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_update_that_is_not_finite_counts_as_zero(bad):
    assert finite().encode(update(1.0, bad, 2.0), {}, CONTEXT).payload.tolist() == [0, 0, 0]


def test_any_other_update_is_handed_on_untouched():
    one = update(1.0, -2.0, 3e38)
    assert finite().encode(one, {}, CONTEXT) is one


PARAMETERS = {
    "dp-local": {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-distributed": {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-3, "contributors": 4},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_client_that_diverges_sends_its_noise_all_the_same(name):
    federation = LinearFederation(4)
    runtime = LinearRuntime(federation, payloads={2: [np.nan, 0.0, 0.0]})
    parts, state = linear_parts(STRATEGIES[name](**PARAMETERS[name]), federation=federation, runtime=runtime)
    after, record, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert (record["clients/finished"], record["clients/rejected"]) == (4, 0)
    assert np.isfinite(after.weights).all()
    assert after.weights.tobytes() != state.weights.tobytes()


@pytest.mark.parametrize("name", [*PARAMETERS, "dp-clipped"])
def test_a_round_is_charged_before_its_first_noise(name):
    settings = PARAMETERS["dp-local"]
    strategy = STRATEGIES[name](**PARAMETERS.get(name, settings))
    parts, state = linear_parts(strategy, federation=LinearFederation(4))
    events = []
    run_round(
        parts,
        state,
        lambda _round: events.append("charged"),
        lambda done, _planned: events.append(done),
    )
    assert events == (["charged", 0, 1, 2, 3, 4] if name in PARAMETERS else [0, 1, 2, 3, 4, "charged"])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["devices=lognormal", "participation.deadline=9.0"], "its absence would reveal"),
        (
            ["data={name: 'user_parts:many', clients: 9, empty: [3], partition: null}"],
            "client 3 has no training examples",
        ),
    ],
)
def test_what_would_show_who_sent_no_noise_is_refused(overrides, words):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(
            "strategy={name: dp-local, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-3}", *overrides
        )
    assert words in str(caught.value)


def test_example_counts_do_not_weight_what_protects_examples():
    strategy = (
        "strategy={name: dp-sgd, clip_norm: 1.0, noise_multiplier: 1.0, rate: 0.5, steps: 2, "
        "expected_batch_size: 5, delta: 1.0e-3}"
    )
    with pytest.raises(ConfigErrors, match="max_examples"):
        tiny.plan(strategy, "fixed_point={clip_norm: 1.0, max_examples: 10}")

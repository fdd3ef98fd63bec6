"""The local algorithms against their papers: what they send, what they keep, and where they are plain SGD."""

import locally
import numpy as np
import pytest
from keras import Input, Sequential, layers

from fedcli.components.clients import CLIENTS as ALGORITHMS
from fedcli.components.clients.apfl import apfl
from fedcli.components.clients.ditto import ditto
from fedcli.components.clients.feddyn import feddyn
from fedcli.components.clients.fednova import fednova
from fedcli.components.clients.moon import moon
from fedcli.components.clients.optimizers import sgd as plain_sgd
from fedcli.components.clients.personal_layers import personal_layers
from fedcli.components.clients.personal_layers_in_turn import personal_layers_in_turn
from fedcli.components.clients.qfedavg import qfedavg
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.scaffold import scaffold
from fedcli.components.clients.sgd import sgd
from fedcli.core.errors import ConfigError
from fedcli.core.factories import describe
from fedcli.core.rounds import Assignment, Broadcast

RATE = 0.1
CLIENTS = locally.classes(10, 7)
PLAN = BatchPlan(4, 2, None)
STEPS = 6  # of client 0: two epochs of three batches


def network():
    return Sequential(
        [Input((4,)), layers.Dense(5, activation="relu", name="body"), layers.Dense(3, name="head")]
    )


def local(trainer, **settings):
    return locally.Local(network, CLIENTS, trainer=trainer, plan=PLAN, weighting="uniform", **settings)


def updated(made, *, state=None, extras=None, round=1):
    start = made.runtime.prepare(Broadcast(round, made.weights, made.statistics, 1.0, extras or {}))
    return made.runtime.train(start, Assignment(0, state or {}))


@pytest.fixture(scope="module")
def reference():
    made = local(sgd())
    return made.weights, updated(made)


@pytest.mark.parametrize(
    "trainer",
    [
        feddyn(alpha=0.0),
        moon(mu=0.0, temperature=0.5),
        apfl(alpha=0.0, adaptive=False),
        ditto(regularization=0.3),
    ],
    ids=lambda trainer: trainer.name,
)
def test_at_its_neutral_setting_a_trainer_sends_what_plain_sgd_sends_to_the_bit(trainer, reference):
    assert np.array_equal(updated(local(trainer)).payload, reference[1].payload)


class TestScaffold:
    def controls(self, value):
        return np.full_like(local(scaffold()).weights, value)

    def test_without_controls_the_delta_is_that_of_plain_sgd(self, reference):
        made = local(scaffold())
        payload = updated(made, extras={"control": self.controls(0.0)}).payload
        delta, change = np.split(payload, 2)
        assert np.array_equal(delta, reference[1].payload)
        np.testing.assert_allclose(change, -delta / (STEPS * RATE), rtol=1e-5, atol=1e-7)

    def test_what_it_keeps_is_what_it_had_plus_the_change_it_sends(self):
        own, shared = self.controls(0.25), self.controls(-0.5)
        update = updated(local(scaffold()), state={"control": own}, extras={"control": shared})
        delta, change = np.split(update.payload, 2)
        np.testing.assert_allclose(change, -shared - delta / (STEPS * RATE), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(update.state["control"], own + change, rtol=1e-6)

    def test_equal_controls_cancel(self, reference):
        both = self.controls(0.125)
        update = updated(local(scaffold()), state={"control": both}, extras={"control": both})
        np.testing.assert_allclose(np.split(update.payload, 2)[0], reference[1].payload, rtol=1e-4, atol=1e-6)


class TestFedNova:
    def test_the_length_of_plain_sgd_is_its_steps(self, reference):
        payload = updated(local(fednova())).payload
        assert payload[-1] == STEPS
        np.testing.assert_allclose(payload[:-1] * STEPS, reference[1].payload, rtol=1e-5, atol=1e-8)

    @pytest.mark.parametrize("nesterov", [False, True])
    def test_with_momentum_it_is_the_sum_of_the_weights_of_all_gradients(self, nesterov):
        # A gradient of one at every step: the distance in learning rates is the sum of the weights.
        velocity = distance = 0.0
        for _ in range(5):
            velocity = 0.9 * velocity + 1
            distance += 1 + 0.9 * velocity if nesterov else velocity
        length = plain_sgd(momentum=0.9, nesterov=nesterov).accumulated(5.0)
        assert length == pytest.approx(distance)


class TestFedDyn:
    def test_the_dual_goes_against_the_delta(self):
        update = updated(local(feddyn(alpha=0.5)))
        np.testing.assert_allclose(update.state["dual"], -0.5 * update.payload, rtol=1e-6)

    def test_one_step_is_along_the_gradient_minus_the_dual(self):
        one = BatchPlan(16, 1, None)
        plain = locally.Local(network, CLIENTS, trainer=sgd(), plan=one)
        dual = np.linspace(-1, 1, plain.weights.size, dtype=np.float32)
        made = locally.Local(network, CLIENTS, trainer=feddyn(alpha=0.5), plan=one)
        moved = updated(made, state={"dual": dual}).payload - updated(plain).payload
        np.testing.assert_allclose(moved, RATE * dual, rtol=1e-4, atol=1e-7)


class TestMoon:
    def test_before_a_first_participation_the_contrast_is_constant(self, reference):
        # Both anchors are the global model's: the term is log 2 at every step and has no gradient.
        np.testing.assert_allclose(
            updated(local(moon(mu=5.0, temperature=0.5))).payload, reference[1].payload, rtol=1e-4, atol=1e-6
        )

    def test_it_keeps_the_model_it_ended_with(self, reference):
        made = local(moon(mu=1.0, temperature=0.5))
        update = updated(made)
        np.testing.assert_allclose(
            update.state["previous"], made.weights + update.payload, rtol=1e-5, atol=1e-6
        )

    def test_a_previous_model_changes_the_update(self, reference):
        made = local(moon(mu=5.0, temperature=0.5))
        away = np.linspace(-1, 1, made.weights.size, dtype=np.float32)
        assert not np.allclose(
            updated(made, state={"previous": away}).payload, reference[1].payload, atol=1e-4
        )


class TestPersonalLayers:
    def test_what_is_personal_is_trained_and_never_sent(self, reference):
        made = local(personal_layers(personal="head/*"))
        update = updated(made)
        assert update.payload.size == 4 * 5 + 5
        np.testing.assert_array_equal(update.payload, reference[1].payload[:25])
        moved = update.state["personal"] - made.network.vectors().personal
        np.testing.assert_allclose(moved, reference[1].payload[25:], rtol=1e-5, atol=1e-7)

    def test_a_client_goes_on_from_its_own_head(self):
        made = local(personal_layers(personal="head/*"))
        first, second = updated(made), updated(made, state={"personal": np.full(18, 0.5, np.float32)})
        assert not np.allclose(first.payload, second.payload)

    def test_in_turn_the_head_is_trained_at_the_global_body_first(self):
        # Of two steps the first moves the head and the second the body.
        two = BatchPlan(4, None, 2)
        made = locally.Local(
            network, CLIENTS, trainer=personal_layers_in_turn(personal="head/*", head_share=0.5), plan=two
        )
        one = locally.Local(network, CLIENTS, trainer=sgd(), plan=BatchPlan(4, None, 1))
        moved = updated(made).state["personal"] - made.network.vectors().personal
        np.testing.assert_allclose(moved, updated(one).payload[25:], rtol=1e-4, atol=1e-7)

    def test_in_turn_a_single_step_is_the_shared_layers(self):
        single = BatchPlan(16, 1, None)
        made = locally.Local(
            network, CLIENTS, trainer=personal_layers_in_turn(personal="head/*", head_share=0.9), plan=single
        )
        assert updated(made).payload.any()
        assert np.array_equal(updated(made).state["personal"], made.network.vectors().personal)

    def test_in_turn_both_are_trained_in_the_end(self):
        made = local(personal_layers_in_turn(personal="head/*", head_share=0.5))
        assert updated(made).payload.any()

    @pytest.mark.parametrize("pattern", ["haed/*", "*"])
    def test_a_pattern_that_leaves_nothing_to_keep_or_to_share_is_refused(self, pattern):
        with pytest.raises(ConfigError, match=r"matches (no|every) weight"):
            locally.build_network(network, root=7, personal=pattern)


class TestOwnModels:
    def test_ditto_without_a_pull_trains_its_own_model_alone(self, reference):
        made = local(ditto(regularization=0.0))
        kept = updated(made).state["own_model"]
        np.testing.assert_allclose(kept, made.weights + reference[1].payload, rtol=1e-5, atol=1e-6)

    def test_a_stronger_pull_keeps_the_own_model_nearer(self):
        far, near = (
            np.linalg.norm(updated(local(ditto(regularization=r))).state["own_model"] - local(sgd()).weights)
            for r in (0.0, 5.0)
        )
        assert near < 0.7 * far

    def test_the_mixture_is_what_apfl_evaluates(self):
        spec = apfl(alpha=0.25, adaptive=False)
        weights, own = np.zeros(2, np.float32), np.array([4.0, -8.0], np.float32)
        state = {"own_model": own, "mixture_shift": np.float32(0.25)}
        assert spec.personalise(weights, state).tolist() == [2.0, -4.0]
        assert spec.personalise(weights, {**state, "mixture_shift": np.float32(9)}).tolist() == own.tolist()

    def test_apfl_with_all_weight_on_its_own_model_trains_it_alone(self, reference):
        update = updated(local(apfl(alpha=1.0, adaptive=False)))
        made = local(sgd())
        np.testing.assert_allclose(
            update.state["own_model"], made.weights + reference[1].payload, rtol=1e-5, atol=1e-6
        )
        assert update.state["mixture_shift"] == 0


class TestQFedAvg:
    def test_with_q_zero_every_client_counts_the_same(self, reference):
        payload = updated(local(qfedavg(q=0.0))).payload
        assert np.array_equal(payload[:-1], reference[1].payload)
        assert payload[-1] == 1

    def test_the_update_counts_by_the_loss_of_the_global_model(self, reference):
        made = local(qfedavg(q=2.0))
        x, y = CLIENTS.pairs[0]
        loss = made.runtime.measure(made.prepare(), x, y)["loss"] / len(x)
        payload, delta = updated(made).payload, reference[1].payload
        np.testing.assert_allclose(payload[:-1], loss**2 * delta, rtol=1e-4, atol=1e-7)
        curvature = 2 * loss / RATE * float(delta @ delta) + loss**2
        assert payload[-1] == pytest.approx(curvature, rel=1e-4)

    def test_the_loss_is_that_of_all_examples_where_one_batch_is_trained_on(self):
        short = {"plan": BatchPlan(4, None, 1), "weighting": "uniform"}
        made, plain = (
            locally.Local(network, CLIENTS, trainer=each, **short) for each in (qfedavg(q=1.0), sgd())
        )
        x, y = CLIENTS.pairs[0]
        loss = made.runtime.measure(made.prepare(), x, y)["loss"] / len(x)
        np.testing.assert_allclose(
            updated(made).payload[:-1], loss * updated(plain).payload, rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("name", [*ALGORITHMS])
def test_errors_name_an_algorithm_as_a_config_does(name):
    factory = ALGORITHMS[name]
    assert factory(**describe(factory).example).name == name

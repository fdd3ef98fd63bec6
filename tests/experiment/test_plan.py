"""From names to parts: built-in ones, the user's own, and every refusal with its place in the file."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tiny
import user_parts

from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.config import ConfigErrors
from fedcli.core.vectors import unflatten
from fedcli.engine.round import run_round
from fedcli.experiment.assemble import assemble
from fedcli.experiment.make import located
from fedcli.experiment.plan import num_parameters, plan


def refusal(*overrides, built=False):
    """The report of an experiment that cannot be built."""
    with pytest.raises(ConfigErrors) as caught:
        (assembled_and_closed if built else tiny.plan)(*overrides)
    return str(caught.value)


def assembled_and_closed(*overrides):
    with tiny.assembled(*overrides):
        pass


def run(parts, state, rounds=1):
    for _ in range(rounds):
        state, record, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    return state, record, rows


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ("{name: threads, workers: 0}", r"executor\.workers = 0\n  an executor has at least 1 worker"),
        ("{name: vectorised, workers: -2}", r"executor\.workers = -2\n"),
        ("{name: processes, client_timeout_seconds: 0}", r"executor\.client_timeout_seconds = 0\n"),
        ("{name: ray, gpus_per_worker: -1}", r"executor\.gpus_per_worker = -1\n"),
        (
            "{name: ray, address: localhost}",
            r"executor\.address = 'localhost'\n  an address is auto or host:port",
        ),
    ],
)
def test_what_no_executor_can_keep_is_refused_before_tensorflow_is_loaded(executor, words):
    assert re.search(words, refusal(f"executor={executor}"))


# --- the plan --------------------------------------------------------------------------------------------


def test_a_plan_says_what_it_is_made_of():
    made = tiny.plan("client.epochs=3")
    assert made.num_clients == 4
    assert made.training.task.names == ("loss", "accuracy")
    assert made.training.batches == BatchPlan(5, 3, None)
    assert [transform.name for transform in made.protocol.strategy.transforms] == ["arrival"]
    assert made.protocol.accountant is None
    assert num_parameters(made) is None  # a user's model must be built


def test_the_data_is_the_same_at_every_start_and_another_for_another_seed():
    first, again, other = (tiny.plan(f"seed={seed}").world.federation.client(1) for seed in (3, 3, 4))
    assert np.array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, other.x_train)


def test_a_cohort_larger_than_the_population_is_refused_with_its_place():
    report = refusal("data=user_parts:many", "cohort={name: uniform, size: 2000000}")
    assert "cohort.size = 2000000" in report
    assert "the federation has 1000000" in report


@pytest.mark.parametrize(
    "metric",
    [
        *(
            "rounds_foo",
            "simulated/seconds",
            "clients/absent",
            "epsilon",
            "staleness/max",
            "clients/malicious",
        ),
        *("encryption/open_seconds", "proofs/bytes", "seconds", "test/mse", "test/loss/worst"),
    ],
)
def test_an_early_stop_on_what_no_round_has_is_refused(metric):
    with pytest.raises(ConfigErrors, match=f"no round has the metric '{metric}'"):
        tiny.plan(f"early_stop={{metric: {metric}, patience: 2}}")


@pytest.mark.parametrize("metric", ["simulated/seconds", "clients/absent"])
def test_an_early_stop_may_watch_the_simulated_clock(metric):
    assert tiny.plan("devices=lognormal", f"early_stop={{metric: {metric}, patience: 2}}")


GRID = ("fixed_point={clip_norm: 1.0, bits: 10}", "strategy={name: mean}")


@pytest.mark.parametrize(
    ("metric", "overrides"),
    [
        ("clients/malicious", ["attack={name: ipm, share: 0.25}"]),
        ("seconds/total", []),
        ("validation/accuracy/p10", ["evaluation.clients=true"]),
        (
            "validation/global/loss/variance",
            ["evaluation.clients=true", "strategy=ditto"],
        ),
        ("encryption/open_seconds", [*GRID, "encryption=shared-key"]),
        ("encryption/members_lost", [*GRID, "encryption={name: threshold, committee: 3, threshold: 2}"]),
        ("proofs/prove_seconds", [*GRID, "proofs=norm-bound"]),
    ],
)
def test_an_early_stop_may_watch_every_figure_of_its_rounds(metric, overrides):
    assert tiny.plan(*overrides, f"early_stop={{metric: {metric}, patience: 2}}")


def test_an_early_stop_on_words_is_refused():
    assert "no round has the metric 'note'" in refusal("early_stop={metric: note, patience: 2}")


@pytest.mark.parametrize("metric", ["seconds/total", "clients/finished", "test/loss", "clients/planned"])
def test_an_early_stop_of_a_private_run_watches_nothing_that_follows_from_data(metric):
    report = refusal(*tiny.PRIVATE, f"early_stop={{metric: {metric}, patience: 2}}")
    assert f"{metric} is not noised" in report


def test_an_early_stop_may_watch_the_average_where_there_is_one():
    stop = "early_stop={metric: average/test/loss, patience: 1}"
    assert tiny.plan("average={decay: 0.9}", stop).experiment.average.decay == 0.9
    assert "no round has the metric 'average/test/loss'" in refusal(stop)


def test_a_place_in_the_file_is_that_of_the_value():
    text = tiny.YAML.replace("clients: 4", "clients: 61")
    source = tiny.source(text=text)
    with pytest.raises(ConfigErrors) as caught, located(source):
        plan(source.experiment)
    assert str(caught.value).startswith("tiny.yaml:7:")
    assert "data.partition.clients = 61" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "place", "said"),
    [
        ("data=user_parts:not_a_part", "data.name", "returned a NoneType"),
        ("data=user_parts:half_a_federation", "data.name", "returned a HalfAFederation"),
        ("strategy=user_parts:not_a_part", "strategy", "returned a NoneType"),
        ("cohort=user_parts:not_a_part", "cohort", "returned a NoneType"),
        (
            "data.partition=user_parts:not_a_part",
            "data.partition",
            "NoneType; a fedcli Partition is expected",
        ),
        (
            "data.preprocessing=[user_parts:not_a_part]",
            "data.preprocessing.0",
            "a fedcli Preprocessor is expected",
        ),
        (
            "client.schedule=user_parts:not_a_part",
            "client.schedule",
            "function (round, rounds) -> factor is expected",
        ),
        ("client.optimizer=user_parts:not_a_part", "client.optimizer", "a fedcli Optimizer is expected"),
        ("strategy={name: fedprox, mu: -1.0}", "strategy.mu", "mu is at least 0"),
        ("client.optimizer={name: sgd, momentum: 2.0}", "client.optimizer.momentum", "momentum lies in"),
        ("client.schedule={name: exponential, decay: 0.0}", "client.schedule.decay", "decay lies in"),
        ("cohort={name: poisson, rate: 0.0}", "cohort.rate", "a sampling rate lies in"),
        ("model={name: lenet}", "model.name", "lenet takes images"),
        ("model={name: mlp, dropout: 1.5}", "model.dropout", "dropout is a share"),
        ("strategy=user_parts:unaccounted", "strategy", "privacy"),
        ("strategy=user_parts:unprotected", "strategy", "privacy"),
        ("strategy=user_parts:unweighted_noise", "strategy", "a client's weight must be bounded"),
        ("strategy=user_parts:twice_clipped", "strategy", "clip"),
        ("task={loss: binary_crossentropy}", "task.loss", "two classes"),
        ("attack={name: sign-flip, clients: [1, 4]}", "attack.clients", "there is no client 4"),
        ("attack={name: sign-flip, share: 0.95}", "attack.share", "all 4 clients would be malicious"),
        ("attack={name: ipm, share: 0.2, epsilon: 0.0}", "attack.epsilon", "a finite number above 0"),
        (
            "attack={name: label-flip, share: 0.2, source: 3, target: 1}",
            "attack.source",
            "the classes are 0 to 2",
        ),
        ("attack={name: backdoor, share: 0.2}", "attack.name", "a backdoor marks images"),
        ("attack={name: user_parts:not_a_part, share: 0.2}", "attack", "returned a NoneType"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_its_key(override, place, said):
    overrides = [override, "data.partition=null"] if override.startswith("data=") else [override]
    report = refusal(*overrides)
    assert place in report
    assert said in report


@pytest.mark.parametrize(
    ("overrides", "place", "said"),
    [
        (["model=user_parts:not_a_part"], "model.name", "a built Keras model is expected"),
        (["callbacks=[user_parts:not_a_part]"], "callbacks", "returned a NoneType"),
        (["executor=user_parts:not_a_part"], "executor", "a fedcli Executor is expected"),
        (["strategy={name: fedper, personal: haed/*}"], "strategy.personal = 'haed/*'", "matches no weight"),
        (["strategy={name: fedper, personal: '*'}"], "strategy.personal = '*'", "matches every weight"),
        (["strategy=fedbn", "model.non_trainable=local"], "strategy", "matches no weight"),
        (["model.trainable=conv*"], "model.trainable", "matches no trainable weights"),
        (["task={loss: nothing}"], "task.loss", "no loss named 'nothing'"),
        (["task={metrics: [AUC]}"], "task.metrics", "'AUC' is not a metric"),
        (["task={loss: categorical_crossentropy}"], "task.loss", "does not fit the targets"),
        (["task={loss: mean_squared_error}"], "task.loss", "does not fit the targets"),
        (["task={loss: mean_squared_error}", "model.dropout=0.0"], "task.loss", "does not fit the targets"),
        (["task={metrics: [mean_absolute_error]}"], "task.loss", "does not fit the targets"),
        (["model.initial_weights=nowhere.npz"], "model.initial_weights", "neither an .npz file nor a run"),
        ([*tiny.PRIVATE, "model.batchnorm=true"], "model.non_trainable", "published without noise"),
    ],
)
def test_what_cannot_be_assembled_is_refused_with_its_key(overrides, place, said):
    report = refusal(*overrides, built=True)
    assert place in report
    assert said in report


def test_private_runs_keep_every_round_unless_their_noise_can_be_drawn_again():
    assert "checkpoint.every" in refusal(*tiny.PRIVATE, "checkpoint.every=3")
    tiny.plan(*tiny.PRIVATE, "checkpoint.every=3", "privacy.reproducible_noise=true")


def test_a_model_whose_output_does_not_fit_is_refused():
    # The model takes the number of outputs for granted that the data gives; a lambda cannot be named in YAML.
    made = tiny.plan()
    wrong = made.training.architecture._replace(build=lambda shape, _outputs: user_parts.tiny(shape, 7))
    with pytest.raises(ConfigErrors, match=r"returns values of shape \[7\]"), located(tiny.source()):
        assemble(replace(made, training=made.training._replace(architecture=wrong)))


@pytest.mark.parametrize("non_trainable", ["local", "frozen"])
def test_a_private_run_with_batchnorm_keeps_its_statistics_to_the_clients(non_trainable):
    with tiny.assembled(*tiny.PRIVATE, "model.batchnorm=true", f"model.non_trainable={non_trainable}") as (
        parts,
        state,
    ):
        after, _, _ = run(parts, state)
        assert np.array_equal(after.statistics, state.statistics)


# --- the user's own parts --------------------------------------------------------------------------------


def test_every_kind_of_part_can_be_the_users_own():
    user_parts.LOG.clear()
    overrides = [
        "model=user_parts:tiny",
        "strategy={name: 'user_parts:half_step', factor: 0.25}",
        "callbacks=[{name: 'user_parts:logging', stop_after: 1}]",
    ]
    with tiny.assembled(*overrides) as (parts, state):
        assert parts.strategy.name == "half-step"
        assert parts.layout.trainable.names == ("only/kernel", "only/bias")
        after, _, _ = run(parts, state)
        assert (
            parts.callbacks[0].on_round_end(None, after, {"round": 1})
            == "the user's callback has seen enough"
        )
    assert user_parts.LOG == [("round", 1, 1)]


def test_a_factors_parameter_reaches_the_part():
    deltas = []
    for factor in (0.5, 0.25):
        with tiny.assembled(f"strategy={{name: 'user_parts:half_step', factor: {factor}}}") as (parts, state):
            deltas.append(run(parts, state)[0].weights - state.weights)
    np.testing.assert_allclose(deltas[0], 2 * deltas[1], rtol=1e-3, atol=1e-7)


MANY = ("data=user_parts:many", "model=user_parts:tiny", "cohort={name: uniform, size: 3}")


def test_of_a_million_clients_only_the_cohorts_are_asked_for():
    with tiny.assembled(*MANY) as (parts, state):
        assert parts.num_clients == 1_000_000
        assert parts.world.federation.source.asked == []
        _, record, rows = run(parts, state)
        assert parts.world.federation.source.asked == [row["client"] for row in rows]
        assert record["clients/finished"] == 3


def test_a_poisson_cohort_of_a_million_is_drawn_without_a_draw_for_each():
    with tiny.assembled(*MANY, "cohort={name: poisson, rate: 5.0e-6}") as (parts, state):
        _, record, _ = run(parts, state)
        assert record["clients/finished"] == len(parts.world.federation.source.asked) < 40


def test_a_client_without_examples_is_rejected_and_the_round_goes_on():
    overrides = ["data={name: 'user_parts:many', clients: 3, empty: [1]}", "model=user_parts:tiny"]
    with tiny.assembled(*overrides, "data.partition=null") as (parts, state):
        after, record, rows = run(parts, state)
        assert record["clients/rejected"] == 1
        assert rows[1]["reason"] == "the client has no training examples"
        assert not np.array_equal(after.weights, state.weights)


def test_a_partition_for_what_is_dealt_out_already_is_refused():
    report = refusal("data={name: 'user_parts:many', partition: {name: iid, clients: 3}}")
    assert "data.partition" in report
    assert "is divided already" in report


def test_a_dataset_without_a_partition_is_refused():
    assert "data.partition is missing" in refusal("data.partition=null")


# --- tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["logits", "sigmoid"])
def test_two_classes_with_one_output(end):
    overrides = ["data.classes=2", "task={loss: binary_crossentropy}", f"model.end={end}", "client.epochs=60"]
    with tiny.assembled(*overrides) as (parts, state):
        assert parts.layout.trainable.shapes[-1] == (1,)
        _, record, _ = run(parts, state)
        assert record["test/accuracy"] > 0.7
        assert record["test/loss"] < 0.6


@pytest.mark.parametrize("targets", [1, 2])
def test_regression_learns_whatever_the_shape_of_its_targets(targets):
    text = tiny.YAML.replace("user_parts:blobs", "user_parts:line")
    source = tiny.source(f"data.targets={targets}", "client.epochs=20", text=text)
    parts, state = assemble(plan(source.experiment))
    before = run(parts, state)[1]["test/loss"]
    after = run(parts, state, rounds=6)[1]
    parts.executor.close()
    assert after["test/loss"] < before / 2
    assert "test/mean_absolute_error" in after


def test_one_hot_labels_take_the_categorical_loss():
    overrides = [
        "data.preprocessing=[{name: one_hot, num_classes: 3}]",
        "task={loss: categorical_crossentropy}",
    ]
    with tiny.assembled(*overrides) as (parts, state), tiny.assembled() as (plain, first):
        one, other = run(parts, state)[1], run(plain, first)[1]
    assert one["test/loss"] == pytest.approx(other["test/loss"], rel=1e-5)
    assert one["test/accuracy"] == other["test/accuracy"]


# --- warm starts -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack_layout():
    with tiny.assembled("model.batchnorm=true") as (parts, state):
        return parts.layout, state


def saved(path, layout, **changes):
    arrays = {
        name: np.full(shape, number, np.float32)
        for group in layout
        for number, (name, shape) in enumerate(zip(group.names, group.shapes, strict=True), start=1)
    }
    arrays |= {name.replace("__", "/"): value for name, value in changes.items()}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return arrays


def test_a_warm_start_takes_every_weight_from_the_file(tmp_path, stack_layout):
    arrays = saved(tmp_path / "w.npz", stack_layout[0], unused=np.ones(3))
    with tiny.assembled("model.batchnorm=true", f"model.initial_weights={tmp_path / 'w.npz'}") as (
        parts,
        state,
    ):
        for vector, group in (
            (state.weights, parts.layout.trainable),
            (state.statistics, parts.layout.statistics),
        ):
            assert all(
                np.array_equal(value, arrays[name]) for name, value in unflatten(vector, group).items()
            )


def test_a_warm_start_fills_frozen_weights_where_the_program_reads_them(tmp_path, stack_layout):
    saved(tmp_path / "w.npz", stack_layout[0], hidden__kernel=np.zeros((4, 6), np.float32))
    overrides = [
        "model.batchnorm=true",
        f"model.initial_weights={tmp_path / 'w.npz'}",
        "model.trainable=head/*",
    ]
    with tiny.assembled(*overrides) as (parts, state):
        assert parts.layout.trainable.names == ("head/kernel", "head/bias")
        after, _, _ = run(parts, state)
        assert np.array_equal(after.frozen, state.frozen)
        # Behind a hidden layer of zeros every example looks alike: the model says the same of all of them.
        x, y = parts.world.federation.test
        start = parts.clients.side.runtime.prepare(_broadcast(after))
        losses = {parts.clients.side.runtime.measure(start, x[k : k + 1], y[:1])["loss"] for k in range(5)}
        assert len(losses) == 1


def _broadcast(state):
    from fedcli.core.rounds import Broadcast

    return Broadcast(state.round, state.weights, state.statistics, 1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head__kernel": None}, "the weight head/kernel is missing"),
        (
            {"head__kernel": np.zeros((6, 4))},
            "the weight head/kernel has shape [6, 4]; the model needs shape [6, 3]",
        ),
        ({"norm__moving_mean": None}, "the weight norm/moving_mean is missing"),
    ],
)
def test_weights_of_another_architecture_are_refused(tmp_path, stack_layout, changes, said):
    saved(tmp_path / "w.npz", stack_layout[0], **changes)
    path = f"model.initial_weights={tmp_path / 'w.npz'}"
    report = refusal("model.batchnorm=true", path, built=True)
    assert "model.initial_weights" in report
    assert said in report


# --- malicious clients -----------------------------------------------------------------------------------


def test_malicious_clients_are_part_of_the_plan():
    assert tiny.plan().world.adversary is None
    adversary = tiny.plan("attack={name: sign-flip, share: 0.5}").world.adversary
    assert adversary.attack.name == "sign-flip"
    assert len(adversary.clients) == 2
    assert tiny.plan("attack={name: sign-flip, clients: [3]}").world.adversary.clients == {3}


@pytest.mark.parametrize("attack", ["sign-flip", "alie", "min-sum", "label-flip"])
def test_honest_clients_train_as_they_would_without_an_attack(attack):
    with tiny.assembled() as (parts, state):
        _, _, honest = run(parts, state)
    strength = ", z: 1.5" if attack == "alie" else ""
    with tiny.assembled(f"attack={{name: {attack}, clients: [1, 2]{strength}}}") as (parts, state):
        _, record, rows = run(parts, state)
    losses = [{row["client"]: row["train/loss"] for row in each} for each in (honest, rows)]
    assert {k for k in range(4) if losses[0][k] == losses[1][k]} == (
        {0, 3} if attack == "label-flip" else {0, 1, 2, 3}
    )
    assert {row["client"] for row in rows if row.get("malicious")} == {1, 2}
    assert record["clients/malicious"] == 2


@pytest.mark.parametrize("task", ["{}", "{loss: categorical_crossentropy}"])
def test_a_backdoor_gets_into_the_mean_of_a_real_model(task):
    steps = [
        "{name: scale, factor: 0.0625}",
        *(["{name: one_hot, num_classes: 10}"] if "loss" in task else []),
    ]
    overrides = [
        "data={name: digits, partition: {name: iid, clients: 4}}",
        f"data.preprocessing=[{', '.join(steps)}]",
        "model={name: mlp, hidden: [32]}",
        "strategy=mean",
        "client={optimizer: {name: sgd, learning_rate: 0.2}, batch_size: 16}",
        f"task={task}",
    ]
    with tiny.assembled(
        *overrides, "attack={name: backdoor, clients: [0], target: 3, size: 2, boost: 4.0}"
    ) as (
        parts,
        state,
    ):
        _, record, _ = run(parts, state, rounds=8)
    assert record["attack/success_rate"] > 0.9
    assert record["test/accuracy"] > 0.5


def test_the_success_of_a_trigger_is_counted_by_the_accuracy():
    images = ["data={name: digits, partition: {name: iid, clients: 4}}", "model=mlp"]
    report = refusal(*images, "attack={name: backdoor, share: 0.2}", "task={metrics: []}")
    assert "task.metrics = []" in report
    assert "counted by the metric accuracy; task.metrics has none" in report
    tiny.plan(*images, "attack={name: ipm, share: 0.2}", "task={metrics: []}")


def test_a_success_rate_can_end_a_run():
    images = ["data={name: digits, partition: {name: iid, clients: 4}}", "model=mlp"]
    stop = "early_stop={metric: attack/success_rate, patience: 2}"
    tiny.plan(*images, stop, "attack={name: backdoor, share: 0.2}")
    assert "no round has the metric 'attack/success_rate'" in refusal(*images, stop)

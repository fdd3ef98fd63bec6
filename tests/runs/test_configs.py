"""Every ready config is valid, states its cost, and runs for two rounds."""

import math
from pathlib import Path

import pytest
from hooked import hooks_of

from fedcli import config
from fedcli.cli.templates import templates
from fedcli.components.strategies import STRATEGIES
from fedcli.engine import loop
from fedcli.engine.ports import Observer
from fedcli.experiment.assemble import assemble, with_keys
from fedcli.experiment.cost import cost
from fedcli.experiment.plan import plan
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
IMAGES = Path("/usr/share/datasets/fashion-mnist")


def load(path: Path, *overrides: str) -> config.Config:
    loaded = config.load(path, overrides)
    if loaded.experiment.data.part.name == "fashion_mnist" and not IMAGES.is_dir():
        pytest.skip("the package dataset-fashion-mnist is not installed")
    return loaded


def small(path: Path) -> list[str]:
    """Two rounds of a small cohort: the config's own parts, less of the same work.

    Clients of one size, since XLA compiles for every size anew; the config's own partition is dealt out in
    `test_its_cost_is_told_without_training`.
    """
    experiment = config.load(path).experiment
    # Masks need three clients, since of two each would learn the other's update.
    size = 2 if experiment.encryption is None else 3
    smaller = {"uniform": [f"cohort.size={size}"], "poisson": ["cohort.rate=0.003"]}
    overrides = ["rounds=2", "evaluation.every=2", *smaller.get(experiment.cohort.name, [])]
    if experiment.participation.wait_for is not None:
        overrides.append("participation.wait_for=1")
    if experiment.encryption is not None and experiment.model.part.name == "cnn":
        overrides += ["cohort={name: uniform, size: 2}", "client.steps=1"]
    partition = experiment.data.partition
    if partition is not None and "clients" in partition.parameters:
        overrides.append(f"data.partition={{name: iid, clients: {partition.parameters['clients']}}}")
    if experiment.proofs is not None and experiment.strategy.name == "dp-distributed":
        # A proof takes a tenth of a second, however small the model is.
        overrides += ["data.partition.clients=4", "strategy.contributors=3"]
        overrides.append("encryption={name: threshold, committee: 3, threshold: 2}")
    return [*overrides, "strategy.buffer_size=2"] if experiment.strategy.name == "fedbuff" else overrides


def test_every_config_of_the_folder_is_a_template():
    assert sorted(template.path.name for template in templates()) == sorted(path.name for path in CONFIGS)
    assert all(template.summary for template in templates())


def test_every_strategy_has_a_config_of_its_own():
    named = {config.load(path).experiment.strategy.name for path in CONFIGS}
    assert named == {*STRATEGIES, "fedprox + median + adam"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_resolved_form_is_the_same_experiment(path):
    experiment = config.load(path).experiment
    assert config.loads(config.dump(experiment)).experiment == experiment
    assert experiment.name == path.stem.replace("_", "-")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_cost_is_told_without_training(path):
    made = plan(load(path).experiment)
    facts = cost(made)
    assert facts["client_steps_per_round"] > 0
    # What is shipped as an example should end at an epsilon that can be defended.
    assert facts.get("epsilon", 0.0) <= 8.0
    assert not [
        text for text in facts.get("warnings", ()) if "exceeds 1 /" in text or "hard to defend" in text
    ]
    if made.protocol.strategy.trainer.personal is not None:
        # Which weights are personal, only the built model tells.
        assert facts["parameters"] is facts["bytes_up_per_round"] is None
        return
    assert facts["parameters"] > 0


# Configs of one strategy or attack each: tests of those parts run them, too.
OF_ONE_PART = [path for path in CONFIGS if path.parent.name in ("strategies", "attacks")]
LONG = {
    "dp_fashion_mnist",
    "encrypted_dp_distributed",
    "encrypted_threshold",
    "fashion_mnist_cnn",
    "fashion_mnist_weighted",
    "fednova_synthetic",
    "private_verified_encrypted",
    "verified",
}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=path.stem, marks=pytest.mark.slow if path in OF_ONE_PART or path.stem in LONG else ()
        )
        for path in CONFIGS
    ],
)
def test_it_runs_for_two_rounds(path, tmp_path):
    loaded = load(path, *small(path))
    setup = plan(loaded.experiment)
    parts, state = assemble(setup)
    parts, _ = with_keys(parts)
    create_run(tmp_path / "run", config=config.dump(loaded.experiment), environment={})
    run = RunStore(tmp_path / "run", parts.layout, every=1)
    try:
        final, _ = loop.run_experiment(parts, run.begin(state), run, Observer(), hooks_of(parts))
    finally:
        run.close()
        parts.executor.close()
    assert final.round == 2
    assert math.isfinite(run.records[-1]["test/loss"])
    assert parts.clients.side.runtime.num_traces == 1
    # A cohort drawn by coins may be empty; in every other one all have trained, but for clients that cheat.
    if loaded.experiment.cohort.name != "poisson":
        record = run.records[0]
        finished, cheats = record["clients/finished"], record.get("clients/malicious", 0)
        expected = record["clients/planned"] - record.get("clients/absent", 0)
        assert expected - cheats <= finished <= expected
        assert finished > 0
        # A cohort that is drawn by coins has another size in every round.
        sampling = setup.world.cohort.sampling(setup.num_clients)
        if finished == record["clients/planned"] and sampling.has_fixed_size:
            facts = cost(setup, parameters=state.weights.size, statistics=state.statistics.size)
            up = facts["bytes_up_per_round"]
            # What is told is the proof of a client of weight 1; lighter clients prove smaller bounds, in fewer bytes.
            assert (0.99 * up if loaded.experiment.proofs else up) <= record["bytes_up"] <= up
            assert record["bytes_down"] == facts["bytes_down_per_round"]

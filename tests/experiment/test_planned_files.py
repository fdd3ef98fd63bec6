"""Runs whose files could not be read again are refused in the plan: nothing is trained, and no directory is made."""

import numpy as np
import pytest
import tiny

from fedcli.components.models.network import Vectors
from fedcli.config import ConfigErrors
from fedcli.core.trees import to_table
from fedcli.experiment.assemble import initial_state
from fedcli.experiment.plan import warnings_of
from fedcli.experiment.planned_files import ModelSizes, checkpoint_files, client_state_bytes
from fedcli.store.files import limits

PROOFS = ("strategy={name: mean}", "fixed_point={clip_norm: 2.0, bits: 12}", "proofs=norm-bound")


def refusal(*overrides):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides)
    return str(caught.value)


def test_more_lines_of_clients_than_a_log_may_have_are_warned_of(monkeypatch):
    # Four clients of two metrics: 256 bytes a line at most. The run may end before, so that it is not refused.
    monkeypatch.setattr(limits, "LOG", 256 * 4 * 10)
    assert warnings_of(tiny.plan("rounds=10")) == []
    (said,) = warnings_of(tiny.plan("rounds=11"))
    assert said.startswith("11 rounds of 4 clients make 44 lines of clients.jsonl, about 11,264 bytes;")
    assert "after some 10 rounds" in said
    assert warnings_of(tiny.plan("rounds=20", "cohort={name: uniform, size: 2}")) == []
    quiet = (*tiny.PRIVATE, "rounds=90", "privacy.publish=noised-only", "data.validation_fraction=0")
    assert not any("clients.jsonl" in each for each in warnings_of(tiny.plan(*quiet)))


def test_what_a_client_keeps_is_planned_with_what_its_transforms_keep():
    sizes = ModelSizes(300)
    for overrides, vectors in [
        (["strategy=mean"], 0),
        (["strategy=mean", "compression=top_k"], 1),
        (["strategy=mean", "compression={name: top_k, error_feedback: false}"], 0),
        (["strategy=ditto", "compression={name: random_k, fraction: 0.1}"], 2),
    ]:
        assert client_state_bytes(tiny.plan(*overrides), sizes) == 4 * 300 * vectors, overrides


def test_more_signers_than_environment_json_has_keys_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "JSON", (1 << 20) + 71 * 3)
    tiny.plan()
    said = refusal(*PROOFS)
    assert "the public keys of 4 clients, who sign their proofs, do not fit into environment.json" in said
    assert "Use at most 3 clients, or leave proofs out." in said


def large(hidden):
    return f"model={{name: mlp, hidden: [{hidden}, {hidden}]}}"


def test_a_checkpoint_that_could_not_be_written_or_read_is_refused_in_the_plan():
    # Two moments in float32 and the sum of the average in float64, of 73.6 million weights.
    tiny.plan(large(8575), "strategy=fedadam")
    said = refusal(large(8575), "strategy=fedadam", "average={decay: 0.9}")
    assert "model = {name: 'mlp'" in said
    assert "state.npz would have 1,177,724,848 bytes for a model of 73,607,803 weights" in said
    assert (
        "Use a model of at most 67,043,328 weights, or a strategy whose server keeps less, or no `average`."
        in said
    )
    assert "weights.npz would have 1,076," in refusal(large(16400))
    tiny.plan(large(8575), "strategy=scaffold")
    banded = "strategy={name: dp-banded, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-3, bands: 3}"
    cohort = ("cohort={name: min-separation, separation: 3, rate: 0.9}", "rounds=3")
    assert "the noise of earlier rounds would have" in refusal(large(8575), banded, *cohort)
    # Of more bands than rounds, each round's noise is kept: 3 x 8 bytes for each of 49 million weights.
    many = banded.replace("bands: 3", "bands: 10")
    cohort = (
        "cohort={name: min-separation, separation: 10, rate: 0.9}",
        "rounds=3",
        "data.partition.clients=10",
    )
    assert "the noise of earlier rounds would have 1,177,512,072" in refusal(large(7000), many, *cohort)


def test_an_asynchronous_run_that_may_keep_too_many_models_is_warned_of(monkeypatch):
    fedbuff = ("strategy={name: fedbuff, buffer_size: 2}", "devices=lognormal", "rounds=9", large(4000))
    assert warnings_of(tiny.plan(*fedbuff)) == []
    monkeypatch.setattr(limits, "BINARY", 1 << 27)
    said = warnings_of(tiny.plan(*fedbuff))
    assert "if the run keeps 4 older models at once, state.npz has 256," in said[0]


def test_a_model_whose_size_only_keras_knows_is_refused_before_a_run_directory(monkeypatch):
    monkeypatch.setattr(limits, "BINARY", (1 << 20) + 4 * 14)
    refused = pytest.raises(ConfigErrors, match=r"weights\.npz would have 60 bytes for a model of 15 weights")
    with refused, tiny.assembled("model=user_parts:tiny"):
        pass


@pytest.mark.parametrize(
    "strategy", ["mean", "fedadam", "scaffold", "feddyn", "{name: centered-clipping, clip_norm: 1.0}"]
)
def test_the_arrays_of_a_state_have_the_bytes_that_were_planned(strategy):
    made, size = tiny.plan(f"strategy={strategy}", "model={name: mlp, hidden: [5]}"), 300
    vectors = Vectors(*(np.zeros(n, np.float32) for n in (size, 7, 5, 0)))
    state = initial_state(made.protocol.strategy, vectors)
    arrays = to_table(
        {"server": state.server, "aggregator": state.aggregator, "transforms": state.transforms}
    )
    files = checkpoint_files(made, ModelSizes(size, 7, 5))
    assert files["weights.npz"] == 4 * (size + 7 + 5)
    kept = 48 * 4 if made.protocol.strategy.trainer.keeps else 0
    assert files["state.npz"] == kept + sum(each.nbytes for each in arrays.values() if each.ndim)

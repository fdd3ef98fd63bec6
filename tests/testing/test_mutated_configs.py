"""Whatever a config says, reading and checking it gives an experiment or a sentence with a place."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from fedcli.testing.mutated_configs import mutated

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def fuzzing():
    spec = importlib.util.spec_from_file_location("fuzz_configs", ROOT / "benchmarks/fuzz_configs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QUICKSTART = (ROOT / "configs/quickstart.yaml").read_text()
FOUND = {
    "a deviation of minus zero": ["data={name: synthetic, beta: -0.0, partition: natural}"],
    "noise of minus zero": ["data={name: synthetic_regression, noise: -0.0, partition: {name: iid, clients: 2}}"],
    "an integer that is no float": [f"strategy={{name: dnc, num_byzantine: {10**400}}}"],
    "an integer that is no int64": [("data.partition.clients", 2**64)],
    "two billion bands": [
        "strategy={name: dp-banded, clip_norm: 1.0, noise_multiplier: 1.0, bands: 2000000000, delta: 0.1}"
    ],
    "more than a million drawn clients": ["data={name: synthetic, clients: 1000001, partition: natural}"],
    "ten million drawn examples": [
        "data={name: synthetic_regression, examples: 10000000, features: 1, partition: {name: iid, clients: 2}}"
    ],
    "three million drawn examples": [
        "data={name: synthetic, clients: 4096, partition: {name: dirichlet, clients: 10, alpha: 0.5}}"
    ],
    "more weights than an int64 counts": [
        f"model={{name: mlp, hidden: [{2**63 - 1}]}}",
        "fixed_point={clip_norm: 10.0, bits: 16, max_examples: 100}",
    ],
    "an inner name": ["part=1", "data.part=x", "model.part.name=3", "strategy.part={name: x}", "evaluation.part=1"],
}  # fmt: skip


@pytest.mark.parametrize("fault", FOUND)
def test_what_was_found_is_accepted_or_refused_by_a_sentence(fuzzing, fault):
    said = fuzzing.answered(QUICKSTART, tuple(FOUND[fault]))
    assert said == ("refused" if "minus zero" not in fault else said)
    assert not said.startswith("!"), said


def test_a_text_of_many_values_is_refused_before_it_is_read_to_the_end(fuzzing):
    assert fuzzing.answered(QUICKSTART + "x: [" + "1, " * 80_000 + "1]\n", ()) == "refused"


def hold(fuzzing, seed, count):
    bases = fuzzing.texts(ROOT / "configs")
    for number in range(count):
        name = sorted(bases)[number % len(bases)]
        case = mutated(bases[name], np.random.Generator(np.random.Philox(seed + number)))
        said = fuzzing.answered(case.text, case.overrides)
        assert not said.startswith("!"), (name, seed + number, case.changes, said)


def test_a_few_changed_configs_are_accepted_or_refused_by_sentences(fuzzing):
    hold(fuzzing, 77, 8)


@pytest.mark.slow
def test_many_changed_configs_are_accepted_or_refused_by_sentences(fuzzing):
    hold(fuzzing, 1_000, 400)

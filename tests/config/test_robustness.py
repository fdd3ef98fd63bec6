"""Whatever comes in, an experiment or `ConfigErrors` comes out; and what is written down loads again."""

import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fedcli.config import ConfigErrors, dump, load

from .fakes import REGISTRIES, Order, config
from .test_problems import EIGHT

FULL = """\
name: all-of-it
seed: 7
rounds: 50
data:
  name: blobs
  path: "a b/c.npz"
  order: little
  partition: &p {name: dirichlet, clients: 100, alpha: 0.5}
  validation_fraction: 2e-1
  preprocessing: [flatten, {name: scale, factor: .5}]
model: {name: mlp, hidden: [10, 20], trainable: "*head*", non_trainable: local}
task: {loss: mse, metrics: [mae, mse]}
client:
  optimizer: {name: adam, learning_rate: 1e-3, betas: [0.9, 0.99]}
  schedule: {name: step, milestones: [10, 20], mode: ceil}
  steps: 5
  clip_gradient_norm: 1
cohort: {name: uniform, size: 10}
strategy: {name: krum, num_byzantine: [1, 2], table: {'1': 2.5, no: 1}, extra: [null, {a: .inf}]}
evaluation: {every: 2, clients: true}
early_stop: {metric: validation/loss, patience: 3, mode: min}
executor: threads
"""

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
file_text = text.filter(lambda value: value != "")
integers = st.integers(1 - 2**63, 2**63 - 1)
positive = st.integers(1, 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False) | text,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(text.filter(lambda key: key != "<<"), below, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def experiments(draw):
    """Experiments with values of every type, made by changing what a file says."""
    read = config(FULL).experiment
    part = read.strategy
    parameters = {
        "num_byzantine": draw(integers | st.lists(integers, max_size=30)),
        "table": draw(st.none() | st.dictionaries(text.filter(lambda key: key != "<<"), finite, max_size=3)),
        "extra": draw(anything),
    }
    blobs = {"path": draw(text), "order": draw(st.sampled_from(Order))}
    data = {
        "part": type(part)("blobs", blobs),
        "validation_fraction": draw(st.floats(0, 0.999, exclude_min=True)),
    }
    return read.model_copy(
        update={
            "name": draw(st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=80)),
            "seed": draw(st.integers(0, 2**63 - 1)),
            "rounds": draw(st.integers(1, 100_000)),
            "data": read.data.model_copy(update=data),
            "model": read.model.model_copy(update={"trainable": draw(st.none() | file_text)}),
            "task": read.task.model_copy(update={"metrics": draw(st.none() | st.lists(text).map(tuple))}),
            "strategy": type(part)("krum", parameters),
        }
    )


@settings(max_examples=60, deadline=None)
@given(experiments())
def test_what_is_dumped_loads_to_the_same(experiment):
    written = dump(experiment)
    again = config(written).experiment
    assert again == experiment
    assert dump(again) == written


def survives(call):
    try:
        call()
        said = "valid"
    except ConfigErrors as errors:
        said = str(errors)
    assert said
    assert all(line.isprintable() for line in said.split("\n"))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters()) | st.text("ab:-?[]{},&*!|>'\"%@`# \n\t~<=.019", max_size=60))
@example("a: \ud800")
@example("\ufeff")
@example("*")
@example("!<")
@example("%YAML 1." + "9" * 5000 + "\n---\n")
@example("a: " + "9" * 5000)
@example("a: 1e" + "9" * 5000)
def test_any_text_survives(written):
    survives(lambda: config(written))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_survive(tmp_path, written):
    (tmp_path / "c.yaml").write_bytes(written)
    survives(lambda: load(tmp_path / "c.yaml", registries=REGISTRIES.__getitem__))


PIECES = ["", ":", " ", "\n", "- ", "{", "}", "[", "]", ",", "*p", "&p ", "!!int ", "null", "true", "1", "1.5",
          ".inf", ".nan", "'", '"', "#", "<<", "x", "\t", "name", "10", "-1", "[1, 2]", "{a: 1}",
          "\x00", "|", ">", "? "]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([FULL, EIGHT]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)),
                                                min_size=1, max_size=4))  # fmt: skip
def test_any_mutation_survives(written, mutations):
    for where, num_dropped, piece in mutations:
        start = int(where * len(written))
        written = written[:start] + piece + written[start + num_dropped :]
    survives(lambda: config(written))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([
    "rounds", "data", "data.partition", "data.partition.clients", "data.preprocessing.0", "model.hidden.1", "task",
    "client.optimizer", "strategy", "strategy.extra", "early_stop", "callbacks", "executor", "name", "model", "", "x.1",
]), anything.map(str) | text), max_size=4))  # fmt: skip
def test_any_override_survives(overrides):
    survives(lambda: config(FULL, *(f"{key}={value}" for key, value in overrides)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FULL.splitlines()), anything)
def test_any_value_in_any_place_survives(line, value):
    key = line.split(":")[0].strip()
    survives(lambda: config(FULL.replace(line, line.split(":")[0] + f": {value!r}")))
    survives(lambda: config(FULL, f"{key}={value!r}"))


def test_the_full_file_is_valid():
    assert config(FULL).experiment.strategy.parameters["extra"] == [None, {"a": float("inf")}]


@pytest.mark.parametrize(
    "text", ["\x85", "a\u2028b", "\ufeff", "a\n\n b\n", "\t", " a ", "\U0001f600", "a: b #c"]
)
def test_text_that_yaml_writers_lose(text):
    experiment = config(FULL).experiment
    changed = experiment.model_copy(update={"model": experiment.model.model_copy(update={"trainable": text})})
    assert config(dump(changed)).experiment == changed


@pytest.mark.parametrize(
    "word", ["no", "1:30", "2024-01-02", "010", "0x1F", "1_000", "=", "<<", "null", "true", "~", ""]
)
def test_words_that_others_take_for_something_else_are_quoted(word):
    experiment = config(FULL, f"data.path='{word}'").experiment
    assert f"path: '{word}'" in dump(experiment)

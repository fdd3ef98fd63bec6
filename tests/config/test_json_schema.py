"""The JSON Schema accepts what the reader accepts, and refuses of it what a schema can say."""

import json
import types
import typing
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from fedcli.cli.list_parts import SECTIONS
from fedcli.config import ConfigErrors, Place, flat, installed, json_schema, load, loads
from fedcli.config.signatures import needs_more
from fedcli.config.yaml.tree import parse, plain
from fedcli.core.errors import ConfigError
from fedcli.core.factories import describe
from fedcli.core.stated_ranges import stated_range
from fedcli.experiment.compose import strategy_from, written_out

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
SMALL = """\
rounds: 3
data: {name: digits, partition: {name: iid, clients: 10}}
model: {name: mlp}
"""
FAULTS = [
    "roundz: 3",
    "rounds: 0",
    "rounds: '3'",
    "rounds: 1000000",
    "seed: -1",
    "name: a/b",
    "data: digits",
    "data: {name: digits}",
    "data: {name: digits, partition: null}",
    "data: {name: digitz, partition: {name: iid, clients: 10}}",
    "data: {name: digits, partition: {name: iid}}",
    "data: {name: digits, partition: {name: dirichlet, clients: 10, alfa: 1}}",
    "data: {name: digits, partition: {name: iid, clients: 10}, validation_fraction: 1}",
    "data: {name: digits, partition: {name: iid, clients: 10}, preprocessing: flatten}",
    "data: {name: digits, partition: {name: iid, clients: 10}, preprocessing: [flatten, scale]}",
    "model: {name: mlp, hiden: [3]}",
    "model: {name: mlp, hidden: 3}",
    "model: {name: mlp, hidden: [3, 0]}",
    "model: {name: mlp, non_trainable: shared}",
    "task: null",
    "client: {epochs: 1, steps: 5}",
    "client: {optimizer: {name: sgd, momentum: 1}}",
    "client: {optimizer: {name: adam, learning_rate: 0}}",
    "client: {batch_size: true}",
    "cohort: null",
    "cohort: uniform",
    "cohort: {name: uniform, size: 0}",
    "cohort: {name: uniform, size: 2.5}",
    "cohort: {name: poisson, rate: 1.5}",
    "strategy: krum",
    "strategy: {}",
    "strategy: 7",
    "strategy: {name: fedprox, mu: -1}",
    "strategy: {name: fedprox, client: sgd}",
    "strategy: {aggregator: mean, agregator: mean}",
    "strategy: {weighting: equal}",
    "strategy: {privacy: {delta: 0}}",
    "strategy: {transforms: [{name: clip, clip_norm: 0}]}",
    "strategy: {name: dp-clipped, clip_norm: 1.0, delta: 1, noise_multiplier: 1.0}",
    "attack: {name: sign-flip}",
    "attack: {name: sign-flip, share: 0.2, clients: [1]}",
    "attack: {name: sign-flip, share: 1}",
    "early_stop: {metric: test/loss}",
    "callbacks: [stop]",
    "checkpoint: {keep_last: 0}",
    "fixed_point: {bits: 30}",
]
FINE = [
    "strategy: {name: 'my_rules:midrange', anything: [1, 2]}",
    "strategy: {aggregator: median, buffer: null}",
    "data: my_data:load",
    "model: lenet",
    "data: {name: digits, partition: {name: iid, clients: 10}, preprocessing: []}",
    "attack: {name: sign-flip, clients: [1], share: null}",
    "devices: null",
    "callbacks: ['my_callbacks:stop', {name: 'my_callbacks:stop', accuracy: 0.5}]",
]


@pytest.fixture(scope="module")
def schema():
    # As a program reads what `fedcli schema` prints.
    made = json.loads(json.dumps(json_schema()))
    Draft202012Validator.check_schema(made)
    return made


@pytest.fixture(scope="module")
def accepts(schema):
    return Draft202012Validator(schema).is_valid


def values(text):
    return plain(parse(text, partial(Place, "a.yaml")).node)


def small(changes):
    return {**values(SMALL), **values(changes)}


def as_read(mapping):
    return loads(json.dumps(mapping), imports=False)


def test_every_ready_config_is_accepted(accepts):
    assert len(CONFIGS) > 50
    assert [path.name for path in CONFIGS if not accepts(values(path.read_text(encoding="utf-8")))] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_that_show_prints_is_accepted(path, accepts):
    experiment = load(path).experiment
    written = written_out(strategy_from(experiment.strategy))
    assert accepts(json.loads(json.dumps(flat(experiment))))
    if written is not None:
        assert accepts(json.loads(json.dumps(flat(experiment.model_copy(update={"strategy": written})))))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_reader_refuses_is_refused(fault, accepts):
    with pytest.raises(ConfigErrors):
        as_read(small(fault))
    assert not accepts(small(fault))


@pytest.mark.parametrize("changes", FINE)
def test_what_the_reader_accepts_is_accepted(changes, accepts):
    as_read(small(changes))
    assert accepts(small(changes))


@pytest.mark.parametrize("missing", ["rounds", "data", "model"])
def test_a_key_without_a_default_is_needed(missing, accepts):
    assert not accepts({key: value for key, value in values(SMALL).items() if key != missing})


def test_every_key_and_every_parameter_is_described(schema):
    assert [key for key, about in schema["properties"].items() if not about["description"]] == []
    undescribed = [
        (section, name, parameter.name)
        for section in SECTIONS.values()
        for name, factory in installed(section).items()
        for parameter in describe(factory).parameters
        if not describe(factory).arguments.get(parameter.name)
    ]
    assert undescribed == []


# A bound of these depends on another parameter, or has a hole; no stated range can say that.
RELATIVE = {
    ("dp-adaptive", "count_deviation"),
    ("adaptive-clip", "count_deviation"),
    ("dp-distributed", "colluders"),
    ("distributed-noise", "colluders"),
    ("power-of-choice", "candidates"),
    ("scale", "factor"),
}


def numbers(section):
    """The numeric parameters of built-ins that are made of their parameters alone: name, parameter, type, range."""
    for name, factory in installed(section).items():
        about = describe(factory)
        for parameter in about.parameters:
            kinds = typing.get_args(parameter.annotation) or (parameter.annotation,)
            number = next((kind for kind in (int, float) if kind in kinds), None)
            is_list = typing.get_origin(parameter.annotation) not in (None, typing.Union, types.UnionType)
            if number and not is_list and not needs_more(factory) and (name, parameter.name) not in RELATIVE:
                make = partial(factory, **about.example)
                yield make, parameter.name, number, stated_range(about.arguments[parameter.name])


@pytest.mark.parametrize("section", sorted({*SECTIONS.values()} - {"executor"}))
def test_the_ranges_that_docstrings_state_are_those_that_factories_hold(section):
    wrong = []
    for make, name, number, bounds in numbers(section):
        for value in map(number, (-1e9, -1e-9, 0, 1, 1e9)):
            try:
                make(**{name: value})
                is_held = True
            except ConfigError as error:
                is_held = False
                # An error of another key, or of none, is one of values that do not fit together.
                if error.key not in (name, ""):
                    continue
            if is_held != is_in(bounds, value):
                wrong.append((make.func.__name__, name, value, str(bounds)))
    assert wrong == [], wrong


def is_in(bounds, value):
    above = bounds.least is None or value > bounds.least or (value == bounds.least and not bounds.above)
    below = bounds.most is None or value < bounds.most or (value == bounds.most and not bounds.below)
    return above and below


def test_a_custom_factory_gives_its_types_and_its_docstring():
    def rule(*, share: float = 0.5, order: typing.Literal["big", "little"] = "big"):
        """A rule.

        Args:
            share: of the clients, in (0, 1].
            order: how they are ordered.
        """

    made = json_schema(lambda section: {"rule": rule} if section == "strategy.aggregator" else {})
    (branch,) = made["$defs"]["strategy.aggregator"]["anyOf"][1]["allOf"]
    assert branch["then"]["properties"]["share"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 0.5,
        "description": "of the clients, in (0, 1].",
    }
    assert branch["then"]["properties"]["order"]["enum"] == ["big", "little"]

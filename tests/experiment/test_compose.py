"""Strategies written out part by part: every recipe has a long form, and it is the same strategy to the bit."""

import json

import numpy as np
import pytest
import tiny
from built_ins import NEEDED, REQUIRED

from fedcli import config
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import clip
from fedcli.config import ConfigErrors, Part
from fedcli.core.factories import describe
from fedcli.core.transform import Transform
from fedcli.core.trees import to_table
from fedcli.engine.round import run_round
from fedcli.experiment.compose import (
    noise_multiplier_of,
    same,
    strategy_from,
    with_noise_multiplier,
    written_out,
)
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan
from fedcli.store.files import npz

every_recipe = pytest.mark.parametrize("name", STRATEGIES)


def long_form(source):
    """The experiment with its strategy written out, through the text of a file."""
    experiment = source.experiment
    written = written_out(strategy_from(experiment.strategy))
    return config.loads(config.dump(experiment.model_copy(update={"strategy": written})))


def recipe(name, parameters, *more):
    return tiny.source(f"strategy={json.dumps({'name': name, **parameters})}", *more)


@every_recipe
@pytest.mark.parametrize("given", ["example", "small"])
def test_the_long_form_of_a_recipe_is_a_valid_config_that_makes_the_same_strategy(name, given):
    parameters = describe(STRATEGIES[name]).example if given == "example" else REQUIRED[name]
    strategy = STRATEGIES[name](**parameters)
    read = long_form(recipe(name, parameters)).experiment.strategy
    assert not isinstance(read, Part)
    again = strategy_from(read)
    assert same(again._replace(name=name), strategy)
    assert same([part.made for part in again.transforms], [part.made for part in strategy.transforms])
    assert (again.trainer.made, again.aggregator.made) == (strategy.trainer.made, strategy.aggregator.made)


ENGINE = (
    *("weighted", "fedprox", "scaffold", "fednova", "fedrep", "apfl", "fedadam", "krum", "fedbuff"),
    *("dp-clipped", "dp-adaptive", "dp-distributed", "dp-banded"),
)


def two_rounds(source):
    """Weights, server state, state of the transforms and of the clients after two rounds, as bytes."""
    with tiny.assembled_from(source) as (parts, state):
        for _ in range(2):
            state, _, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    trees = {"server": state.server, "transforms": state.transforms, "clients": dict(state.clients)}
    return state.weights.tobytes(), npz.to_bytes(to_table(json_keys(trees)))


def json_keys(tree):
    return {str(key): json_keys(value) for key, value in tree.items()} if isinstance(tree, dict) else tree


@pytest.mark.parametrize("name", ENGINE)
def test_the_long_form_comes_to_the_same_bits(name):
    source = recipe(name, REQUIRED[name], "privacy.reproducible_noise=true", *NEEDED[name])
    assert two_rounds(long_form(source)) == two_rounds(source)


@pytest.mark.parametrize("name", ["dp-clipped", "dp-adaptive", "dp-local", "dp-per-layer", "dp-distributed"])
def test_noise_that_is_left_to_epsilon_is_the_same_in_the_long_form(name):
    open_noise = {**REQUIRED[name], "noise_multiplier": None, "epsilon": 8.0}
    source = recipe(name, open_noise, *NEEDED[name])
    written = long_form(source)
    assert noise_multiplier_of(written.experiment.strategy) is None
    named, composed = (plan(each.experiment) for each in (source, written))
    found = noise_multiplier_of(named.experiment.strategy)
    assert found == noise_multiplier_of(composed.experiment.strategy) > 0
    assert [part.privacy for part in named.protocol.strategy.transforms] == [
        part.privacy for part in composed.protocol.strategy.transforms
    ]


def test_only_noise_that_is_left_open_is_set():
    section = tiny.source(
        "strategy={privacy: {delta: 1e-3, epsilon: 8.0}, transforms: [{name: clip, clip_norm: 1.0}, "
        "{name: gaussian-noise, clip_norm: 1.0, noise_multiplier: null}]}"
    ).experiment.strategy
    first, last = with_noise_multiplier(section, 2.0).transforms
    assert first == section.transforms[0]
    assert last.parameters == {**section.transforms[1].parameters, "noise_multiplier": 2.0}


def test_parts_are_named_alone_or_with_parameters_and_have_defaults():
    read = tiny.source(
        "strategy={client: fedprox, aggregator: median, server_optimizer: adam}"
    ).experiment.strategy
    assert (read.client, read.aggregator) == (Part("fedprox", {"mu": 0.01}), Part("median"))
    assert (read.name, read.weighting, read.transforms, read.buffer) == (
        "fedprox + median + adam",
        "uniform",
        (),
        None,
    )
    made = strategy_from(read)
    assert [part.name for part in (made.trainer, made.aggregator, made.server)] == [
        "fedprox",
        "median",
        "adam",
    ]


def test_a_strategy_that_was_written_out_runs():
    source = tiny.source("strategy={client: fedprox, aggregator: median, server_optimizer: adam}")
    assert two_rounds(source) == two_rounds(long_form(source))


def test_a_part_that_was_changed_after_it_was_made_is_not_written_as_what_it_was():
    def doubled(update, _state, _context):
        return update

    strategy = STRATEGIES["mean"]()
    changed = clip(clip_norm=1.0)._replace(encode=doubled)
    assert written_out(strategy._replace(transforms=(clip(clip_norm=1.0),))) is not None
    assert written_out(strategy._replace(transforms=(changed,))) is None
    assert written_out(strategy._replace(transforms=(Transform("custom"),))) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (clip(clip_norm=1.0), clip(clip_norm=1.0), True),
        (clip(clip_norm=1.0), clip(clip_norm=2.0), False),
        ({"a": [1, np.ones(2)]}, {"a": (1, np.ones(2))}, True),
        ({"a": 1}, {"b": 1}, False),
        ([1], [1, 2], False),
        (np.ones(2), np.zeros(2), False),
    ],
)
def test_values_are_the_same_if_they_do_the_same(one, other, expected):
    assert same(one, other) is expected


def refusal(strategy):
    """The first problem's key and sentence."""

    def made():
        source = tiny.source(f"strategy={strategy}")
        with located(source):
            strategy_from(source.experiment.strategy)

    with pytest.raises(ConfigErrors) as caught:
        made()
    problem = caught.value.problems[0]
    return problem.key, f"{problem.expected} {problem.hint}"


GAUSS = "{name: gaussian-noise, noise_multiplier: 1.0, clip_norm: 1.0}"
CLIP = "{name: clip, clip_norm: 1.0}"
GRID = "finite, {name: fixed-point, clip_norm: 1.0, bits: 16}"


@pytest.mark.parametrize(
    ("strategy", "key", "said"),
    [
        ("{client: fedprx}", "strategy.client", "Did you mean fedprox?"),
        (
            "{client: {name: moon, temprature: 1.0}}",
            "strategy.client.temprature",
            "Did you mean temperature?",
        ),
        ("{client: {name: fedprox, mu: -1.0}}", "strategy.client.mu", "at least 0"),
        ("{aggregater: median}", "strategy.aggregater", "Did you mean aggregator?"),
        ("{nmae: fedprox}", "strategy.nmae", "Did you mean name?"),
        ("{temperature: 1.0}", "strategy.temperature", "a parameter of moon"),
        ("{name: fedprox, aggregator: median}", "strategy.aggregator", "`fedcli show` prints it so"),
        ("{weighting: example}", "strategy.weighting", "Did you mean examples?"),
        ("{transforms: clip}", "strategy.transforms", "Write it as in `transforms: [name]`"),
        ("{transforms: [{name: clip, clip_norm: 0.0}]}", "strategy.transforms.0.clip_norm", "above 0"),
        ("{transforms: [top-k]}", "strategy.transforms.0", "no component of this name"),
        ("{privacy: {epsilon: 1.0}}", "strategy.privacy.delta", "it has no default"),
        ("{privacy: {delta: 2.0}}", "strategy.privacy.delta", "below 1"),
        ("{buffer: {size: 0}}", "strategy.buffer.size", "at least 1"),
        ("{client: scaffold}", "strategy.server_optimizer", "Use server_optimizer: scaffold."),
        ("{server_optimizer: fednova}", "strategy.server_optimizer", "expects their update and length"),
        (
            f"{{client: fednova, server_optimizer: fednova, transforms: [{CLIP}]}}",
            "strategy.transforms",
            "treat both as one",
        ),
        (
            "{client: fednova, server_optimizer: fednova, aggregator: median}",
            "strategy.aggregator",
            "compare both as one",
        ),
        (
            "{aggregator: median, weighting: examples}",
            "strategy.weighting",
            "does not use the clients' weights",
        ),
        ("{aggregator: discounted-mean, weighting: examples}", "strategy.weighting", "divides by the number"),
        (f"{{transforms: [{CLIP}, {GAUSS}]}}", "strategy.privacy", "at which delta"),
        (f"{{transforms: [{CLIP}], privacy: {{delta: 1e-3}}}}", "strategy.privacy", "no part adds noise"),
        (
            f"{{transforms: [{GAUSS}, {CLIP}], privacy: {{delta: 1e-3}}}}",
            "strategy.transforms.1",
            "noise last",
        ),
        (f"{{transforms: [{GAUSS}], privacy: {{delta: 1e-3}}}}", "strategy.transforms", "Put {name: clip"),
        (
            f"{{transforms: [{CLIP}, {GAUSS}], privacy: {{delta: 1e-3}}, server_optimizer: feddyn}}",
            "strategy.server_optimizer",
            "not noised",
        ),
        (
            f"{{transforms: [{CLIP}, {{name: local-noise, noise_multiplier: 1.0, clip_norm: 1.0}}], "
            "privacy: {delta: 1e-3}}",
            "strategy.transforms",
            "Put finite first",
        ),
        (
            f"{{transforms: [{GRID}, {{name: distributed-noise, noise_multiplier: 1.0, clip_norm: 1.0, bits: 10, "
            "contributors: 2}], privacy: {delta: 1e-3}}",
            "strategy.transforms",
            "the same bits",
        ),
        (
            f"{{transforms: [{CLIP}, {{name: gaussian-noise, clip_norm: 1.0, noise_multiplier: null}}], "
            "privacy: {delta: 1e-3}}",
            "strategy.transforms.1.noise_multiplier",
            "neither is given",
        ),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(strategy, key, said):
    found, sentence = refusal(strategy)
    assert found == key
    assert said in sentence


def test_an_override_of_one_part_writes_the_strategy_out():
    read = tiny.source(
        "strategy=null", "strategy.aggregator=median", "strategy.client.name=fedprox"
    ).experiment
    assert (read.strategy.client.name, read.strategy.aggregator.name) == ("fedprox", "median")


def test_problems_are_placed_at_their_lines():
    text = tiny.YAML.replace(
        "strategy: {name: weighted}\n",
        "strategy:\n  client: {name: fedprox, mu: much}\n  transforms:\n  - {name: clip, clip_nrom: 1.0}\n",
    )
    with pytest.raises(ConfigErrors) as caught:
        tiny.source(text=text)
    found = [f"{problem.place.file}:{problem.place.line} {problem.key}" for problem in caught.value.problems]
    assert found == [
        "tiny.yaml:12 strategy.client.mu",
        "tiny.yaml:14 strategy.transforms.0.clip_norm",
        "tiny.yaml:14 strategy.transforms.0.clip_nrom",
    ]

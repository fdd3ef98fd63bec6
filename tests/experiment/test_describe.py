"""A strategy taken apart says what its parts are, and nothing that they are not."""

import json

import pytest
from built_ins import REQUIRED

from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import arrival, clip, gaussian_noise, top_k
from fedcli.core.factories import describe
from fedcli.core.transform import Transform
from fedcli.experiment.describe import LocalAlgorithm, Protection, TransformDescription, expand

every_strategy = pytest.mark.parametrize("name", STRATEGIES)


def expanded(name, **parameters):
    return expand(STRATEGIES[name](**{**REQUIRED[name], **parameters}))


def rows(name, **parameters):
    return dict(expanded(name, **parameters).rows)


@every_strategy
def test_the_example_of_a_strategy_makes_it(name):
    strategy = STRATEGIES[name](**describe(STRATEGIES[name]).example)
    assert expand(strategy).clients.name == strategy.trainer.name


@every_strategy
def test_the_line_goes_from_the_clients_to_the_server_and_names_every_part(name):
    strategy = STRATEGIES[name](**REQUIRED[name])
    first, *middle, last = expand(strategy).line.split(" -> ")
    assert first.startswith(f"{strategy.trainer.name} clients")
    assert last == f"{strategy.server.name} server"
    acting = [part.name for part in strategy.transforms if part.acts_on_clients or part.acts_on_server]
    assert [part.removesuffix(" by examples") for part in middle if part not in acting] == [
        strategy.aggregator.name
    ]


@every_strategy
def test_the_line_is_the_same_for_all_parameters(name):
    given = REQUIRED[name]
    example = {**given, **describe(STRATEGIES[name]).example}
    assert expanded(name, **given).line == expanded(name, **example).line


@every_strategy
def test_it_can_be_written_as_json(name):
    facts = json.loads(json.dumps(expanded(name).as_dict()))
    assert facts.keys() == {
        "clients", "transforms", "aggregator", "server", "privacy", "keeps_partial_work", "buffer_size",
    }  # fmt: skip
    assert (facts["privacy"] is not None) == name.startswith("dp-")


def test_a_local_algorithm_tells_what_it_exchanges_and_keeps():
    assert expanded("scaffold").clients == LocalAlgorithm(
        "scaffold", ("control",), ("control",), ("control",), None, False, "sgd without momentum"
    )
    assert "(send, keep and receive control)" in expanded("scaffold").line
    assert "(keep own_model and mixture_shift)" in expanded("apfl").line
    assert expanded("apfl").clients.own_model
    assert rows("fedper", personal="head/*")["keep"] == "the weights head/*"
    assert rows("scaffold")["receive"] == "the weights and control"


def test_the_halves_of_a_mechanism_stand_where_they_act():
    strategy = STRATEGIES["mean"]()._replace(
        transforms=(
            clip(clip_norm=1.0),
            top_k(),
            gaussian_noise(noise_multiplier=1.0, clip_norm=1.0),
            arrival(),
            Transform("nothing"),
        )
    )
    expansion = expand(strategy)
    assert expansion.line == "sgd clients -> clip -> top_k -> mean -> gaussian_noise -> sgd server"
    assert [(part.on_client, part.on_arrival, part.on_server) for part in expansion.transforms] == [
        (True, True, False),
        (True, False, False),
        (False, True, True),
        (False, True, False),
        (False, False, False),
    ]


def test_a_transform_that_changes_the_payload_shows_from_what_to_what():
    sealed = Transform("seal", encode=lambda update, _state, _context: update, gives="ciphertext")
    expansion = expand(STRATEGIES["mean"]()._replace(transforms=(sealed,)))
    assert expansion.transforms == (TransformDescription("seal", "vector", "ciphertext", True, False, False),)
    assert ("transform", "seal: vector -> ciphertext, acts on client") in expansion.rows


def test_the_aggregate_says_whether_it_is_a_sum_and_how_many_clients_it_needs():
    assert rows("weighted")["aggregate"] == "mean, a sum, weighted by the clients' examples"
    krum = rows("krum", num_byzantine=2)["aggregate"]
    assert krum == "krum, over single updates, every client counts the same, 7 clients or more"


def test_the_privacy_event_is_that_of_the_noise():
    words = "central Gaussian noise (on a grid) on the sum of clipped updates"
    assert expanded("dp-clipped", epsilon=8.0).privacy == Protection(words, 1.0, 0.5, 1e-3, 8.0)
    assert rows("dp-clipped", epsilon=8.0)["privacy"].endswith("at delta 0.001; stops before epsilon 8")
    unaccounted = STRATEGIES["mean"]()._replace(
        transforms=(gaussian_noise(noise_multiplier=1.0, clip_norm=2.0),)
    )
    assert expand(unaccounted).privacy == Protection(words, 1.0, 2.0, None, None)


def test_every_mechanism_is_called_by_its_own_name():
    told = expanded("dp-sgd").privacy
    assert told.mechanism.startswith("DP-SGD inside each client")
    assert told.unit == "example"
    assert "it protects an example and not a client" in rows("dp-sgd")["privacy"]
    assert rows("dp-distributed")["privacy"].startswith("discrete Gaussian noise")
    assert rows("dp-ftrl")["privacy"].startswith("DP-FTRL")
    assert "not a client" not in rows("dp-clipped")["privacy"]

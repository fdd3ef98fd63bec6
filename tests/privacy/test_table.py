"""The table of mechanisms has a row for every type of event, and nothing beside it asks for the type of an event."""

import ast
from pathlib import Path
from typing import get_args

import pytest

import fedcli
from fedcli.cli.privacy import ARITHMETIC, Mechanism
from fedcli.core.privacy_events import (
    BandedEvent,
    DistributedGaussianEvent,
    Event,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    PrivatisedDataEvent,
    TreeEvent,
    is_noised_by_clients,
)
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy import MECHANISMS, Question, accountant_for, mechanism_of
from fedcli.privacy.calculator import MechanismName, event_of

PACKAGE = Path(fedcli.__file__).parent
FULL, TURNS = Sampling("full", 50, size=50), Sampling("min-separation", 50, separation=5)

EXAMPLES = [
    (GaussianEvent(2.0, 1.0), FULL),
    (DistributedGaussianEvent(1000.0, 40, 10_000, 2000.0), FULL),
    (LocalGaussianEvent(4.0, 1.0), FULL),
    (TreeEvent(4.0, 1.0), FULL),
    (BandedEvent(2.0, 1.0, bands=5), TURNS),
    (ExampleEvent(1.5, 1.0, rate=0.1, steps=20), FULL),
    (PrivatisedDataEvent(8.0, 1.0), FULL),
]
by_type = pytest.mark.parametrize(
    ("event", "sampling"), EXAMPLES, ids=[type(event).__name__ for event, _ in EXAMPLES]
)


def test_every_type_of_event_has_a_row_and_an_example_here():
    types = set(get_args(Event))
    assert set(MECHANISMS) == types
    assert {type(event) for event, _ in EXAMPLES} == types


@by_type
def test_what_a_row_says_is_what_its_accountant_says(event, sampling):
    row, accountant = mechanism_of(event), accountant_for(event, sampling)
    assert (accountant.unit, accountant.against) == (row.unit, row.against)
    assert 0 < accountant.epsilon(1, 1e-5) <= accountant.epsilon(10, 1e-5)


def test_every_mechanism_has_words_of_its_own():
    assert len({mechanism_of(event).words(event) for event, _ in EXAMPLES}) == len(EXAMPLES)


def test_noise_that_may_be_discarded_costs_something():
    provable = [(event, sampling) for event, sampling in EXAMPLES if mechanism_of(event).with_excess]
    assert [type(event) for event, _ in provable] == [GaussianEvent, DistributedGaussianEvent]
    for event, sampling in provable:
        charged = mechanism_of(event).with_excess(event, 1e-9)
        assert charged.noise_multiplier == event.noise_multiplier
        plain = accountant_for(event, sampling).epsilon(1, 1e-5)
        assert accountant_for(charged, sampling).epsilon(1, 1e-5) > plain


def test_noise_of_the_server_and_of_the_data_is_not_noise_of_the_clients_rounds():
    noised = {type(event) for event, _ in EXAMPLES if is_noised_by_clients(event)}
    assert noised == {DistributedGaussianEvent, LocalGaussianEvent, ExampleEvent}
    assert not is_noised_by_clients(None)


def test_the_calculator_and_the_command_line_know_the_same_mechanisms():
    names = set(get_args(MechanismName))
    assert {ARITHMETIC[choice.value] for choice in Mechanism} == names
    settings = {
        "count_deviation": 5.0,
        "contributors": 40,
        "dimension": 10,
        "bands": 5,
        "steps": 5,
        "batch_rate": 0.1,
    }
    asked = {name: Question(name, "full", 10, 1e-5, **settings) for name in names}
    assert {type(event_of(question, 2.0)) for question in asked.values()} == set(MECHANISMS)


def test_an_event_without_a_row_is_refused_by_name():
    with pytest.raises(TypeError, match="Unknown is not a privacy event"):
        mechanism_of(type("Unknown", (), {})())


def test_nothing_asks_for_the_type_of_an_event():
    events = {each.__name__ for each in get_args(Event)}

    def names(node):
        return {
            each.id if isinstance(each, ast.Name) else each.attr
            for each in ast.walk(node)
            if isinstance(each, ast.Name | ast.Attribute)
        }

    def asks(node):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            return any(name in events or name.endswith("DpEvent") for name in names(node.args[1]))
        if isinstance(node, ast.Compare):
            return any(name in events for each in (node.left, *node.comparators) for name in names(each))
        return isinstance(node, ast.MatchClass) and bool(names(node.cls) & events)

    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if asks(node)
    ]
    assert found == []

"""Columns: each is declared once, real runs write what is declared, and the declarations say what is better."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

import fedcli
from fedcli.core.column import Column
from fedcli.core.transform import Transform
from fedcli.engine.run_columns import DECLARED, best_is, better, columns_of, expanded, meant_column
from fedcli.experiment.protection.mechanism_columns import MECHANISM_COLUMNS
from fedcli.runs import lifecycle

MECHANISMS = [column for columns in MECHANISM_COLUMNS.values() for column in columns]
IMAGES = ("data={name: digits, partition: {name: iid, clients: 4}}", "model=mlp")
# Together they have every column that there is.
RUNS = {
    "average, personal": [
        "average={decay: 0.9}",
        "evaluation.clients=true",
        "strategy=ditto",
        "task.metrics=[accuracy, macro_f1, macro_auc, worst_class_accuracy]",
    ],
    "attack": [*IMAGES, "attack={name: backdoor, share: 0.25}"],
    # A secret cohort may be empty in both rounds.
    "privacy": [*tiny.PRIVATE, "privacy.reproducible_noise=true"],
    "encryption, proofs": [
        "strategy=mean",
        "fixed_point={clip_norm: 10.0, bits: 10}",
        "encryption={name: threshold, committee: 3, threshold: 2}",
        "proofs=norm-bound",
    ],
    "devices, stragglers": [
        "strategy={name: fedprox, mu: 0.1}",
        "client.epochs=3",
        "devices={name: lognormal, examples_per_second: 10}",
        "participation={stragglers: 0.5, dropout: 0.3}",
    ],
    "asynchronous": [
        "cohort={name: uniform, size: 3}",
        "devices={name: lognormal, examples_per_second: 10}",
        "strategy={name: fedbuff, buffer_size: 2}",
    ],
    "nobody arrives": ["participation.dropout=0.999999"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """For each run its plan, and the columns that its lines have in both files."""
    made = {}
    for number, (name, overrides) in enumerate(RUNS.items()):
        folder = tmp_path_factory.mktemp("runs") / str(number)
        written = {"metrics.jsonl": set(), "clients.jsonl": set()}
        lifecycle.start_run(tiny.source(*overrides), folder)
        for file, names in written.items():
            for line in (folder / file).read_text().splitlines():
                names.update(json.loads(line))
        made[name] = tiny.plan(*overrides), written
    return made


@pytest.mark.parametrize("name", RUNS)
def test_every_column_of_a_run_is_declared(runs, name):
    setup, written = runs[name]
    for file, names in written.items():
        assert names
        assert names - set(columns_of(setup, file)) == set()


@pytest.mark.parametrize("name", [name for name in RUNS if name != "nobody arrives"])
def test_every_number_that_a_run_says_it_has_is_in_a_round(runs, name):
    """So that early stopping never waits for a column that does not come."""
    setup, written = runs[name]
    numbers = {column.name for column in columns_of(setup).values() if column.is_number}
    assert numbers - written["metrics.jsonl"] == set()


def test_every_declared_column_occurs(runs):
    occurring = {(file, each) for _, written in runs.values() for file in written for each in written[file]}
    metrics = ("loss", "accuracy")
    absent = [
        column.name
        for column in (*DECLARED, *MECHANISMS)
        for each in expanded(column, metrics)
        if (each.file, each.name) not in occurring
    ]
    # Workers are lost in tests of the executors, and in tests/engine/test_arrival_checks.py.
    assert absent == ["workers/lost"]


def test_a_column_is_declared_once_and_by_a_file_that_exists():
    declared = [(column.file, column.name) for column in (*DECLARED, *MECHANISMS)]
    assert len(declared) == len(set(declared)) > 50
    package = Path(fedcli.__file__).parent
    owners = {column.owner for column in (*DECLARED, *MECHANISMS)}
    assert [owner for owner in owners if not (package / owner).is_file()] == []


def test_the_columns_of_a_transform_are_columns_of_the_run():
    mine = Column("mine/share", "a share", "mine.py", better="down")
    setup = tiny.plan()
    strategy = setup.protocol.strategy
    parts = (*strategy.transforms, Transform("mine", columns=(mine,)), Transform("again", columns=(mine,)))
    protocol = setup.protocol._replace(strategy=strategy._replace(transforms=parts))
    columns = columns_of(replace(setup, protocol=protocol))
    assert columns["mine/share"] == mine
    assert protocol.strategy.columns == [mine]
    assert best_is("mine/share", protocol.strategy.columns) == "min"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test/loss", "down"),
        ("average/test/accuracy", "up"),
        ("validation/mean_absolute_error/p10", "down"),
        ("validation/accuracy/variance", "down"),
        ("validation/global/accuracy/worst_decile", "up"),
        ("validation/loss/entropy", "up"),
        ("attack/success_rate", "down"),
        ("clients/finished", "up"),
        ("clients/rejected", "down"),
        ("encryption/open_seconds", "down"),
        ("epsilon", "neither"),
        ("mine/accuracy", "up"),
        ("mine/loss", "down"),
    ],
)
def test_a_column_says_what_is_better(name, expected):
    assert better(name, MECHANISMS) == expected


def test_where_neither_is_better_the_best_is_the_largest():
    assert [best_is(name) for name in ("round", "test/loss", "test/accuracy")] == ["max", "min", "max"]


@pytest.mark.parametrize(
    ("source", "has_fixed_cohorts", "expected"),
    [
        ("config", False, True),
        ("model", False, True),
        ("cohort", False, False),
        ("cohort", True, True),
        ("data", True, False),
    ],
)
def test_what_follows_from_data_does_not_leave_a_noised_only_run(source, has_fixed_cohorts, expected):
    column = Column("a", "b", "c.py", source=source)
    assert column.may_leave(has_fixed_cohorts=has_fixed_cohorts, has_public_test=True) == expected


def test_figures_on_a_test_set_of_clients_rows_do_not_leave_a_noised_only_run():
    column = Column("a", "b", "c.py", source="model")
    assert not column.may_leave(has_fixed_cohorts=True, has_public_test=False)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("accuracy", "test/accuracy"),
        ("loss", "test/loss"),
        ("worst decile", "validation/accuracy/worst_decile"),
        ("tets/accuracy", "test/accuracy"),
    ],
)
def test_a_column_without_its_place_is_met_with_its_name(said, meant):
    known = ["round", "test/accuracy", "test/loss", "validation/accuracy", "validation/accuracy/worst_decile"]
    assert meant_column(said, known) == f"Did you mean {meant}?"
    assert meant_column("zzz", known) == meant_column("test/f1", known) == ""

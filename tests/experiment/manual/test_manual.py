"""The manual says of everything that has a name what it is, and its examples work."""

import json

import pytest

from fedcli.config import installed, loads, plain_value
from fedcli.core.errors import ConfigError
from fedcli.core.factories import describe
from fedcli.core.glossary import TERMS
from fedcli.experiment.manual import NOUNS, column_pages, component_pages, example_of, key_pages, look_up
from fedcli.experiment.manual.key_page import parameter_pages
from fedcli.experiment.plan import plan

AROUND = {
    "seed": 1,
    "rounds": 4,
    "data": {"name": "digits", "partition": {"name": "iid", "clients": 12}},
    "model": {"name": "mlp", "hidden": [8]},
}
# Their files are downloaded, or the user's own.
READ_FROM_FILES = {"fashion_mnist", "mnist", "cifar10", "cifar100", "npz", "csv"}


@pytest.fixture(scope="module")
def keys():
    return {page.name: page for page in key_pages()}


def sources():
    for section in NOUNS:
        for name, factory in installed(section).items():
            yield loads(json.dumps({**AROUND, **example_of(section, name, factory)}), name)


def test_the_example_of_every_component_is_a_valid_config():
    assert len(list(sources())) > 100


# The accountants take their time.
@pytest.mark.slow
def test_the_example_of_every_component_can_be_planned():
    for source in sources():
        if source.experiment.data.part.name not in READ_FROM_FILES:
            plan(source.experiment)


def test_every_component_has_a_page_whose_example_is_yaml_of_its_sections():
    pages = list(component_pages())
    assert len(pages) == sum(len(installed(section)) for section in NOUNS)
    for page in pages:
        assert page.summary
        assert plain_value(page.example)
        assert [entry.name for entry in page.entries if not entry.about] == []


def test_every_strategy_has_a_formula_a_paper_and_says_what_it_combines_with():
    for name, factory in installed("strategy").items():
        about = describe(factory)
        assert about.formula, name
        assert about.reference, name
        assert about.combines, name


def test_every_key_has_a_page_and_an_example_that_loads(keys):
    assert len(keys) > 60
    for page in keys.values():
        assert page.summary
        loads(json.dumps({**AROUND, **plain_value(page.example)}), page.name, imports=False)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fedprox", ["strategy fedprox", "local algorithm fedprox"]),
        ("FedProx", ["strategy fedprox", "local algorithm fedprox"]),
        ("median", ["strategy median"]),
        ("trimmed_mean", ["strategy trimmed-mean"]),
        ("cohort.size", ["parameter cohort.size"]),
        ("client.epochs", ["key client.epochs"]),
        ("deadline", ["term deadline", "key participation.deadline"]),
        ("momentum", ["server optimizer momentum", "parameter client.optimizer.momentum"]),
        ("wait_for", ["key participation.wait_for"]),
        ("cohort", ["key cohort", "term cohort"]),
        ("test/accuracy", ["column of metrics.jsonl test/<metric>", "column of metrics.jsonl test/<score>"]),
        ("accuracy", ["column of metrics.jsonl test/<metric>"]),
        ("macro_f1", ["column of metrics.jsonl test/<score>"]),
        ("validation/accuracy/p10", ["column of metrics.jsonl validation/<metric>/<decile>"]),
        ("bytes_up", ["column of metrics.jsonl bytes_up", "column of clients.jsonl bytes_up"]),
        ("Client Drift", ["term client drift"]),
    ],
)
def test_a_name_finds_its_pages(name, found):
    assert [f"{page.kind} {page.name}" for page in look_up(name)] == found


def test_a_kind_leaves_out_the_others():
    assert [page.kind for page in look_up("sgd", "client.optimizer")] == ["optimizer"]


def test_every_column_and_term_is_found():
    for page in column_pages():
        assert page.name in [found.name for found in look_up(page.name)]
    assert len(TERMS) > 60


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fedprxo", "fedprox"),
        ("cohort.siz", "cohort.size"),
        ("staleness/man", "staleness/mean"),
        ("apochs", "epochs"),
    ],
)
def test_a_misspelt_name_is_answered(name, hint):
    with pytest.raises(ConfigError, match=rf"Did you mean {hint}\?"):
        look_up(name)


def test_a_custom_component_is_explained_by_its_docstring():
    (page,) = look_up("fedcli.components.aggregators.krum:krum")
    assert page.kind == "custom component"
    assert [entry.name for entry in page.entries] == ["num_byzantine"]


def test_a_parameter_is_explained_for_each_component_that_has_it():
    (page,) = [page for page in parameter_pages() if page.name == "cohort.rate"]
    assert [entry.name for entry in page.entries] == ["poisson", "capped-poisson", "min-separation"]

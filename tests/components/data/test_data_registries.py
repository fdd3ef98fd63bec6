"""What `import fedcli.components.data` costs, and what its registries promise to `fedcli list` and the config."""

import inspect
import subprocess
import sys

import pytest

from fedcli.components.data import DATASETS, PARTITIONS, PREPROCESSORS
from fedcli.core.factories import describe

FACTORIES = {**DATASETS, **PARTITIONS, **PREPROCESSORS}


def test_importing_loads_no_framework():
    code = (
        "import sys, fedcli.components.data; "
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy', 'pandas') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", FACTORIES)
def test_a_factory_says_what_it_is_and_types_what_it_takes(name):
    description = describe(FACTORIES[name])
    assert description.summary.endswith((".", ";", ":"))
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in description.parameters)


@pytest.mark.parametrize(
    ("registry", "positional"),
    [(DATASETS, ["seed"]), (PARTITIONS, ["dataset", "rng"]), (PREPROCESSORS, [])],
)
def test_fedcli_supplies_the_same_arguments_to_every_factory_of_a_registry(registry, positional):
    for factory in registry.values():
        kinds = inspect.signature(factory).parameters.values()
        assert [each.name for each in kinds if each.kind is not inspect.Parameter.KEYWORD_ONLY] == positional


def test_no_dataset_takes_a_key_of_the_data_section():
    # The YAML writes a dataset's parameters beside these, so a parameter of that name could not be given.
    for factory in DATASETS.values():
        names = {parameter.name for parameter in describe(factory).parameters}
        assert names.isdisjoint({"name", "part", "partition", "validation_fraction", "preprocessing"})


def test_references_are_found():
    for name in ("dirichlet", "shards", "pathological", "quantity-dirichlet"):
        assert "arXiv:" in describe(PARTITIONS[name]).reference

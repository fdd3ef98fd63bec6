"""A factory's signature is its schema, and its docstring is what `fedcli list` prints."""

from typing import Literal, NamedTuple

from fedcli.core.factories import Spec, component, describe, parameters


def sampler(dataset, rng, *, clients: int, alpha: float = 0.5, mode: Literal["a", "b"] | None = None):
    """Deal out by a law.

    A second paragraph, which is not the summary. Reference: not here.

    Args:
        clients: how many.

    Reference: Someone et al. 2020,
        arXiv:2000.00000, Section 2.

    Deviations: it deals
    twice.

    Combines: any cohort; models
    without BatchNorm.

    Example: clients=3, mode='a'

    Raises:
        ConfigError: never.
    """


def bare(*, untyped, **others): ...


def positional(a, b=2, *rest): ...


def test_only_keyword_parameters_are_configurable_in_order_and_with_types():
    described = [(p.name, p.annotation, p.required) for p in parameters(sampler)]
    assert described == [
        ("clients", int, True),
        ("alpha", float, False),
        ("mode", Literal["a", "b"] | None, False),
    ]
    assert [p.default for p in parameters(sampler)[1:]] == [0.5, None]


def test_a_default_of_none_is_not_a_missing_default():
    assert not parameters(sampler)[2].required


def test_positional_parameters_and_catch_alls_are_not_configurable():
    assert [p.name for p in parameters(bare)] == ["untyped"]
    assert parameters(positional) == ()


def test_a_docstring_yields_summary_reference_and_combinations_in_one_line_each():
    about = describe(sampler)
    assert about.summary == "Deal out by a law."
    assert about.reference == "Someone et al. 2020, arXiv:2000.00000, Section 2."
    assert about.deviations == "it deals twice."
    assert about.combines == "any cohort; models without BatchNorm."
    assert about.example == {"clients": 3, "mode": "a"}
    assert about.parameters == parameters(sampler)


def test_a_factory_without_docstring_is_described_by_its_signature_alone():
    assert not any(describe(bare)[:-1])


def test_a_paragraph_at_the_very_end_is_found():
    def factory():
        """Summary.

        Reference: the last line"""

    assert describe(factory).reference == "the last line"


def test_a_class_is_a_factory_too():
    class Part:
        """A part."""

        def __init__(self, supplied, *, size: int = 3): ...

    assert describe(Part).summary == "A part."
    assert [(p.name, p.default) for p in parameters(Part)] == [("size", 3)]


class Thing(NamedTuple):
    size: int
    made: Spec | None = None


@component
def big_thing(*, size: int = 3, names: tuple[str, ...] = ()):
    """A big thing."""
    return Thing(2 * size)


def test_a_component_records_its_name_and_all_its_parameters():
    assert big_thing() == Thing(6, Spec("big-thing", {"size": 3, "names": ()}))
    assert big_thing(size=5).made.parameters["size"] == 5


def test_a_component_is_described_as_the_factory_that_it_wraps():
    assert describe(big_thing).summary == "A big thing."
    assert [(p.name, p.default) for p in parameters(big_thing)] == [("size", 3), ("names", ())]
    assert (big_thing.__name__, big_thing.__module__) == ("big_thing", __name__)

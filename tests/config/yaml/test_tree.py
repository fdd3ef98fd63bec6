"""Strict YAML: what a text means, what is refused, and where."""

import math
import time

import pytest

from fedcli.config import ConfigErrors, Place
from fedcli.config.yaml.tree import Node, find, parse, plain


def at(line, column):
    return Place("f", line, column)


def value(text):
    parsed = parse(text, at)
    assert parsed.problems == []
    return plain(parsed.node)


def refused(text):
    """First lines of the problems, whether they stopped the parser or not."""
    try:
        return [str(problem).splitlines()[0] for problem in parse(text, at).problems]
    except ConfigErrors as errors:
        return [str(problem).splitlines()[0] for problem in errors.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True), ("false", False), ("True", "True"), ("no", "no"), ("on", "on"), ("yes", "yes"), ("y", "y"),
        ("null", None), ("~", None), ("Null", "Null"),
        ("0", 0), ("-0", 0), ("+7", 7), ("12", 12), ("010", "010"), ("0o17", "0o17"), ("0x1F", "0x1F"),
        ("0b1", "0b1"), ("1_000", "1_000"), ("1:30", "1:30"), ("2024-01-02", "2024-01-02"),
        ("2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        ("1e-3", 1e-3), ("1E5", 1e5), ("1.5e+3", 1500.0), (".5", 0.5), ("-.5", -0.5), ("5.", 5.0), ("010.5", 10.5),
        (".5e1", 5.0), ("1e", "1e"), ("e5", "e5"), (".", "."), ("-", [None]), ("1.2.3", "1.2.3"), ("=", "="),
        (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"),
        ("'1'", "1"), ('"true"', "true"), ("'null'", "null"), ("''", ""), ("|\n  5\n", "5\n"),
    ],
)  # fmt: skip
def test_a_scalar_means_what_it_looks_like(text, expected):
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


def test_nested_values_keep_the_places_of_their_keys():
    node = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", at).node
    assert node == Node(
        {
            "a": Node(1, at(1, 1)),
            "b": Node([Node("x", at(3, 5)), Node({"c": Node(2, at(4, 6))}, at(4, 5))], at(2, 1)),
        },
        at(1, 1),
    )
    assert find(node, ("b", 1, "c", "d")) == (Node(2, at(4, 6)), 3)


def test_aliases_are_copies():
    assert value("a: &x {n: 1}\nb: *x\nc: [*x, *x]") == {
        "a": {"n": 1},
        "b": {"n": 1},
        "c": [{"n": 1}, {"n": 1}],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", ["f:3:1  a is repeated"]),
        ("x: {a: 1, a: 2}\ny:\n  - {b: 1, b: 1}", ["f:1:11  x.a is repeated", "f:3:12  y.0.b is repeated"]),
        ("1: x", ["f:1:1  has the key 1"]),
        ("a: {true: x}", ["f:1:5  a has the key true"]),
        ("~: x", ["f:1:1  has the key ~"]),
        ("?\n: x", ["f:1:2  has the key null"]),
        ("? [a]\n: x", ["f:1:3  has a key"]),
        ("a: &x {n: 1}\nb:\n  <<: *x\n", ["f:3:3  b merges with <<"]),
        ("a: .nan", ["f:1:1  a = .nan"]),
        ("a: [1, .NaN]", ["f:1:8  a.1 = .NaN"]),
        ("a: 1e999", ["f:1:1  a = 1e999"]),
        ("a: " + "9" * 1001, [f"f:1:1  a = {'9' * 60}"]),
        (r'a: "\ud800"', [r"f:1:1  a = '\ud800'"]),
        ("a: !!str 1", ["f:1:4  has the tag !!str"]),
        ("a: !!python/object/apply:os.system [ls]", ["f:1:4  has the tag !!python/object/apply:os.system"]),
        (
            "!x\na: !<y> {b: !z 1}",
            ["f:1:1  has the tag !x", "f:2:4  has the tag y", "f:2:13  has the tag !z"],
        ),
        ("a: ! 1", ["f:1:4  has the tag !"]),
    ],
)
def test_what_does_not_stop_the_reading(text, expected):
    assert refused(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a:\n\tb: 1", "f:2:1", "Indent with spaces"),
        ("a: [1, 2", "f:1:9", "close every bracket"),
        ("a: 'x", "f:1:6", "Close the quotes"),
        ("a: b: c", "f:1:5", "Quote text that has a colon"),
        ("a: *x", "f:1:4", "Define the anchor"),
        ("a: &x 1\nb: &x 2", "f:2:4", "name of its own"),
        ("a: @x", "f:1:4", "Quote text that starts"),
        ("a: 1\n b: 2", "f:2:3", "colon"),
        ("- a\nb: 1", "f:2:1", "indentation"),
        ("a: 1\n---\nb: 2", "f:2:1", "one experiment"),
        ("a: 1\nb: x\x07y", "f:2:5", "control characters"),
        (r'a: "\UFFFFFFFF"', "f:1:7", "Correct the escape"),
        (r'a: "\q"', "f:1:6", "unknown escape"),
        ("%YAML 2.0\n---\na: 1", "f:1:1", "incompatible"),
    ],
)
def test_what_stops_the_reading(text, place, says):
    with pytest.raises(ConfigErrors) as caught:
        parse(text, at)
    (problem,) = caught.value.problems
    assert str(problem.place) == place
    assert says in str(problem)


BILLION_LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BILLION_LAUGHS, "at most 10,000 values"),
        ("a: &a [*a]", "and 32 levels"),
        ("[" * 33, "at most 32 levels"),
        ("[" * 200_000, "at most 32 levels"),
        ("{a: " * 60_000, "at most 32 levels"),
        ("- " * 100_000, "at most 32 levels"),
        ("? " * 100_000, "at most 32 levels"),
        ("a: &a 1\nb: [" + "*a, " * 101 + "]", "at most 100 aliases"),
        ("- 1\n" * 10_001, "at most 10,000 values"),
        ("a" * (2**18 + 1), "at most 256 KiB"),
        ("é" * 2**17 + "a", "at most 256 KiB"),
    ],
)
def test_limits(text, says):
    with pytest.raises(ConfigErrors, match=says):
        parse(text, at)


def test_what_is_just_within_the_limits_is_read():
    assert value("[" * 32 + "]" * 32) is not None
    assert len(value("a: &a 1\nb: [" + "*a, " * 100 + "]")["b"]) == 100


@pytest.mark.parametrize(
    "text", ["a: " + "x" * (2**18 - 3), "a: '" + "''" * (2**17 - 3) + "'", "#\n" * 2**17]
)
def test_the_largest_text_hangs_nothing(text):
    before = time.monotonic()
    parse(text, at)
    assert time.monotonic() - before < 30


def test_an_empty_text_has_no_tree():
    assert parse("# only a comment\n", at).node is None

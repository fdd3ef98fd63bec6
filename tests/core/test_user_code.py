"""Failures of components, told in two lines: what failed and why, and the line of the user's code."""

import re

import pytest

from fedcli.core.errors import ClientError, ComponentError, ConfigError
from fedcli.core.user_code import blamed, told
from fedcli.engine.returned import require_aggregate


def broken(figures):
    return figures["missing"]


def caught(act):
    try:
        act()
    # Also a component that exits.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return error
    raise AssertionError("it did not fail")


def test_what_where_why_and_the_line():
    said = told("the aggregator mine", caught(lambda: broken({})), "round 3").splitlines()
    assert said[0] == "round 3: the aggregator mine failed: KeyError: 'missing'"
    assert re.fullmatch(
        r'  tests/core/test_user_code.py:\d+, in broken: return figures\["missing"\]', said[1]
    )


def test_the_line_is_the_innermost_of_the_user_and_not_of_a_library():
    import json

    said = told("x", caught(lambda: json.loads("{")))
    assert "in <lambda>" in said
    assert "json/decoder" not in said


def test_a_line_that_tensorflow_names_in_its_message_is_found():
    text = f'''Exception encountered when calling Layer.call().

in user code:

    File "{__file__}", line 12, in call  *
        return x @ self.kernel

    ValueError: Dimensions must be equal, but are 4 and 3
'''
    said = told("training", ValueError(text)).splitlines()
    assert said[0] == "training failed: ValueError: Dimensions must be equal, but are 4 and 3"
    assert "tests/core/test_user_code.py:12, in call" in said[1]


def test_an_error_in_a_graph_is_told_in_tensorflows_words():
    text = """Graph execution error:

Detected at node while/loop_body/pfor/Softmax defined at (most recent call last):
  File "somewhere.py", line 11, in <module>

logits and labels must have the same first dimension, got logits shape [4,3] and labels shape [1]
\t [[{{node while/loop_body/pfor/Softmax}}]] [Op:__inference_train_flat_1138]"""
    said = told("training", ValueError(text)).splitlines()
    assert said[0].startswith(
        "training failed: ValueError: logits and labels must have the same first dimension"
    )
    assert told("training", ValueError("Graph execution error:")).endswith(
        "ValueError: Graph execution error:"
    )


def test_a_long_message_is_cut_and_an_empty_one_is_its_type():
    assert len(told("x", ValueError("y" * 10_000))) < 400
    assert told("x", ValueError()) == "x failed: ValueError"
    assert told("x", ValueError("one\ntwo")) == "x failed: ValueError: one"


@pytest.mark.parametrize("error", [SystemExit(0), BrokenPipeError(), ZeroDivisionError("zero")])
def test_whatever_a_component_raises_is_a_failure_of_it(error):
    def act():
        raise error

    said = f"round 2: the cohort x failed: {type(error).__name__}"
    with pytest.raises(ComponentError, match=said), blamed("the cohort x", "round 2"):
        act()


@pytest.mark.parametrize("error", [ConfigError("no such class"), ClientError("round 1, client 0: ...")])
def test_what_is_explained_already_passes_as_it_is(error):
    with pytest.raises(type(error)) as found, blamed("the aggregator x", "round 2"):
        raise error
    assert found.value is error


def test_ctrl_c_passes():
    with pytest.raises(KeyboardInterrupt), blamed("the aggregator x"):
        raise KeyboardInterrupt


def test_the_function_whose_result_was_refused_is_named():
    error = caught(lambda: require_aggregate(broken))
    # As in a run, in which nothing but fedcli refuses it.
    error.__traceback__ = error.__traceback__.tb_next.tb_next
    first = broken.__code__.co_firstlineno
    assert (
        told("the rule", error, of=broken).splitlines()[1].endswith(f"test_user_code.py:{first}, in broken")
    )
    assert "returned.py" in told("the rule", error)

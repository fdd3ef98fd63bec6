"""What differs between two environments in which the same rounds have other bits."""

import json
from importlib.metadata import version

import pytest
import tiny

from fedcli.components.executors import EXECUTORS
from fedcli.core.errors import RunError
from fedcli.runs.environment import describe_environment
from fedcli.runs.other_environment import differences, require_same

THEN = {
    "fedcli": "0.1.0",
    "git": {"fedcli": {"commit": "a" * 40, "is_dirty": False}, "working_folder": None},
    "packages": {"tensorflow": "2.20.0", "keras": "3.11.0", "numpy": "2.1.0", "cryptography": "1"},
    "cpu_features": ["avx", "avx2", "fma"],
    "device": "CPU",
    "intra_op_threads": 1,
    "client_program": "XLA",
    "flags": {"XLA_FLAGS": "--a"},
    "cores": 2,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"cores": 64, "workers": 9, "packages": {**THEN["packages"], "cryptography": "2"}}, []),
        ({"fedcli": "0.2.0"}, ["fedcli: 0.1.0 then, 0.2.0 now"]),
        ({"git": {"fedcli": None}}, []),
        (
            {"git": {"fedcli": {"commit": "b" * 40}}},
            ["commit of fedcli: aaaaaaaaaaaa then, bbbbbbbbbbbb now"],
        ),
        ({"packages": {**THEN["packages"], "keras": "3.12.0"}}, ["keras: 3.11.0 then, 3.12.0 now"]),
        ({"cpu_features": ["avx", "avx512f"]}, ["CPU features: without avx2, fma, and with avx512f"]),
        ({"device": "GPU"}, ["device: CPU then, GPU now"]),
        (
            {"flags": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
            ["TF_ENABLE_ONEDNN_OPTS: not set then, 0 now", "XLA_FLAGS: --a then, not set now"],
        ),
    ],
)
def test_only_what_changes_bits_is_named(change, said):
    assert [*differences(THEN, {**THEN, **change})] == said


def test_what_an_older_run_did_not_record_is_not_compared():
    assert [*differences({}, THEN)] == []


def test_a_person_may_go_on_all_the_same(tmp_path):
    (tmp_path / "environment.json").write_text(json.dumps(THEN))
    said = []
    now = {**THEN, "device": "GPU"}
    require_same(tmp_path, THEN, is_allowed=False, warn=said.append)
    with pytest.raises(RunError, match=r"device: CPU then, GPU now\n.*--allow-different-environment"):
        require_same(tmp_path, now, is_allowed=False, warn=said.append)
    assert said == []
    require_same(tmp_path, now, is_allowed=True, warn=said.append)
    assert "device: CPU then, GPU now" in said[0]


def test_the_version_of_ray_is_recorded_where_it_runs_and_asks_nothing():
    pytest.importorskip("ray")
    with tiny.assembled() as (parts, _):
        assert "ray" not in describe_environment(parts)["packages"]
        on_ray = tiny.on(EXECUTORS["ray"](workers=1), parts)
        there = describe_environment(on_ray)
        assert there["packages"]["ray"] == version("ray")
        other = {**there, "packages": {**there["packages"], "ray": "1.0"}}
        assert [*differences(other, there)] == []

"""Which machines may work for a driver, and with which flags."""

import os

import pytest

from fedcli.components.executors.actor import (
    Surroundings,
    adopt_flags,
    require_same_machine,
    require_same_versions,
)
from fedcli.core.errors import RunError

DRIVER = Surroundings("/", (), {}, {"keras": "3.0"}, ("avx", "avx2"), "CPU")


def test_the_flags_of_a_worker_are_those_of_the_driver(monkeypatch):
    monkeypatch.setattr(os, "environ", {"XLA_FLAGS": "--own", "TF_XLA_FLAGS": "--own", "HOME": "/home"})
    adopt_flags({"XLA_FLAGS": "--driver"})
    assert os.environ == {"XLA_FLAGS": "--driver", "HOME": "/home"}


def test_a_worker_like_the_driver_is_accepted():
    require_same_versions({"keras": "3.0"}, DRIVER.packages)
    require_same_machine(["avx2", "avx"], "CPU", DRIVER)


def test_a_worker_with_another_version_is_refused():
    with pytest.raises(RunError, match=r"it has keras 3\.1; the driver has 3\.0"):
        require_same_versions({"keras": "3.1"}, DRIVER.packages)


@pytest.mark.parametrize(
    ("features", "device", "words"),
    [
        (["avx"], "CPU", r"lacks instructions of the driver's \(avx2\), or has others \(none\)"),
        (["avx", "avx2", "avx512f"], "CPU", r"\(none\), or has others \(avx512f\)"),
        (["avx", "avx2"], "NVIDIA A100", r"on another device \(NVIDIA A100\) than the driver's \(CPU\)"),
    ],
)
def test_a_worker_that_gives_other_bits_is_refused(features, device, words):
    with pytest.raises(RunError, match=words):
        require_same_machine(features, device, DRIVER)


def test_another_model_of_gpu_is_refused():
    driver = DRIVER._replace(device="NVIDIA A100")
    require_same_machine(["avx", "avx2"], "NVIDIA A100", driver)
    with pytest.raises(RunError, match=r"\(NVIDIA H100\) than the driver's \(NVIDIA A100\)"):
        require_same_machine(["avx", "avx2"], "NVIDIA H100", driver)

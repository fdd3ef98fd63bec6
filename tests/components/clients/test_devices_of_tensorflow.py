"""The name and the driver of the device that a run calculates on."""

from typing import NamedTuple

import pytest

from fedcli.components.clients.runtime.devices import device_kind, device_name, driver_version, name_of


class Device(NamedTuple):
    name: str


@pytest.mark.parametrize(
    ("details", "expected"),
    [({"device_name": "NVIDIA A100", "compute_capability": (8, 0)}, "NVIDIA A100"), ({}, "/gpu:0")],
)
def test_a_device_is_named_as_its_driver_names_it(details, expected):
    assert name_of(Device("/gpu:0"), lambda _device: details) == expected


def test_a_cpu_is_named_elsewhere():
    assert (device_kind(), device_name()) == ("CPU", None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n",
            "535.183.01",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n", "550.54.15"),
        ("something else", None),
    ],
)
def test_the_driver_is_read_where_linux_has_it(tmp_path, said, expected):
    (tmp_path / "version").write_text(said)
    assert driver_version(tmp_path / "version") == expected
    assert driver_version(tmp_path / "none") is None

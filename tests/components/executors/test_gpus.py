"""What fedcli asks of TensorFlow where there is a GPU; `tf.config` is a record of it here, since no test has a GPU."""

import warnings
from typing import NamedTuple

import pytest

from fedcli.components.executors import auto, gpus, threads, vectorised
from fedcli.components.executors.gpus import (
    calculate_the_same_bits,
    default_workers,
    let_gpu_memory_grow,
    product_name,
    trains_on,
)
from fedcli.core.machine import available_cores


class Device(NamedTuple):
    name: str


class Settings:
    """`tf.config` of a machine with some GPUs."""

    def __init__(self, gpus, error=None):
        self.gpus, self.error, self.growing = [Device(name) for name in gpus], error, []
        self.is_deterministic = False
        self.experimental = self

    def get_visible_devices(self, device_type):
        assert device_type == "GPU"
        return self.gpus

    def set_memory_growth(self, gpu, enable):
        if self.error:
            raise self.error
        self.growing.append((gpu.name, enable))

    def enable_op_determinism(self):
        self.is_deterministic = True

    def get_device_details(self, gpu):
        return {"device_name": "NVIDIA A100"} if gpu.name == "GPU:0" else {}


def test_the_memory_of_every_gpu_grows():
    settings = Settings(["GPU:0", "GPU:1"])
    let_gpu_memory_grow(settings)
    assert settings.growing == [("GPU:0", True), ("GPU:1", True)]


def test_a_gpu_that_is_in_use_already_is_warned_of():
    with pytest.warns(UserWarning, match=r"memory of GPU:0\. Call fedcli first, or set TF_FORCE"):
        let_gpu_memory_grow(Settings(["GPU:0"], RuntimeError()))


def test_who_let_the_memory_grow_by_a_variable_is_not_warned(monkeypatch):
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        let_gpu_memory_grow(Settings(["GPU:0"], RuntimeError()))


@pytest.mark.parametrize(("gpus", "flag", "expected"), [(1, None, True), (1, "0", False), (0, None, False)])
def test_a_gpu_adds_in_a_fixed_order_unless_a_variable_says_otherwise(gpus, flag, expected, monkeypatch):
    monkeypatch.delenv("TF_DETERMINISTIC_OPS", raising=False)
    if flag is not None:
        monkeypatch.setenv("TF_DETERMINISTIC_OPS", flag)
    settings = Settings(["GPU:0"] * gpus)
    calculate_the_same_bits(settings)
    assert settings.is_deterministic is expected


def test_what_fedcli_asks_of_tensorflow_is_there():
    from tensorflow import config

    # A GPU that a program has hidden is none: nothing trains on it.
    assert trains_on() == "CPU"
    assert all(
        hasattr(config.experimental, name)
        for name in ("set_memory_growth", "get_device_details", "enable_op_determinism")
    )


def test_a_limit_that_the_user_set_stands():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        let_gpu_memory_grow(Settings(["GPU:0"], ValueError("it has logical devices")))


def test_one_client_trains_at_a_time_on_a_gpu_and_one_for_each_core_without():
    assert default_workers(Settings(["GPU:0"])) == 1
    assert default_workers(Settings([])) == available_cores()


@pytest.mark.parametrize("executor", [auto, threads, vectorised])
def test_every_executor_of_this_process_has_one_worker_on_a_gpu(executor, monkeypatch):
    monkeypatch.setattr(gpus, "trains_on", lambda _settings=None: "GPU")
    # Otherwise TensorFlow would give other bits from here on, to all tests of this process.
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "0")
    assert executor().num_workers == 1


@pytest.mark.parametrize(("gpus", "name"), [([], "CPU"), (["GPU:0", "GPU:1"], "NVIDIA A100"), (["x"], "x")])
def test_a_device_has_the_product_name_of_its_first_gpu(gpus, name):
    assert product_name(Settings(gpus)) == name

"""Distributions of device speeds, from which the simulated clock draws one for each client."""

from fedcli.components.devices.device import Device, Devices
from fedcli.components.devices.half_normal import half_normal
from fedcli.components.devices.lognormal import lognormal
from fedcli.core.factories import Registry

DEVICES: Registry = {"lognormal": lognormal, "half-normal": half_normal}

__all__ = ["DEVICES", "Device", "Devices", "half_normal", "lognormal"]

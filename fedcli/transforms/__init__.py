"""What happens to an update between client and server: both ends of one mechanism in one file."""

from fedcli.core.factories import Registry
from fedcli.transforms.arrival import arrival
from fedcli.transforms.clip import clip
from fedcli.transforms.fixed_point import fixed_point
from fedcli.transforms.gaussian_noise import gaussian_noise
from fedcli.transforms.quantise import quantise
from fedcli.transforms.sparsify import random_k, top_k

COMPRESSIONS: Registry = {"quantise": quantise, "top-k": top_k, "random-k": random_k}

__all__ = [
    "COMPRESSIONS",
    "arrival",
    "clip",
    "fixed_point",
    "gaussian_noise",
    "quantise",
    "random_k",
    "top_k",
]

"""What happens to an update between client and server: both ends of one mechanism in one file."""

from fedcli.core.factories import Registry
from fedcli.transforms.adaptive_clip import adaptive_clip
from fedcli.transforms.arrival import arrival
from fedcli.transforms.clip import clip
from fedcli.transforms.correlated_noise import banded_noise, tree_noise
from fedcli.transforms.distributed_noise import distributed_noise
from fedcli.transforms.encrypt import encrypt
from fedcli.transforms.finite import finite
from fedcli.transforms.fixed_point import fixed_point
from fedcli.transforms.gaussian_noise import gaussian_noise
from fedcli.transforms.layer_clip import layer_clip
from fedcli.transforms.local_noise import local_noise
from fedcli.transforms.norm_bound import norm_bound
from fedcli.transforms.quantise import quantise
from fedcli.transforms.sparsify import random_k, top_k

COMPRESSIONS: Registry = {"quantise": quantise, "top-k": top_k, "random-k": random_k}

PROOFS: Registry = {"norm-bound": norm_bound}

__all__ = [
    "COMPRESSIONS",
    "PROOFS",
    "adaptive_clip",
    "arrival",
    "banded_noise",
    "clip",
    "distributed_noise",
    "encrypt",
    "finite",
    "fixed_point",
    "gaussian_noise",
    "layer_clip",
    "local_noise",
    "norm_bound",
    "quantise",
    "random_k",
    "top_k",
    "tree_noise",
]

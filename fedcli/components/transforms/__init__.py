"""What is done to an update between client and server; each file holds both halves of one mechanism."""

from fedcli.components.transforms.adaptive_clip import adaptive_clip
from fedcli.components.transforms.arrival import arrival
from fedcli.components.transforms.banded_noise import banded_noise
from fedcli.components.transforms.clip import clip
from fedcli.components.transforms.distributed_noise import distributed_noise
from fedcli.components.transforms.finite import finite
from fedcli.components.transforms.fixed_point import fixed_point
from fedcli.components.transforms.gaussian_noise import gaussian_noise
from fedcli.components.transforms.layer_clip import layer_clip
from fedcli.components.transforms.local_noise import local_noise
from fedcli.components.transforms.quantise import quantise
from fedcli.components.transforms.random_k import random_k
from fedcli.components.transforms.top_k import top_k
from fedcli.components.transforms.tree_noise import tree_noise
from fedcli.core.factories import Registry

TRANSFORMS: Registry = {
    "finite": finite,
    "clip": clip,
    "layer-clip": layer_clip,
    "adaptive-clip": adaptive_clip,
    "fixed-point": fixed_point,
    "gaussian-noise": gaussian_noise,
    "local-noise": local_noise,
    "distributed-noise": distributed_noise,
    "tree-noise": tree_noise,
    "banded-noise": banded_noise,
}

COMPRESSIONS: Registry = {"quantise": quantise, "top-k": top_k, "random-k": random_k}
"""Apart from the others, because the config names them in a section of their own, and they come after the strategy's
transforms."""

__all__ = [
    "COMPRESSIONS",
    "TRANSFORMS",
    "adaptive_clip",
    "arrival",
    "banded_noise",
    "clip",
    "distributed_noise",
    "finite",
    "fixed_point",
    "gaussian_noise",
    "layer_clip",
    "local_noise",
    "quantise",
    "random_k",
    "top_k",
    "tree_noise",
]

"""Preprocessing steps: factories `f(*, ...) -> Preprocessor`, one file a step."""

from __future__ import annotations

from fedcli.components.data.preprocessing.affine import affine
from fedcli.components.data.preprocessing.automatic import automatic
from fedcli.components.data.preprocessing.flatten import flatten
from fedcli.components.data.preprocessing.min_max import min_max
from fedcli.components.data.preprocessing.one_hot import one_hot
from fedcli.components.data.preprocessing.preprocessor import Preprocessor
from fedcli.components.data.preprocessing.privatise import privatise
from fedcli.components.data.preprocessing.scale import scale
from fedcli.components.data.preprocessing.standardise import standardise
from fedcli.core.factories import Registry

PREPROCESSORS: Registry = {
    "scale": scale,
    "affine": affine,
    "standardise": standardise,
    "min_max": min_max,
    "flatten": flatten,
    "one_hot": one_hot,
    "automatic": automatic,
    "privatise": privatise,
}

__all__ = ["PREPROCESSORS", "Preprocessor"]

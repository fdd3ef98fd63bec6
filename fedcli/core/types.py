"""Type names that all modules share.

A `Tree` holds the state of a component: nested mappings with arrays as leaves. Every state can therefore be
written to an `.npz` file without pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One flattened model or update, shape [P]."""
Array: TypeAlias = npt.NDArray[Any]
Tree: TypeAlias = Mapping[str, Any]
Payload: TypeAlias = Literal["vector", "integers", "ciphertext"]
Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Weighting: TypeAlias = Literal["uniform", "examples"]
# Keras has no types that a checker can read, and core does not import them.
KerasModel: TypeAlias = Any
KerasLayer: TypeAlias = Any
KerasVariable: TypeAlias = Any
SECRET = "secret"
"""The entry of a transform's state that never enters a checkpoint, because with it the noise could be subtracted."""
FIXED = "fixed_by_init"
"""The entry of a cohort's state that no checkpoint has: nothing changes it, and `init` makes it of the data again."""

"""Names of types that stand everywhere.

A `Tree` holds the state of a part: nested mappings with arrays at the leaves, so that every state can be written to an
`.npz` without pickle.
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
SECRET = "secret"
"""The entry of a transform's state that never enters a checkpoint, because it would take the noise away."""

"""Checks of a custom federation, whose data are converted to the types that training takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from fedcli.components.data.dataset import Array, Rows, Task
from fedcli.components.data.federation import Federation
from fedcli.core.errors import DataError
from fedcli.core.rounds import ClientData
from fedcli.core.user_code import blamed
from fedcli.core.vectors import is_finite


@dataclass(frozen=True, eq=False)
class CheckedFederation:
    """A custom federation whose data are checked when they are read.

    Features become float32; labels [n] become int64, targets and one-hot labels float32.

    Args:
        source: the custom federation.
    """

    source: Federation

    @property
    def num_clients(self) -> int:
        """Clients in the population, K."""
        return self.source.num_clients

    @property
    def task(self) -> Task:
        """What the labels are."""
        return self.source.task

    @property
    def num_outputs(self) -> int:
        """Classes, or targets of one example."""
        return self.source.num_outputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example after preprocessing."""
        return tuple(self.source.input_shape)

    # These two are asked for once: a federation of a million clients may make them at every call.
    @cached_property
    def num_train(self) -> Rows:
        """Training examples of each client, shape [K]."""
        return np.asarray(self.source.num_train)

    @cached_property
    def num_validation(self) -> Rows:
        """Validation examples of each client, shape [K]."""
        return np.asarray(self.source.num_validation)

    @property
    def has_public_test(self) -> bool:
        """Whether the test set holds no rows of clients; False unless the federation says so."""
        return bool(getattr(self.source, "has_public_test", False))

    def client(self, client: int) -> ClientData:
        """The examples of one client.

        Raises:
            DataError: if they are not numbers, or their number or shape differs from what the federation says.
        """
        with blamed(f"client({client}) of the federation {type(self.source).__name__}"):
            data = self.source.client(client)
            if not isinstance(data, ClientData):
                raise TypeError(f"it returned a {type(data).__name__}; a ClientData is expected")
        train = self._arrays(data.x_train, data.y_train, f"the training part of client {client}")
        validation = self._arrays(
            data.x_validation, data.y_validation, f"the validation part of client {client}"
        )
        # Weights, durations and costs are computed from these numbers without making the client.
        promised = int(self.num_train[client]), int(self.num_validation[client])
        if (len(train[0]), len(validation[0])) != promised:
            raise _wrong(
                f"client {client} has {len(train[0])} training and {len(validation[0])} validation examples; "
                f"num_train and num_validation say {promised[0]} and {promised[1]}."
            )
        return ClientData(*train, *validation)

    @property
    def test(self) -> tuple[Array, Array]:
        """The central test set.

        Raises:
            DataError: as for a client.
        """
        with blamed(f"the test set of the federation {type(self.source).__name__}"):
            x, y = self.source.test
        return self._arrays(x, y, "the test set")

    def _arrays(self, x: ArrayLike, y: ArrayLike, what: str) -> tuple[Array, Array]:
        x, y = np.asarray(x), np.asarray(y)
        for name, array in (("x", x), ("y", y)):
            if array.dtype.kind not in "buif":
                raise _wrong(f"{name} of {what} has the type {array.dtype}; expected numbers.")
            if not is_finite(array):
                raise _wrong(f"{name} of {what} has NaN or infinite values.")
        if x.shape[1:] != self.input_shape:
            raise _wrong(
                f"an example of {what} has the shape {list(x.shape[1:])}; "
                f"input_shape is {list(self.input_shape)}."
            )
        if len(x) != len(y):
            raise _wrong(f"{what} has {len(x)} examples and {len(y)} labels.")
        # One-hot labels have two dimensions and are targets of a loss, like those of a regression.
        if self.task == "regression" or y.ndim > 1:
            return x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)
        if y.dtype.kind == "f":
            raise _wrong(f"y of {what} has the type {y.dtype}; expected class numbers, as integers.")
        return x.astype(np.float32, copy=False), y.astype(np.int64, copy=False)


def _wrong(message: str) -> DataError:
    return DataError(message, key="data.name", hint="Correct the federation that the factory returns.")

"""Keras architectures. Each one computes its parameter count itself, so that checking a config loads no TensorFlow."""

from fedcli.components.models.cnn import cnn
from fedcli.components.models.lenet import lenet
from fedcli.components.models.logistic import logistic
from fedcli.components.models.mlp import mlp
from fedcli.components.models.regressor import regressor
from fedcli.core.factories import Registry

MODELS: Registry = {"logistic": logistic, "mlp": mlp, "lenet": lenet, "cnn": cnn, "regressor": regressor}

__all__ = ["MODELS", "cnn", "lenet", "logistic", "mlp", "regressor"]

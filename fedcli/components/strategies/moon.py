"""MOON: model-contrastive learning."""

from __future__ import annotations

from fedcli.components.clients.moon import moon as local_moon
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def moon(*, mu: float = 1.0, temperature: float = 0.5) -> Strategy:
    """Clients pull their representations towards the global model's and away from their own previous ones.

    Formula: adds mu * -log(e^(cos(z, z_global) / T) / (e^(cos(z, z_global) / T) + e^(cos(z, z_previous) / T))) to
    the loss, with z the representation of an example and T the temperature; the server averages as in fedavg.

    Args:
        mu: weight of the contrastive term, at least 0; 0 is FedAvg to the bit.
        temperature: temperature of the contrastive term, above 0.

    Reference: Li et al. 2021, arXiv:2103.16257, Algorithm 1.

    Deviations: no projection head is added to the model; a representation is the input of its last layer.

    Combines: any cohort; models with a layer before the last. Each step costs three forward passes.
    """
    return fedavg()._replace(name="moon", trainer=local_moon(mu=mu, temperature=temperature))

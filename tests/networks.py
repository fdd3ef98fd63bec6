"""Networks as the assembly makes them: built, then split into what is sent, kept and frozen."""

from fedcli.components.models.network import build_model, personal_weights, split


def build_network(build, *, root, trainable=None, personal=None, dtype="float32"):
    model = build_model(build, root=root, trainable=trainable, dtype=dtype)
    return split(model, personal_weights(model, personal))

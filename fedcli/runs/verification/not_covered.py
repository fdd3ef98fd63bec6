"""What a verification does not show."""

from __future__ import annotations

from fedcli.runs.verification.planned_run import Recipe, Server

_ALWAYS = (
    "that no checkpoint was removed at the end: compare the head with the one that was published",
    "that the figures in metrics.jsonl and clients.jsonl are true: only that the run wrote them",
    "that `fedcli run` would accept the data, and the task, attack and early stop that depend on it, and that "
    "model.json describes it: no data is loaded",
)
_PRUNED = "what the models of the {:,} pruned checkpoints were: their arrays were removed, and their manifests are left"
_POPULATION = (
    "that {:,} clients exist, the number on which epsilon rests: without proofs no client vouches for it, and whoever "
    "writes a whole run can choose it"
)
_WITH_PROOFS = (
    "that clients trained honestly, on real data, or do no harm within the bound on their norms",
    "that the numbers of examples, by which clients are weighted, are true",
    "that each client is a separate party: whoever made the keys may hold several",
    "that the server left out no valid client, and declared no round void without need",
    "that the initial model is a good one",
    "that the proofs are composed soundly: no cryptographer has reviewed it (docs/proofs.md)",
)
_NOISE = "that noise was drawn from a Gaussian and is fresh: only that its norm is within a bound"
_FACTOR = ", of {:,.0f} clip norms, by which {} can move a sum with valid proofs"


def not_covered(
    recipe: Recipe | None, *, has_proofs: bool, num_pruned: int, size: int | None
) -> tuple[str, ...]:
    """What a verification of such a run does not show, each the end of "it does not show ...".

    Args:
        recipe: the run as it was planned; None if it cannot be known.
        has_proofs: whether updates come with proofs.
        num_pruned: pruned checkpoints among those that were checked.
        size: number of trainable weights; None if no checkpoint says it.
    """
    pruned = [_PRUNED.format(num_pruned)] if num_pruned else []
    if not has_proofs:
        is_private = recipe is not None and recipe.is_private
        return (
            *_ALWAYS,
            *pruned,
            *([_POPULATION.format(recipe.num_clients)] if recipe and is_private else []),
        )
    found = [*_ALWAYS, *pruned, *_WITH_PROOFS]
    if recipe is not None:
        found += (
            [_noise(recipe.server, size)] if recipe.server is not None and recipe.server.has_noise else []
        )
    return tuple(found)


def _noise(server: Server, size: int | None) -> str:
    factor = None if size is None else server.bounds.noise_in_clip_norms(size)
    who = "each client" if server.bounds.has_shares else "the server"
    return _NOISE if factor is None else _NOISE + _FACTOR.format(factor, who)

"""The columns of metrics.jsonl that the engine computes, each declared once.

Columns of a mechanism are declared by its transform (`Transform.columns`), so that the engine knows none by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fedcli.core.column import Column, Live

if TYPE_CHECKING:
    from fedcli.engine.setup import Setup

_ADMISSION, _EVALUATION, _ROUND = "engine/admission.py", "engine/evaluation.py", "engine/round.py"
_SCORES = "engine/class_scores.py"
_words = partial(Column, owner=_ROUND, unit="text", live=Live("{value}"))


class Group(NamedTuple):
    """Columns that appear in the same runs.

    Args:
        runs: which runs, in words.
        has: whether a run has them.
        columns: in the order in which they are shown.
    """

    runs: str
    has: Callable[[Setup], bool]
    columns: tuple[Column, ...]


def all_runs(_setup: Setup) -> bool:
    """For columns that every run has."""
    return True


def _on_clients(prefix: str, model: str) -> tuple[Column, ...]:
    """The mean over the clients' validation examples and its spread, for one kind of model."""
    name, column = f"{prefix}/<metric>", partial(Column, owner="core/metrics.py")
    return (
        Column(name, f"mean over the clients' validation examples, of {model}", _EVALUATION, better="metric"),
        column(f"{name}/worst", "the worst client", better="metric"),
        column(f"{name}/<decile>", "deciles over the clients: p10, p50 and p90", better="metric"),
        column(f"{name}/worst_decile", "mean over the worst tenth of the clients", better="metric"),
        # An even model is better, whether a larger value of the metric is better or a smaller one.
        column(f"{name}/variance", "variance over the clients", better="down"),
        column(f"{name}/entropy", "entropy of the clients' values as shares of their sum", better="up"),
    )


BEFORE_MECHANISMS = (
    Group(
        "all runs",
        all_runs,
        (
            Column("round", "the round, counted from 1", _ROUND, source="config"),
            Column(
                "test/<metric>",
                "mean over the central test set, in rounds that are evaluated",
                _EVALUATION,
                source="model",
                better="metric",
                live=Live("{name} {value:.4f}"),
                in_summary=True,
            ),
        ),
    ),
    Group(
        "runs with a metric of the whole test set in `task.metrics`",
        lambda setup: bool(setup.training.task.scores),
        (
            Column(
                "test/<score>",
                "of the whole central test set, in rounds that are evaluated",
                _SCORES,
                source="model",
                better="metric",
                live=Live("{name} {value:.4f}"),
                in_summary=True,
            ),
        ),
    ),
    Group(
        "runs with `average`",
        lambda setup: setup.run.average_decay is not None,
        (
            Column(
                "average/test/<metric>",
                "the same for the averaged model",
                _EVALUATION,
                source="model",
                better="metric",
                in_summary=True,
            ),
        ),
    ),
    Group(
        "runs with `average` and a metric of the whole test set",
        lambda setup: setup.run.average_decay is not None and bool(setup.training.task.scores),
        (
            Column(
                "average/test/<score>",
                "the same for the averaged model",
                _SCORES,
                source="model",
                better="metric",
                in_summary=True,
            ),
        ),
    ),
    Group(
        "runs with an attack that has a trigger",
        lambda setup: setup.world.adversary is not None and setup.world.adversary.attack.trigger is not None,
        (
            Column(
                "attack/success_rate",
                "share of test examples with the trigger that get the attack's label",
                _EVALUATION,
                source="model",
                better="down",
                live=Live("{name} {value:.4f}"),
                in_summary=True,
            ),
        ),
    ),
    Group(
        "runs with `evaluation.clients`, over all clients or its sample",
        lambda setup: bool(setup.run.evaluation.clients),
        _on_clients("validation", "the model"),
    ),
    Group(
        "runs with `evaluation.clients` and personal models",
        lambda setup: bool(setup.run.evaluation.clients) and setup.protocol.strategy.trainer.is_personal,
        _on_clients("validation/global", "the global model before local adaptation"),
    ),
    Group(
        "all runs",
        all_runs,
        (
            Column(
                "train/<metric>",
                "mean over the training examples of the accepted honest clients",
                _ADMISSION,
                better="metric",
            ),
        ),
    ),
    Group(
        "private runs",
        lambda setup: setup.protocol.accountant is not None,
        (
            Column(
                "epsilon",
                "epsilon of all releases so far, at the delta of the config",
                "engine/budget.py",
                source="config",
                live=Live("{name} {value:.3f}", row=True),
                in_summary=True,
            ),
        ),
    ),
    Group(
        "all runs",
        all_runs,
        (
            # Under Poisson sampling even the planned number follows from who was drawn.
            Column("clients/planned", "clients of the cohort", _ADMISSION, unit="clients", source="cohort"),
            Column(
                "clients/finished",
                "clients whose update was accepted",
                _ADMISSION,
                unit="clients",
                better="up",
                live=Live("clients {value}/{record[clients/planned]}"),
            ),
            Column(
                "clients/rejected",
                "clients that failed, or whose update was refused",
                _ADMISSION,
                unit="clients",
                better="down",
                live=Live("{value} rejected", "brackets"),
            ),
        ),
    ),
    Group(
        "runs with `devices`, dropout or stragglers",
        lambda setup: setup.world.is_uneven,
        (
            Column(
                "clients/absent",
                "clients from which nothing arrived",
                _ADMISSION,
                unit="clients",
                better="down",
                live=Live("{value} absent", "brackets"),
            ),
        ),
    ),
    Group(
        "runs with `attack`",
        lambda setup: setup.world.adversary is not None,
        (Column("clients/malicious", "malicious clients of the cohort", _ADMISSION, unit="clients"),),
    ),
    Group(
        "asynchronous runs (`fedbuff`)",
        lambda setup: setup.protocol.strategy.buffer is not None,
        (
            Column(
                "staleness/mean",
                "mean staleness of the updates that arrived",
                _ADMISSION,
                unit="rounds",
                better="down",
            ),
            Column("staleness/max", "largest staleness", _ADMISSION, unit="rounds", better="down"),
        ),
    ),
    Group(
        "all runs",
        all_runs,
        (
            Column(
                "examples",
                "training examples of the accepted clients",
                _ADMISSION,
                unit="examples",
                better="up",
            ),
            Column("bytes_up", "what the clients sent", _ADMISSION, unit="bytes", better="down"),
            Column("bytes_down", "what the clients received", _ADMISSION, unit="bytes", better="down"),
        ),
    ),
    Group(
        "runs with `devices`",
        lambda setup: setup.world.devices is not None,
        (
            Column(
                "simulated/round_seconds",
                "simulated duration of the round",
                _ROUND,
                unit="seconds",
                better="down",
            ),
            Column(
                "simulated/seconds",
                "simulated time since the start of the run",
                _ROUND,
                unit="seconds",
                live=Live("simulated {readable} s"),
                in_summary=True,
            ),
        ),
    ),
)

AFTER_MECHANISMS = (
    Group(
        "all runs",
        all_runs,
        (
            # Times have the source "data" as well: how long training takes tells how many examples took part.
            Column("seconds/train", "time waiting for the clients", _ROUND, unit="seconds", better="down"),
            Column(
                "seconds/aggregate",
                "time for the checks, the aggregate and the server's step",
                _ROUND,
                unit="seconds",
                better="down",
            ),
            Column("seconds/evaluate", "time for the evaluation", _ROUND, unit="seconds", better="down"),
            Column(
                "seconds/total",
                "time for the whole round",
                _ROUND,
                unit="seconds",
                better="down",
                live=Live("{value:.1f} s"),
            ),
            _words(
                "note",
                "why the round is void or left the model unchanged, or which client failed",
                # `noised_only` replaces the note of a void round, which may say who took part.
                source="config",
            ),
            _words(
                "workers/lost",
                "workers of the executor that were lost in this round, why, and which clients were trained again",
            ),
        ),
    ),
)

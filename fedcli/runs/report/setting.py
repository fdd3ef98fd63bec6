"""What was trained, with what: the components of the experiment, each with the first line of its documentation."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator

from fedcli.config import Part, installed
from fedcli.runs.headline import is_finite
from fedcli.runs.report.content import Facts, PageSection
from fedcli.runs.report.quantities import counted, number
from fedcli.runs.report.subject import Subject


def setting(subject: Subject) -> PageSection:
    """The components of the first run; those that differ between the runs are only named."""
    return PageSection("What was trained", [Facts(list(_components(subject)))], "Setting")


def in_words(part: Part, section: str, *, leave_out: Collection[str] = ()) -> str:
    """A component and its parameters: of a partition all, which say how unequal it is, else those not at their default.

    Args:
        part: the component.
        section: the registry of its name.
        leave_out: parameters that are said elsewhere.
    """
    factory = installed(section).get(part.name)
    signature = inspect.signature(factory).parameters if factory else {}
    told = [
        f"{name.replace('_', ' ')} {_shown(value)}"
        for name, value in part.parameters.items()
        if name not in leave_out
        and value is not None
        and (section == "data.partition" or name not in signature or value != signature[name].default)
    ]
    return f"{part.name}, {', '.join(told)}" if told else part.name


def _components(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    experiment = subject.experiment
    for label, section, part in (
        ("data", "data", experiment.data.part),
        ("divided by", "data.partition", experiment.data.partition),
        ("model", "model", experiment.model.part),
        ("strategy", "strategy", experiment.strategy),
        ("client optimizer", "client.optimizer", experiment.client.optimizer),
        ("cohort", "cohort", experiment.cohort),
        ("devices", "devices", experiment.devices),
        ("compression", "compression", experiment.compression),
        ("encryption", "encryption", experiment.encryption),
        ("proofs", "proofs", experiment.proofs),
        ("attack", "attack", experiment.attack.part if experiment.attack else None),
    ):
        own = ("name", *part.parameters) if isinstance(part, Part) else ()
        if section in subject.differences or any(f"{section}.{name}" in subject.differences for name in own):
            yield label, ["differs between the runs (see the table of differences)"]
            continue
        if isinstance(part, Part):
            yield label, [in_words(part, section), *_explained(section, part)]
        elif part is not None:
            yield label, [f"{part.name}, written out in the config"]
    client = experiment.client
    # A client of dp-sgd makes the steps of its strategy, and the config's epochs and batches are not used.
    if isinstance(experiment.strategy, Part) and "steps" in experiment.strategy.parameters:
        return
    work = counted(client.epochs or 1, "epoch") if client.steps is None else counted(client.steps, "step")
    yield "a client's turn", [f"{work} with batches of {client.batch_size}"]


def _explained(section: str, part: Part) -> list[str]:
    """The first line of a built-in's documentation."""
    factory = installed(section).get(part.name)
    return (getattr(factory, "__doc__", None) or "").strip().splitlines()[:1]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    return number(value) if is_finite(value) else str(value)

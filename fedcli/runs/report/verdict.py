"""The verdict: what was trained on what, what it reached, and what was measured on which examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fedcli.config import Experiment
from fedcli.runs.comparison import Paired, SeedGroup, cautions, paired
from fedcli.runs.headline import is_finite
from fedcli.runs.report.content import Block, PageSection, Text, Tiles
from fedcli.runs.report.quantities import counted, duration, number, size, spread
from fedcli.runs.report.setting import in_words
from fedcli.runs.report.subject import Subject, about

_FEWEST_PAIRS = 3


def verdict(subject: Subject) -> PageSection:
    """What a reader in a hurry wants to know."""
    blocks: list[Block] = [Text(sentence) for sentence in _sentences(subject)]
    blocks += [Text(sentence, "warning") for sentence in _cautions(subject)]
    return PageSection("Verdict", [*blocks, Tiles(list(_tiles(subject)))])


def interval(value: float, examples: int) -> tuple[float, float]:
    """The 95 % interval of a share of examples that were drawn at random.

    Args:
        value: the share, 0..1.
        examples: how many were drawn.

    Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953, as in scipy.
    """
    from scipy import stats

    found = stats.binomtest(round(value * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def measured_on(subject: Subject) -> str:
    """The examples on which the column was measured, in words."""
    part, data = subject.column.partition("/")[0], subject.experiment.data
    split = subject.split
    if subject.column.startswith("test/"):
        if isinstance(split, str):
            return "the central test set, on which no client trains"
        return f"the central test set of {counted(split.num_test, 'example')}, on which no client trains"
    if part == "validation":
        return f"the clients' validation examples, {data.validation_fraction:.0%} of each client's"
    return about(subject.column) or f"what fedcli names {part}"


def _sentences(subject: Subject) -> Iterator[str]:
    experiment, figures = subject.experiment, subject.first.figures
    data, clients = experiment.data.part.name, subject.environment.get("num_clients")
    on = f"{data}, divided over {counted(clients, 'client') if type(clients) is int else 'clients'}"
    if experiment.data.partition is not None:
        on += f" ({in_words(experiment.data.partition, 'data.partition', leave_out=('clients', 'min_size'))})"
    best = "highest" if figures.better == "up" else "lowest"
    if len(subject.groups) > 1:
        groups = subject.groups
        runs = ", ".join(f"{group.label} ({counted(len(group.runs), 'run')})" for group in groups)
        if not any(key.startswith(("data.", "model.")) for key in subject.differences):
            yield f"{runs} trained the model {experiment.model.part.name} on {on}."
        else:
            yield f"{len(groups)} configurations are compared: {runs}."
        sign = -1 if figures.better == "up" else 1
        ranked = sorted(groups, key=lambda group: sign * float(np.mean(group.values("last"))))
        first, second = ranked[:2]
        yield (
            f"{first.label} ends {best}: {subject.column} {spread(first.values('last')).text}"
            f"{_over(first)}, {_against(second, first)}. It was measured on {measured_on(subject)}."
        )
        return
    runs = "" if subject.is_single else f" in {len(subject.runs)} runs"
    yield (
        f"The strategy {experiment.strategy.name} trained the model {experiment.model.part.name} on {on}, for "
        f"{_rounds(subject)}{runs}."
    )
    if not subject.is_single:
        group = subject.groups[0]
        yield (
            f"It ends at {subject.column} {spread(group.values('last')).text}{_over(group)}, measured on "
            f"{measured_on(subject)}."
        )
        return
    is_last = figures.last_round == subject.records[-1].get("round")
    which = "The last model" if is_last else f"The model of round {figures.last_round:,}"
    text = f"{which} reaches {subject.column} {number(figures.last)}, measured on {measured_on(subject)}"
    split = subject.split
    if subject.column == "test/accuracy" and not isinstance(split, str) and 0 <= figures.last <= 1:
        low, high = interval(figures.last, split.num_test)
        text += f"; the 95 % interval of a share of that many examples is {low:.3f} to {high:.3f}"
    yield f"{text}."
    if protection := _protection(subject):
        yield protection


def _rounds(subject: Subject) -> str:
    """How many rounds the runs have, which may be more than have a value of the metric."""
    counts = sorted({int(run.records[-1]["round"]) for run in subject.runs})
    last = counted(counts[-1], "round")
    return last if len(counts) == 1 else f"{counts[0]:,} to {last}"


def _protection(subject: Subject) -> str:
    """Epsilon, encryption and proofs in a sentence; empty without any."""
    experiment, found = subject.experiment, []
    if (epsilon := subject.first.totals.get("epsilon")) is not None:
        found.append(f"its models have differential privacy of epsilon {number(epsilon)} (see Privacy)")
    if experiment.encryption is not None:
        found.append(f"updates were encrypted ({experiment.encryption.name})")
    if experiment.proofs is not None:
        found.append(f"clients proved the bound of their updates ({experiment.proofs.name})")
    told = " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def _against(other: SeedGroup, winner: SeedGroup) -> str:
    difference = paired(other, winner)
    if difference is None:
        return f"before {other.label} with {spread(other.values('last')).text}; they have no seed in common"
    pairs = f"better in {difference.num_better} of {counted(difference.num_pairs, 'pair')} of runs with the same seed"
    # Of unequal seeds, the pairs may say otherwise than the means.
    gain = difference.mean if winner.runs[0].figures.better == "up" else -difference.mean
    told = "better" if gain >= 0 else "worse"
    which = "" if gain >= 0 else "but of runs with the same seed it is "
    return f"{which}{abs(gain):.2g} {told} than {other.label}{_doubt(difference)}; {pairs}"


def _doubt(difference: Paired) -> str:
    if difference.low is None or difference.high is None or difference.p is None:
        few = difference.num_pairs < _FEWEST_PAIRS
        return ", which so few pairs cannot tell from chance" if few else " (the same in every pair)"
    told = f"95 % interval {difference.low:.2g} to {difference.high:.2g}, p {difference.p:.2g}"
    # Of a few pairs the bootstrap's interval is too narrow, so that both must agree.
    clear = difference.p < 0.05 and not difference.low <= 0 <= difference.high
    return f" ({told})" if clear else f" ({told}: it may be chance)"


def _over(group: SeedGroup) -> str:
    return "" if len(group.runs) == 1 else f" (standard deviation over {len(group.runs)} runs)"


def _cautions(subject: Subject) -> Iterator[str]:
    yield from cautions(subject.runs)
    for run in subject.runs:
        notes = [row for row in run.records if row.get("note")]
        failed = [row for row in notes if str(row["note"]).startswith("failed: ")]
        voids = [row for row in notes if row not in failed]
        if voids:
            said = dict.fromkeys(str(row["note"]) for row in voids)
            yield (
                f"{run.run.folder.name}: {counted(len(voids), 'round')} left the model as it was or was void: "
                f"{'; '.join(list(said)[:3])}."
            )
        if failed:
            first = str(failed[0]["note"]).removeprefix("failed: ")
            yield f"{run.run.folder.name}: clients failed in {counted(len(failed), 'round')}, first {first}."
    yield from _chosen(subject)
    seeded = [run for run in subject.runs if subject.experiment_of(run).privacy.reproducible_noise]
    if any(run.totals.get("epsilon") is not None for run in seeded):
        yield "The noise follows from the seed (reproducible_noise), so that it protects nobody."


def _chosen(subject: Subject) -> Iterator[str]:
    """Which values were chosen by looking at the test set, and are too good for that."""
    stops = {
        stop.metric for run in subject.runs if (stop := subject.experiment_of(run).early_stop) is not None
    }
    on_test = sorted(metric for metric in stops if metric.startswith("test/"))
    if on_test and subject.column.startswith("test/"):
        what = "The run stops" if subject.is_single else "Runs stop"
        yield (
            f"{what} by {' and '.join(on_test)}, so that its last value was chosen by looking at the test set and is "
            "too good; a metric of the clients' validation examples would leave the test set alone."
        )
        return
    figures = subject.first.figures
    if subject.is_single and subject.column.startswith("test/") and figures.best != figures.last:
        yield (
            f"The best value, {number(figures.best)} in round {figures.best_round:,}, was chosen by looking at the "
            "test set, so that it is too good; the last value was not chosen."
        )


def _tiles(subject: Subject) -> Iterator[tuple[str, str, str]]:
    groups, figures = subject.groups, subject.first.figures
    if len(groups) == 1:
        runs = groups[0].runs
        remark = f"after round {figures.last_round:,}" if len(runs) == 1 else f"± over {len(runs)} runs"
        yield subject.column, spread(groups[0].values("last")).text, remark
        yield (
            "best",
            spread(groups[0].values("best")).text,
            (f"in round {figures.best_round:,}" if len(runs) == 1 else "each run's best round"),
        )
        for name, label, words, remark in (
            ("epsilon", "epsilon", number, f"at delta {number(_delta(subject.experiment))}"),
            ("bytes up", "sent", size, "by all clients"),
            ("simulated seconds", "simulated time", duration, "of the devices"),
            ("seconds", "time", duration, "on the machine below"),
        ):
            if values := groups[0].values(name):
                yield label, spread(values, words).text, remark
        return
    for group in groups[:6]:
        yield (
            group.label,
            spread(group.values("last")).text,
            f"{subject.column}, {counted(len(group.runs), 'run')}",
        )


def _delta(experiment: Experiment) -> float | None:
    found = getattr(experiment.strategy, "parameters", {}).get("delta")
    return found if is_finite(found) else None

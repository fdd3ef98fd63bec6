"""The course of a metric over rounds or over what they cost."""

import json

import numpy as np
import pytest
from kept_runs import CONFIG, make_run

from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import compared, grouped
from fedcli.runs.course import course_of
from fedcli.runs.course_axis import AXES
from fedcli.runs.course_picture import course_figure, course_picture

VALUES = {1: [0.25, 0.5, 0.75], 2: [0.75, 1.0]}


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """Two seeds, of which the second one has a round less."""
    folders = []
    for seed, values in VALUES.items():
        run = make_run(tmp_path_factory.mktemp("course") / "run", 1, config=f"{CONFIG}seed: {seed}\n")
        rows = [
            {
                "round": number,
                "validation/loss": value,
                "bytes_up": 2_000_000,
                "epsilon": number / 10,
                **{f"validation/loss/{decile}": value + shift for decile, shift in DECILES.items()},
            }
            for number, value in enumerate(values, 1)
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        folders.append(run)
    (one,) = grouped(compared(folders))
    return one


DECILES = {"p10": -0.125, "p50": 0.0, "p90": 0.25}


def test_it_is_the_mean_over_the_seeds_of_rounds_that_all_of_them_have(group):
    found = course_of(group, "validation/loss", "rounds")
    assert found.x == [1, 2]
    assert found.middle == [0.5, 0.75]
    deviation = np.std([0.25, 0.75], ddof=1)
    assert found.low == pytest.approx([0.5 - deviation, 0.75 - deviation])
    assert found.band == "standard deviation of 2 runs"


@pytest.mark.parametrize(("axis", "x"), [("bytes", [2.0, 4.0]), ("epsilon", [0.1, 0.2])])
def test_it_may_be_drawn_over_what_the_rounds_cost(group, axis, x):
    assert course_of(group, "validation/loss", axis).x == pytest.approx(x)


def test_the_band_of_clients_has_their_deciles(group):
    found = course_of(group, "validation/loss", "rounds", clients=True)
    assert found.middle == [0.5, 0.75]
    assert found.low == [0.375, 0.625]
    assert found.high == [0.75, 1.0]
    assert found.band == f"p10 to p90 of the clients, means of {len(group.runs)} runs"


def test_a_run_without_the_axis_is_named_with_what_it_lacks(group):
    with pytest.raises(ConfigError, match=r"has no round with validation/loss and simulated/seconds"):
        course_of(group, "validation/loss", "seconds")


def test_the_axis_has_whole_rounds_only(group):
    figure = course_figure([course_of(group, "validation/loss", "rounds")], "validation/loss", AXES["rounds"])
    ticks = figure.axes[0].get_xticks()
    assert list(ticks) == [round(tick) for tick in ticks]


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_has_the_same_bytes_every_time(group, form, start):
    courses = [course_of(group, "validation/loss", "rounds")._replace(label="<script> $x$")]
    picture = course_picture(courses, "validation/loss", "round", form)
    assert picture.startswith(start)
    assert course_picture(courses, "validation/loss", "round", form) == picture
    if form == "svg":
        assert b"<script>" not in picture
        assert b"&lt;script&gt; $x$" in picture

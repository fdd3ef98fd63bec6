"""results.csv: one line a round, for spreadsheets and for pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from fedcli.engine.records import Row


def results_table(records: Sequence[Row], columns: Iterable[str] = ()) -> str:
    """The records of a run as CSV with a header.

    Args:
        records: the rounds of metrics.jsonl.
        columns: names in the order in which they are shown; those of no record are left out.

    Returns:
        RFC 4180 with line feeds. Where a round has no value, or one that is not finite, the cell is empty.
    """
    found = dict.fromkeys(name for row in records for name in row)
    # The order of the first record would put columns that appear later, such as those of an evaluation, at the end.
    names = [
        *(name for name in columns if name in found),
        *(name for name in found if name not in set(columns)),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()

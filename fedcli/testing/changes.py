"""Change single fields of an assembled experiment, for tests: wherever a field is, by its name alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fedcli.engine.client_side import Clients
from fedcli.engine.setup import Assembly


def changed(assembly: Assembly, **fields: Any) -> Assembly:
    """The same assembly with other values.

    What clients share with the server, such as the strategy, is changed on both sides.

    Args:
        assembly: of an experiment.
        fields: fields of the assembly, its four records, or its clients' side; no name is in two records.

    Raises:
        TypeError: for a name that is in none.
    """
    setup, side = assembly.setup, assembly.clients.side
    known = {*Assembly.__dataclass_fields__, *side._fields}
    for name in ("world", "training", "protocol", "run"):
        record = getattr(setup, name)
        own = {field: value for field, value in fields.items() if field in record._fields}
        known |= set(record._fields)
        setup = replace(setup, **{name: record._replace(**own)})
    # With a misspelt name nothing would change, and a test could pass for that reason.
    if strangers := set(fields) - known:
        raise TypeError(f"an assembly has no {', '.join(sorted(strangers))}")
    sides = {name: value for name, value in fields.items() if name in side._fields}
    # A side that was changed here cannot be built in another process.
    clients = Clients(side._replace(**sides)) if sides else assembly.clients
    own = {name: value for name, value in fields.items() if name in Assembly.__dataclass_fields__}
    return replace(assembly, **{"setup": setup, "clients": clients, **own})

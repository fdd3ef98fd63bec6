"""The columns of clients.jsonl, each declared once."""

from __future__ import annotations

from functools import partial

from fedcli.core.column import Column
from fedcli.engine.round_columns import Group, all_runs

_of_clients = partial(Column, owner="engine/admission.py", file="clients.jsonl")

CLIENT_GROUPS = (
    Group(
        "all runs",
        all_runs,
        (
            _of_clients("round", "the round, counted from 1"),
            _of_clients("client", "the client's number"),
            _of_clients("examples", "its training examples", unit="examples"),
            _of_clients("weight", "its weight in the aggregate"),
            _of_clients("train/<metric>", "mean over its examples while it trains", better="metric"),
            _of_clients("bytes_up", "what it sent", unit="bytes", better="down"),
            _of_clients("seconds", "its training time", unit="seconds", better="down"),
        ),
    ),
    Group(
        "runs with `devices` or stragglers",
        lambda setup: setup.world.is_uneven,
        (
            _of_clients(
                "steps",
                "batches that it trains on, if not all that were planned",
                owner="engine/availability.py",
                unit="batches",
            ),
        ),
    ),
    Group(
        "runs with `devices`",
        lambda setup: setup.world.devices is not None,
        (
            _of_clients(
                "simulated_seconds",
                "simulated time from receiving the model to the arrival of its update",
                owner="engine/availability.py",
                unit="seconds",
                better="down",
            ),
        ),
    ),
    Group(
        "asynchronous runs (`fedbuff`)",
        lambda setup: setup.protocol.strategy.buffer is not None,
        (
            _of_clients(
                "staleness",
                "server steps since the client received the model",
                owner="engine/asynchronous.py",
                unit="rounds",
                better="down",
            ),
        ),
    ),
    Group(
        "runs with `attack`",
        lambda setup: setup.world.adversary is not None,
        (_of_clients("malicious", "true for a malicious client; other rows do not have it"),),
    ),
    Group(
        "all runs",
        all_runs,
        (_of_clients("reason", "why its update is not in the aggregate", unit="text"),),
    ),
)

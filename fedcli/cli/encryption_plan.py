"""How a planned encryption reaches the screen: its figures, and who sees what of the updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fedcli.cli.output import readable

_IN_WORDS = {
    "security_bits": ("security", "{} bits"),
    "failure_bits": ("a value opens wrongly", "with probability below 2^-{}"),
    "statistical_bits": ("the masks fail", "with probability below 2^-{}"),
    "bytes_per_parameter": ("bytes per parameter", "{} up"),
    "most_summands": ("planned for", "sums of {} updates"),
    "min_clients": ("needs", "{} updates in a round; with fewer it is void"),
    "members": ("members", "clients {}"),
    "assumes": ("holds if", "{}"),
}
_IN_RING = ("degree", "prime_bits", "plain_bits", "fields", "largest_sum", "smudging_bits")
# A bound so small that its size says nothing more.
_SMALLEST = 1000


def print_encryption(plan: Mapping[str, Any]) -> None:
    """The plan in two columns, and who sees what as a list; on a terminal long lines are wrapped within theirs."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    rows = list(_rows(plan))
    width = max(len(label) for label, _ in rows)
    if not console.is_terminal:
        lines = [f"{label:<{width}}  {text}" for label, text in rows]
        lines += ["", "who sees what", *(f"  {who}: {what}" for who, what in _sights(plan))]
        console.print("\n".join(lines), soft_wrap=True, markup=False)
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for label, text in rows:
        grid.add_row(label, Text(text))
    console.print(grid, "", Text("who sees what", style="bold"), sep="\n")
    before = ""
    for who, what in _sights(plan):
        if who != before:
            console.print(Padding(Text(who), (0, 0, 0, 2)))
        console.print(Padding(Text(what, style="dim"), (0, 0, 0, 4)))
        before = who


def _rows(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "encryption", plan["name"]
    for name, value in plan.items():
        if name in ("name", "sees", *_IN_RING) or value is None:
            continue
        label, text = _IN_WORDS.get(name, (name.replace("_", " "), "{}"))
        told = _ring(plan) if name == "ring" else text.format(_value(name, value))
        yield (
            f"  {label}",
            f"{told}, in full ciphertexts" if name == "bytes_per_parameter" and "ring" in plan else told,
        )


def _ring(plan: Mapping[str, Any]) -> str:
    primes = ", ".join(map(str, plan["prime_bits"]))
    return (
        f"{plan['ring']}, primes of {primes} bits, plain modulus of {plan['plain_bits']} bits, "
        f"{plan['fields']} integers in a slot"
    )


def _value(name: str, value: Any) -> str:
    if name == "failure_bits":
        return str(min(value, _SMALLEST))
    return ", ".join(map(readable, value)) if isinstance(value, list | tuple) else readable(value)


def _sights(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for sight in plan["sees"]:
        yield sight["who"], sight["what"]

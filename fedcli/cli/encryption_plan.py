"""The plan of an encryption as text: its figures, and what each party sees of the updates."""

from __future__ import annotations

from fedcli.cli.output import Facts, print_rows, readable

_IN_WORDS = {
    "security_bits": ("security", "{} bits"),
    "failure_bits": ("a value opens wrongly", "with probability below 2^-{}"),
    "tail_bits": ("clients' noise overflows", "in the whole run with probability below 2^-{}"),
    "statistical_bits": ("the masks fail", "with probability below 2^-{}"),
    "bytes_per_parameter": ("bytes per parameter", "{} up"),
    "bytes_of_keys": ("keys and shares", "{} bytes up from each client in a round"),
    "most_summands": ("planned for", "sums of {} updates"),
    "min_clients": ("needs", "{} updates in a round; with fewer the round is void"),
    "members": ("members", "clients {}"),
    "assumes": ("holds if", "{}"),
}
# These have no line of their own: the line `ring` shows them, or only --json does.
_IN_RING = ("degree", "prime_bits", "plain_bits", "fields", "largest_sum", "smudging_bits")
_IN_DISTANCE = ("planned_rounds", "planned_attempts", "planned_values")
_NEVER = "never: the plan has room for the largest possible noise"


def print_encryption(plan: Facts) -> None:
    """Print the plan in two columns, then what each party sees; on a terminal, long texts wrap in their column."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    rows = [("encryption", plan["name"])]
    for name, value in plan.items():
        if name in ("name", "sees", *_IN_RING, *_IN_DISTANCE) or (value is None and name != "failure_bits"):
            continue
        label, template = _IN_WORDS.get(name, (name.replace("_", " "), "{}"))
        if name == "ring":
            primes = ", ".join(map(str, plan["prime_bits"]))
            text = (
                f"{value}, primes of {primes} bits, plain modulus of {plan['plain_bits']} bits, "
                f"{plan['fields']} integers in a slot"
            )
        elif name == "failure_bits" and value is None:
            text = _NEVER
        elif name == "distance_bits":
            label = "answers of members"
            text = (
                f"reveal the sums only, up to a statistical distance of 2^-{value} in the whole run "
                f"({plan['planned_rounds']} rounds, {plan['planned_attempts']} attempts each, at most "
                f"{readable(plan['planned_values'])} values)"
            )
        elif isinstance(value, list | tuple):
            text = template.format(", ".join(map(readable, value)))
        else:
            text = template.format(readable(value))
        # A ciphertext that is only partly filled costs the same, so that small models pay more per parameter.
        full = ", in full ciphertexts" if name == "bytes_per_parameter" and "ring" in plan else ""
        rows.append((f"  {label}", text + full))
    print_rows(rows)
    console = Console(highlight=False)
    if not console.is_terminal:
        lines = ["", "who sees what", *(f"  {sight['who']}: {sight['what']}" for sight in plan["sees"])]
        console.print("\n".join(lines), soft_wrap=True, markup=False)
        return
    console.print("", Text("who sees what", style="bold"), sep="\n")
    before = ""
    for sight in plan["sees"]:
        if sight["who"] != before:
            console.print(Padding(Text(sight["who"]), (0, 0, 0, 2)))
        console.print(Padding(Text(sight["what"], style="dim"), (0, 0, 0, 4)))
        before = sight["who"]

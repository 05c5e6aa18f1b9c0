"""The tables of `foundling plan`: parameters, memory, training; and numbers in readable units."""

from rich.box import SIMPLE
from rich.table import Table

from foundling import costs
from foundling.costs import GIB, HOUR, YEAR, Work
from foundling.model.config import GPTConfig

PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, show_header=bool(columns))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def parameter_table(parts: dict[str, int]) -> Table:
    """The number of parameters of each part."""
    total = sum(parts.values())
    table = _table("parameters", "part", "numbers", "share")
    for name, count in parts.items():
        if count:
            table.add_row(name, f"{count:,}", f"{count / total:.1%}")
    table.add_section()
    table.add_row("all", f"{total:,}", "")
    return table


def memory_table(
    state: dict[str, float], activations: dict[int, float], memory: float, windows: int
) -> Table:
    """What a device has to hold, and what it has, in bytes.

    `activations` are their bytes for values of runtime.activation_checkpointing: 0, and another.
    """
    every = max(activations)
    table = _table(
        "memory per device, GiB",
        "part",
        "all kept",
        "checkpointed" if every == 1 else f"1 in {every} checkpointed",
    )
    for name, size in state.items():
        table.add_row(name, *2 * [_gib(size)])
    table.add_row(f"activations of {windows:,}", *map(_gib, activations.values()))
    table.add_section()
    table.add_row("all", *(_gib(sum(state.values()) + size) for size in activations.values()))
    table.add_row("available", *2 * [_gib(memory)])
    return table


def training_table(work: Work, shape: GPTConfig, total: costs.Bill, speed: str, devices: int) -> Table:
    """Tokens, FLOPs, time, energy and price."""
    table = _table("training")
    table.add_column(no_wrap=True)
    table.add_column()
    numbers = sum(costs.parameters(shape).values())
    tokens = si(costs.CHINCHILLA * numbers)
    optimal = f"{costs.CHINCHILLA} are optimal, {tokens} tokens (Hoffmann et al. 2022)"
    table.add_row("tokens", f"{work.tokens:,.0f} in {work.steps:,} steps")
    if work.corpus:
        epochs = work.tokens / work.corpus
        table.add_row("epochs", f"{epochs:,.2f} of the {work.corpus:,} tokens of data/tokens")
    table.add_row("tokens per parameter", f"{work.tokens / numbers:,.3g}; {optimal}")
    attention = f" + {work.tokens * work.attention:.3g} for attention" if work.attention else ""
    weights = f"{work.tokens * work.weights:.3g} for 6 per weight"
    recomputed = f" + {work.tokens * work.recomputed:.3g} recomputed" if work.recomputed else ""
    table.add_row("FLOPs", f"{work.training:.3g}: {weights}{attention}{recomputed}")
    table.add_row("speed", speed)
    seconds = total.seconds * work.training / work.all
    share = f": training {duration(seconds)}, validation {duration(total.seconds - seconds)}"
    table.add_row("time", duration(total.seconds) + (share if work.validated else ""))
    if total.seconds * devices > YEAR / 12:
        table.add_row("device-years", f"{total.seconds * devices / YEAR:,.1f}")
    energy = total.kilowatt_hours
    digits = ",.0f" if energy is not None and energy >= 10 else ".3g"
    table.add_row("energy", "unknown; set hardware.power" if energy is None else f"{energy:{digits}} kWh")
    price = "unknown; set hardware.price" if total.dollars is None else f"${total.dollars:,.2f}"
    table.add_row("price", price)
    return table


def _gib(size: float) -> str:
    return f"{size / GIB:,.1f}" if size >= 10 * GIB else f"{size / GIB:,.3f}"


def si(value: float) -> str:
    """A number with its SI prefix, to be followed by a unit."""
    for scale, prefix in PREFIXES:
        if value >= scale:
            return f"{value / scale:.3g} {prefix}"
    return f"{value:.3g} "


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there are at least two."""
    for unit, size in (("years", YEAR), ("days", 24 * HOUR), ("hours", HOUR), ("minutes", 60.0)):
        if seconds >= 2 * size or unit == "minutes" and seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} seconds"

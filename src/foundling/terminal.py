"""Print tables of a fixed width on the terminal, whose cells are plain text."""

from rich.console import Console, RenderableType


def show(*tables: RenderableType, width: int = 110) -> None:
    """Print tables. A user's text ("[/b]", ":fox:") is not interpreted as rich's markup or emoji codes."""
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for table in tables:
        console.print(table)

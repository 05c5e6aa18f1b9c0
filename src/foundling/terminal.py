"""What a command shows on the terminal: tables of a fixed width, whose cells are plain text."""

from rich.console import Console, RenderableType


def show(*tables: RenderableType, width: int = 110) -> None:
    """Print tables. A user's text ("[/b]", ":fox:") is shown as it is, never read as rich's markup or emoji codes."""
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for table in tables:
        console.print(table)

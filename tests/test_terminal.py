"""A user's text is printed literally: it is neither markup nor an emoji code."""

import pytest
from rich.table import Table

from foundling.terminal import show

HOSTILE = ["[/Spam]", "[bold]x[/bold]", "[maths]", "a[/", ":fox:", "[link=x]", "[@click=f()]y[/]", "\\[b]"]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_never_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", text, title=f"title {text}", caption=f"caption {text}")
    table.add_row("cell", text)
    show(table, f"line {text}")
    out = capsys.readouterr().out
    assert out.count(text) == 5

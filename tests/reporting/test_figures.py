"""Figures are reproducible to the byte and contain their data."""

import xml.etree.ElementTree as ET

from foundling.reporting.drawing import as_png, as_svg
from foundling.reporting.figures import confusion, emergence
from foundling.reporting.material import Material


def test_equal_rows_give_equal_bytes(material: Material) -> None:
    first, second = (emergence(material.emergence, "fables") for _ in range(2))
    assert as_svg(first) == as_svg(second)
    assert as_png(first) == as_png(second)
    assert as_png(first).startswith(b"\x89PNG")


def test_the_curve_names_its_kinds_and_chance_and_is_sound_svg(material: Material) -> None:
    svg = as_svg(emergence(material.emergence, "fables"))
    words = {element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"facts", "mention", "binding", "cause", "sentiment", "chance", "accuracy"} <= words


def test_a_benchmark_without_kinds_shows_its_whole(material: Material) -> None:
    rows = [row | {"kind": "all"} for row in material.emergence if row["kind"] == "facts"]
    words = {
        element.text
        for element in ET.fromstring(as_svg(emergence(rows, "x"))).iter("{http://www.w3.org/2000/svg}text")
    }
    assert "all" in words


def test_against_the_loss_stand_the_snapshots_that_lower_it() -> None:
    losses = iter((7.0, 8.0, 3.0, 3.5, 1.0))
    rows = [
        {
            "kind": "facts",
            "tokens": n,
            "val/loss": next(losses),
            "accuracy": 0.5,
            "low": 0.4,
            "high": 0.6,
            "chance": 0.25,
        }
        for n in range(5)
    ]
    by_tokens, by_loss = emergence(rows, "fables").axes
    assert list(by_tokens.lines[0].get_xdata()) == [0, 1, 2, 3, 4]
    assert list(by_loss.lines[0].get_xdata()) == [7.0, 3.0, 1.0]


def test_a_label_with_dollar_signs_is_text_and_no_formula() -> None:
    rows = [{"actual": label, "predicted": label} for label in ("$x^$", "cheap $5")]
    svg = as_svg(confusion(rows, ["$x^$", "cheap $5"]))
    words = {element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"$x^$", "cheap $5"} <= words

"""The report is one self-contained page, shows the results that exist, and is reproducible."""

import base64
import csv
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from foundling.reporting.figures import loss_curves
from foundling.reporting.material import Material
from foundling.reporting.page import curriculum, duration, page, sources
from foundling.reporting.templates import big, percent

OWN = "data:text/csv;base64,"  # a figure's numbers, which are part of the page
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags, visible text and what the page would load; fails on tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [
            value
            for name, value in attrs
            if value and name in ("src", "href", "xlink:href", "data") and not value.startswith(("#", OWN))
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def test_the_page_parses_and_loads_nothing_from_elsewhere(material: Material) -> None:
    html = page(material)
    reader = read(html)
    assert reader.loads == []
    assert not reader.tags & {"script", "link", "iframe", "img"}
    assert not re.search(r"@import|url\((?!#)", html)


def test_equal_material_gives_equal_bytes(material: Material) -> None:
    assert page(material) == page(material)


def test_the_page_shows_results_with_chance_rules_and_control(material: Material) -> None:
    text = " ".join(read(page(material)).text.split())
    for shown in (
        "1.01 M",
        "0.873",
        "0.312",
        "68.0 %",
        "62.7 % – 73.3 %",
        "first mentioned",
        "without the story",
        "89abcdef01",
    ):
        assert shown.replace("first mentioned", "firstmentioned").replace("without the", "withoutthe") in text
    assert "3 texts were longer than the model's context" in text


def test_the_data_table_tells_how_often_each_source_is_read(material: Material) -> None:
    stories, facts = sources(material.data, training_tokens=4_000_000)
    assert (stories["source"], stories["epochs"], stories["held-out tokens"]) == ("stories", "50.00", "3,000")
    assert (facts["source"], facts["epochs"], facts["held-out tokens"]) == ("facts", "0.50", "0")
    assert "characters per token" in read(page(material)).text


def test_what_a_model_writes_is_text_and_never_markup(material: Material) -> None:
    wrote = "<script>alert(1)</script> & <b>bold"
    html = page(replace(material, samples=[{"prompt": "", "text": wrote, "seed": 1}]))
    assert wrote in read(html).text
    assert "script" not in read(html).tags


def test_missing_parts_are_left_out(material: Material) -> None:
    bare = replace(
        material,
        evaluate=replace(material.evaluate, benchmarks={}),
        emergence=[],
        samples=[],
        training_samples=[],
        training=[],
        validation=[],
        data=replace(material.data, rows=()),
    )
    html = page(bare)
    headings = re.findall("<h[23]>([^<]+)", html)
    assert headings[0] == "Provenance"
    assert not {"Emergence", "Benchmarks", "Samples", "Loss", "Data"} & set(headings)
    assert {"Loss", "Data"} < set(re.findall("<h[23]>([^<]+)", page(material)))


def test_figures_take_the_colours_of_the_page(material: Material) -> None:
    svgs = re.findall(r"<svg.*?</svg>", page(material), flags=re.DOTALL)
    assert len(svgs) == 3  # the loss, and two panels of emergence
    assert all("currentColor" in svg and "#ffffff" not in svg for svg in svgs)


@pytest.mark.parametrize(
    ("count", "shown"), [(999, "999"), (12_345, "12.3 k"), (1_012_480, "1.01 M"), (124e6, "124 M")]
)
def test_big_numbers(count: float, shown: str) -> None:
    assert big(count) == shown


def test_shares_and_times() -> None:
    assert (percent(0.4567), percent(None)) == ("45.7 %", "")
    assert [duration(s) for s in (9.4, 254.2, 7384)] == ["9 s", "4 min 14 s", "2 h 3 min"]


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"deterministic": True}, "deterministic: the same settings give the same bytes"),
        ({"deterministic": False}, "not deterministic (runtime.deterministic=false)"),
        ({}, "not recorded"),
        ({"deterministic": True, "microbatches": 4}, "each batch in 4 microbatches, to fit into memory"),
    ],
)
def test_the_page_says_whether_the_arithmetic_was_deterministic(
    material: Material, run: dict, says: str
) -> None:
    assert says in page(replace(material, run=replace(material.run, **run)))


def test_each_figures_numbers_can_be_saved(material: Material) -> None:
    html = page(material)
    saved = dict(re.findall(r'<a download="([^"]+)" href="data:text/csv;base64,([^"]+)"', html))
    assert list(saved) == ["loss.csv", "emergence_fables_continuations.csv"]
    loss, curve = (
        list(csv.DictReader(base64.b64decode(text).decode().splitlines())) for text in saved.values()
    )
    assert loss[0] == {"step": "1", "tokens": "4096", "train/loss": loss[0]["train/loss"], "val/loss": ""}
    assert float(loss[0]["train/loss"]) == material.training[0]["train/loss"]
    assert {float(row["val/loss"]) for row in loss if row["val/loss"]} == {
        row["val/loss"] for row in material.validation
    }
    assert len(curve) == len(material.emergence)


def test_the_end_of_a_curriculum_is_marked_and_explained(material: Material) -> None:
    assert curriculum(material.settings.corpus, 1_000_000) == [(130_000, "end of drills only")]
    text = " ".join(read(page(material)).text.split())
    assert "Dashed line at 532 k tokens: end of drills only." in text
    (axes,) = loss_curves(material.training, material.validation, [(2e6, "end of x")]).axes
    assert [line.get_xdata()[0] for line in axes.lines[2:]] == [2e6]


def test_without_a_curriculum_nothing_is_marked(material: Material) -> None:
    source = replace(material.settings.corpus.sources[0], first=0.0)
    settings = replace(material.settings, corpus=replace(material.settings.corpus, sources=(source,)))
    assert "Dashed line at" not in page(replace(material, settings=settings))

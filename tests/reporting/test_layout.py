"""The report's layout: subkinds follow their kind, nothing is cut off at any width."""

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from foundling.reporting.kinds import in_order
from foundling.reporting.material import Material
from foundling.reporting.page import page

CHROMIUM = Path("/usr/bin/chromium")
# for frames of several widths: how wide the page gets there, and how many elements are cut
MEASURE = """<!doctype html><body><script>
const page = {page};
function measure() {{
  const lines = [];
  for (const frame of document.querySelectorAll("iframe")) {{
    const inner = frame.contentDocument, width = inner.documentElement.clientWidth;
    const cut = [...inner.querySelectorAll("body *")].filter(
      (e) => e.getBoundingClientRect().right > width + 1 && !e.closest("pre, svg"));
    lines.push([frame.width, inner.scrollingElement.scrollWidth, cut.length].join(" "));
  }}
  document.body.textContent = lines.join(", ") + " end";
}}
let loaded = 0;
for (const width of {widths}) {{
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.srcdoc = page;
  frame.onload = () => {{ loaded += 1; if (loaded === {widths}.length) measure(); }};
  document.body.append(frame);
}}
</script></body>"""


class Boxes(HTMLParser):
    """For each table, whether it stands in a box that scrolls."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.boxed: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.boxed.append(self.open[-1] == ("div", "wide"))
        if tag not in ("meta", "br"):
            self.open.append((tag, dict(attrs).get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG that holds none."""

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()


def test_kinds_stand_behind_their_whole_between_the_sums() -> None:
    names = ["b/y", "mean_of_kinds", "b", "c", "a/x", "all", "b/x", "a"]
    assert in_order(names) == ["all", "a", "a/x", "b", "b/x", "b/y", "c", "mean_of_kinds"]
    assert in_order(reversed(names)) == in_order(names)


def test_tables_of_kinds_are_in_order_with_parts_below_their_whole(full_page: str) -> None:
    titles = [re.findall(r'<tr class="([a-z]*)"><td>([^<]+)', table) for table in full_page.split("<table")]
    shown = [rows for rows in titles if len(rows) > 2]
    assert shown[0] == [
        ("sum", "all"),
        ("", "binding"),
        ("part", "cause of the disagreement"),
        ("part", "where"),
        ("", "facts"),
        ("", "mention"),
        ("sum", "mean of kinds"),
    ]
    assert [title for _, title in shown[2]] == [
        "all",
        "count",
        "long division with remainder",
        "translate",
        "french",
        "german",
    ]


def test_every_table_scrolls_in_a_box_of_its_own(full_page: str) -> None:
    boxes = Boxes()
    boxes.feed(full_page)
    assert len(boxes.boxed) == full_page.count("<table") > 8
    assert all(boxes.boxed)


def test_a_part_without_its_whole_keeps_its_full_name(full: Material) -> None:
    blimp = full.evaluate.benchmarks["blimp"]
    result = replace(blimp, kinds=dict.fromkeys(("all", "binding/where"), blimp.kinds["all"]))
    bare = replace(full, emergence=[], training=[], classify=None, instruct=None, translator=None)
    html = page(replace(bare, evaluate=replace(full.evaluate, benchmarks={"x": result})))
    assert '<tr class=""><td>binding/where</td>' in html


@pytest.mark.skipif(not CHROMIUM.is_file(), reason="chromium is not installed at /usr/bin/chromium")
def test_nothing_is_wider_than_the_screen(full_page: str, tmp_path: Path) -> None:
    widths = [1280, 768, 390, 320]
    content = json.dumps(full_page).replace("</", r"<\/")
    (tmp_path / "measure.html").write_text(MEASURE.format(page=content, widths=widths), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"),
            f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / "measure.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    measured = [tuple(map(int, line)) for line in re.findall(r"(\d+) (\d+) (\d+)(?=,| end)", done.stdout)]
    assert [width for width, _, _ in measured] == widths, done.stdout[:500] + done.stderr[-500:]
    assert all(used <= width and cut == 0 for width, used, cut in measured), measured

"""The tables: every file ships with the package, every record is complete, every pattern is used."""

import re
import tomllib
from pathlib import Path
from random import Random

import pytest

from foundling.fables.airline import SLOTS as AIRLINE_SLOTS
from foundling.fables.airline import TOPICS
from foundling.fables.conversation import SLOTS as SAID_SLOTS
from foundling.fables.conversation import TOPICS as SAID
from foundling.fables.legal import QUESTIONS as LEGAL_QUESTIONS
from foundling.fables.legal import SLOTS as LEGAL_SLOTS
from foundling.fables.legal import TOPICS as LEGAL_TOPICS
from foundling.fables.messages import SCENES, SLOTS
from foundling.fables.phrasing import say
from foundling.fables.tables import FOLDER, pattern_groups, patterns, records

FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".tsv", ".yaml"))


def test_each_file_is_package_data() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    globs = project["tool"]["setuptools"]["package-data"]["foundling"]
    package = FOLDER.parents[1]
    shipped = {path for glob in globs for path in package.glob(glob)}
    assert FILES
    assert set(FILES) <= shipped


@pytest.mark.parametrize("name", [path.stem for path in FILES if path.suffix == ".tsv"])
def test_records_have_a_cell_in_each_column(name: str) -> None:
    lines = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}
    assert all(cell and cell == cell.strip() for line in lines for cell in line.split("\t"))
    assert len({tuple(record.values()) for record in records(name)}) == len(lines) - 1


def test_a_dash_is_an_empty_cell() -> None:
    fox = next(record for record in records("nouns") if record["english"] == "fox")
    assert (fox["weak"], fox["german plural"]) == ("", "Füchse")


def test_patterns_are_lines_of_blocks_and_of_their_sections() -> None:
    assert patterns("a\nb\n") == ("a", "b")
    assert patterns({"one": "a\n", "two": ["b", " c"]}) == ("a", "b", " c")
    assert pattern_groups({"one": "a\nb\n"}) == {"one": ("a", "b")}


def test_every_pattern_can_be_drawn() -> None:
    ways = [(way, SLOTS) for splits in SCENES.values() for ways in splits.values() for way in ways]
    ways += [(way, AIRLINE_SLOTS) for topic in TOPICS.values() for way in (*topic.train, *topic.unseen)]
    slots = LEGAL_SLOTS | {"name": ("Anna", "Ben")}
    asked = [*LEGAL_QUESTIONS.values(), *(topic.question for topic in LEGAL_TOPICS.values())]
    ways += [(way, slots) for question in asked for way in (*question.train, *question.unseen)]
    ways += [
        (way, SAID_SLOTS) for topic in SAID.values() for way in (*topic.core, *topic.train, *topic.unseen)
    ]
    for way, slots in ways:
        for seed in range(5):
            assert not re.search(r"[{}\[\]|]", say(way, Random(seed), slots)), way

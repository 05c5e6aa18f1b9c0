"""The paths that docs/ name exist: in running text, in links, and in code style on two pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
FOLDERS = ("src", "conf", "tests", "docs", "benchmarks", "notebooks")
PATH = re.compile(r"[\w-][\w./-]*(/|\.(py|yaml|toml|md|ipynb))|[\w-]+(/[\w.-]+)+")
PLACEHOLDERS = ("mine", "convolution", "NAME")  # of files that a reader would write or choose


def code_spans(page: str) -> set[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`([^`\n]+)`", text))


def is_placeholder(path: str) -> bool:
    return any(part.partition(".")[0] in PLACEHOLDERS for part in path.split("/"))


@pytest.mark.parametrize("page", ["architecture.md", "glossary.md"])
def test_each_path_in_code_style_exists_in_the_repository_or_in_the_package(page: str) -> None:
    paths = {span for span in code_spans(page) if PATH.fullmatch(span) and not is_placeholder(span)}
    assert len(paths) > 20
    places = (ROOT, ROOT / "src/foundling")
    assert sorted(path for path in paths if not any((place / path).exists() for place in places)) == []


@pytest.mark.parametrize("page", PAGES)
def test_each_path_of_the_repository_in_running_text_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    named = re.findall(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]", text)
    missing = {path for path in named if not list(ROOT.glob(f"{path}*")) and not is_placeholder(path)}
    assert sorted(missing) == []


@pytest.mark.parametrize("page", PAGES)
def test_each_link_to_a_file_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)", text)
    broken = [link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()]
    assert broken == []

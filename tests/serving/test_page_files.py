"""The page's files: they are in the package, name only one another, and are served with strict headers."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

from fastapi.testclient import TestClient

from foundling.serving.page_files import PAGE, page_paths

SCRIPTS = sorted((PAGE / "js").glob("*.js"))
LONGEST = 250  # lines of a module
AS_HTML = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
)


def test_a_wheel_contains_every_file(root: Path) -> None:
    package = root / "src/foundling"
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {path for pattern in patterns["foundling"] for path in package.glob(pattern)}
    assert {path for path in PAGE.rglob("*") if path.is_file()} <= packed
    assert "Foundling" in files("foundling.serving").joinpath("page/index.html").read_text(encoding="utf-8")


def test_every_file_that_is_named_exists_and_none_is_elsewhere() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    named = [PAGE / name for name in re.findall(r'(?:src|href)="([^"#]+)"', html)]
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        named += [script.parent / name for name in re.findall(r'(?:from|module:) "([^"]+)"', text)]
        assert "://" not in text.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing loads
    assert len(named) > 20
    assert [str(path) for path in named if not path.is_file()] == []


def test_no_script_can_turn_data_into_html() -> None:
    assert [script.name for script in SCRIPTS if AS_HTML.search(script.read_text(encoding="utf-8"))] == []


def test_scripts_are_small_modules() -> None:
    sizes = {script.name: len(script.read_text(encoding="utf-8").splitlines()) for script in SCRIPTS}
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


def test_every_file_is_served_with_a_policy_that_allows_this_server_only(client: TestClient) -> None:
    for path in page_paths():
        response = client.get(path)
        assert response.status_code == 200
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"\son\w+=|<script>|<style", response.text if path == "/" else "")

"""The house's floors, and dvc.yaml's deps, held against the real imports."""

from pathlib import Path

import grimp
import pytest
import yaml

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# The road of a config carries values that DVC hashes themselves, so a change of the road alone re-trains nothing.
ROAD = {"foundling.config", "foundling.plain"}


@pytest.fixture(scope="session")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("foundling", cache_dir=None)


def file_of(module: str) -> Path:
    path = ROOT / "src" / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def files_below(dep: Path) -> set[Path]:
    files = {dep} if dep.is_file() else set(dep.rglob("*.py"))
    return {file for file in files if file.name != "__init__.py"}


@pytest.mark.parametrize("name", [name for name in STAGES if name != "compose"])
def test_a_stages_deps_are_the_modules_that_it_imports(name: str, graph: grimp.ImportGraph) -> None:
    stage = f"foundling.stages.{name}"
    modules = (graph.find_upstream_modules(stage) | {stage}) - ROAD
    needed = {file_of(module) for module in modules if file_of(module).name != "__init__.py"}
    block = STAGES[name].get("do", STAGES[name])
    named = [files_below(ROOT / dep) for dep in block["deps"] if dep.startswith("src/")]
    assert sorted(needed - set().union(*named)) == [], "imported, but not in dvc.yaml"
    assert [sorted(files) for files in named if not files & needed] == [], "in dvc.yaml, but not imported"


def test_stages_are_short() -> None:
    for file in (ROOT / "src/foundling/stages").glob("*.py"):
        import ast

        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{file.name}: {node.name}"


def test_stage_file_section_and_block_share_a_name() -> None:
    files = {file.stem for file in (ROOT / "src/foundling/stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)

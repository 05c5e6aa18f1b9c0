"""code.yaml and dvc.yaml agree with the real imports, and stages are short."""

import ast
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import grimp
import pytest
import yaml

from foundling.code import UNHASHED_MODULES, stage_hashes, stage_modules

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/foundling"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
BLOCKS = {name: block.get("do", block) for name, block in STAGES.items() if name != "compose"}


def test_a_stages_hash_covers_the_modules_that_it_imports() -> None:
    """As grimp sees them, with their parent packages, and without UNHASHED_MODULES."""
    graph = grimp.build_graph("foundling", cache_dir=None, exclude_type_checking_imports=True)
    skipped = {f"foundling.{name}" for name in UNHASHED_MODULES}
    for module in skipped:
        for imported in graph.find_modules_directly_imported_by(module):
            graph.remove_import(importer=module, imported=imported)
    hashed = stage_modules(PACKAGE, {})
    assert set(hashed) == set(BLOCKS)
    for name, modules in hashed.items():
        stage = f"foundling.stages.{name}"
        upstream = (graph.find_upstream_modules(stage) | {stage}) - skipped
        assert {module for module in modules if module in upstream} == upstream
        assert all(file_of(module).name == "__init__.py" for module in set(modules) - upstream)


def test_the_parts_of_a_training_count_as_its_code(job: Callable[..., Any]) -> None:
    hashed = stage_modules(PACKAGE, job().recipe)
    assert {"foundling.training.language", "foundling.data.language"} <= set(hashed["pretrain"])
    assert {"foundling.training.translation", "foundling.data.translation"} <= set(hashed["train_translator"])


def file_of(module: str) -> Path:
    path = ROOT / "src" / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_hashing_all_code_takes_little_more_than_parsing_it() -> None:
    sources = [file.read_bytes() for file in PACKAGE.rglob("*.py")]
    start = process_time()
    for source in sources:
        ast.parse(source)
    parsed = process_time()
    stage_hashes(PACKAGE, {})
    assert process_time() - parsed < 4 * (parsed - start)  # about 1.6; 0.3 s on an idle core


@pytest.mark.parametrize("name", BLOCKS)
def test_a_stage_depends_on_its_code_and_settings_but_lists_no_module(name: str) -> None:
    params = {file: keys for entry in BLOCKS[name]["params"] for file, keys in entry.items()}
    assert params["code.yaml"] == [name]
    assert "composed.yaml" in params
    assert not [dep for dep in BLOCKS[name].get("deps", []) if dep.startswith("src")]


def test_the_pipeline_can_be_read() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 250


def test_stages_are_short() -> None:
    for file in (PACKAGE / "stages").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{file.name}: {node.name}"


def test_stage_file_section_and_block_share_a_name() -> None:
    files = {file.stem for file in (PACKAGE / "stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)


def test_what_logs_to_wandb_is_in_no_stages_hash() -> None:
    modules = {name for found in stage_modules(PACKAGE, {}).values() for name in found}
    assert "foundling.training.loggers" in modules
    assert not [name for name in modules if name.startswith("foundling.tracking")]

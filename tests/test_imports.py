"""What the commands import: a user waits for it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest


def check(code: str) -> str:
    """Run Python code in a process of its own, and return its output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_modules(path: Path) -> list[str]:
    """The modules of foundling that a file imports, at its top or inside functions."""
    nodes = ast.walk(ast.parse(path.read_text()))
    names = (node.module for node in nodes if isinstance(node, ast.ImportFrom))
    return sorted(name for name in names if name and name.startswith("foundling"))


def test_help_compose_fetch_and_tokenize_import_neither_torch_nor_lightning() -> None:
    output = check("""
import sys, runpy
for name in ("compose", "fetch", "weights", "train_tokenizer", "tokenize"):
    __import__(f"foundling.stages.{name}")
sys.argv = ["foundling", "pretrain", "--help"]
runpy.run_module("foundling", run_name="__main__")
heavy = {"torch", "lightning", "wandb", "datasets", "sklearn", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
""")
    assert "Settings" in output
    assert "max_steps" in output


@pytest.mark.parametrize("command", ["generate", "chat", "predict", "translate", "serve"])
def test_commands_that_use_a_model_import_nothing_that_only_training_needs(root: Path, command: str) -> None:
    modules = imported_modules(root / "src/foundling/commands" / f"{command}.py")
    assert modules
    check(f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
assert "torch" in sys.modules
heavy = {{"lightning", "wandb", "datasets", "sklearn", "pandas", "transformers"}} & set(sys.modules)
assert not heavy, heavy
""")

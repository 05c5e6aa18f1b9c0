"""The notebooks run on a pipeline's artifacts, show figures, and define nothing themselves."""

import ast
import io
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from foundling.reporting.notebook import PROJECT

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = (
    "data",
    "embeddings",
    "attention",
    "architecture",
    "pretraining",
    "classification",
    "instructions",
    "cost",
)
ALLOWED = {"foundling", "torch", "numpy", "matplotlib", "sklearn", "IPython", *sys.stdlib_module_names}
LIMIT = 60  # seconds of one core, which are these tests' own however busy the machine is
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[str]:
    return [
        "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind
    ]


def run(source: str, names: dict[str, Any]) -> int:
    """Run a cell and draw what it would show; returns how many figures that were."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    tree = ast.parse(source)
    last = tree.body.pop().value if isinstance(tree.body[-1], ast.Expr) else None  # type: ignore[attr-defined]
    exec(compile(tree, "<cell>", "exec"), names)
    shown = eval(compile(ast.Expression(last), "<cell>", "eval"), names) if last else None
    figures = [plt.figure(number) for number in plt.get_fignums()]
    figures += [shown] if isinstance(shown, Figure) else []
    for figure in figures:
        figure.savefig(io.BytesIO())
    plt.close("all")
    return len(figures)


@named
def test_a_notebook_runs_on_a_tiny_run(path: Path, project, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    monkeypatch.setenv(PROJECT, str(project.path))
    monkeypatch.chdir(path.parent)
    began, figures = time.process_time(), 0
    with matplotlib.rc_context({"backend": "agg"}):
        names: dict[str, Any] = {"__name__": path.stem}
        for source in cells(path, "code"):
            figures += run(source, names)
    assert figures >= 2
    assert time.process_time() - began < LIMIT


@named
def test_a_notebook_runs_on_the_run_that_is_named(path: Path) -> None:
    if PROJECT not in os.environ:
        pytest.skip(f"{PROJECT} is not set: no default run here")
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "jupyter", "execute", str(path), f"--timeout={5 * LIMIT}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-3000:]
    seconds = ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime
    print(f"{path.stem}: {seconds:.0f} seconds of one core")
    assert seconds < LIMIT


def test_each_chapter_links_to_the_next() -> None:
    names = [f"{number:02}_{chapter}.ipynb" for number, chapter in enumerate(CHAPTERS, 1)]
    assert [path.name for path in NOTEBOOKS] == names
    for path, following in zip(NOTEBOOKS, [*names[1:], "docs"], strict=True):
        assert following in cells(path, "markdown")[-1]


@named
def test_a_chapter_opens_alike_and_has_exercises_with_solutions(path: Path) -> None:
    texts = cells(path, "markdown")
    assert texts[0].startswith(f"# {int(path.stem[:2])} · ")
    assert "**You will see**" in texts[0]
    assert "seconds on one core" in texts[0]
    assert cells(path, "code")[0].startswith(
        "from foundling.reporting.notebook import open_project\n\nopen_project("
    )
    assert "## Exercises" in texts[-1]
    exercises, solutions = texts[-1].split("<details><summary>Solutions</summary>")
    assert [f"{n}. " in exercises and f"{n}. " in solutions for n in (1, 2, 3)] == [True] * 3


@named
def test_no_outputs_and_nothing_of_a_machine_are_committed(path: Path) -> None:
    notebook = json.loads(path.read_text())
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook["metadata"] == {"kernelspec": kernel, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook["cells"]):
        assert cell["id"] == str(number)  # as nbstripout numbers them
        assert cell["metadata"] == {}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@named
def test_a_notebook_imports_few_packages_and_defines_nothing(path: Path) -> None:
    for source in cells(path, "code"):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef), ast.unparse(
                node
            )
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {module.split(".")[0] for module in modules} <= ALLOWED, modules

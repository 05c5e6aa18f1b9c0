"""`make lint` and `make test` ignore the outputs of runs, and `make clean` keeps a user's own files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

NOT_OURS = "import wandb\nimport os\nx:int = 'a'\n"  # no linter, type checker or formatter lets this pass
RUNS_LEAVE = {
    "wandb/settings": "[default]\nmode = no such mode\n",
    "wandb/offline-run-1/files/code/pretrain.py": NOT_OURS,
    "wandb/wandb.py": NOT_OURS,
    "models/base/config.json": "{",
    "models/base/custom.py": NOT_OURS,
    "models/chat/chat.json": "{",
    "data/raw/corpus/code.py": NOT_OURS,
    "data/tokens/meta.json": "{",
    "multirun/pretrain/2026-01-01_00-00-00/0/metrics/pretrain.json": "{",
    "outputs/2026-01-01/train.py": NOT_OURS,
    "scratch/rebuild/0123/pyproject.toml": "[tool.ruff",
    "scratch/rebuild/0123/src/foundling/model.py": NOT_OURS,
    "scratch/rebuild/0123/tests/test_old.py": NOT_OURS,
    "metrics/pretrain.json": "{",
    "plots/pretrain.csv": "x",
    "report/index.html": "",
    "exports/chat-gguf/convert.py": NOT_OURS,
    "params.yaml": "model: no_such_model\nset: {seed: x, chat: {max_new_tokens: -1}}\n",
    "composed.yaml": "model: [",
    "code.yaml": "pretrain: [",
    "dvc.lock": "stages: [",
}
OWN = (
    "data/my_texts/a.txt",
    "models/mine/config.json",
    "my.csv",
    "multirun/x/0/y",
    "wandb/run-1/z",
    "exports/m/w",
)
READERS = (  # tests that compose the config where they stand, or start a process there
    "test_the_selection_chooses or test_help_compose or test_the_shipped_values_pass"
    " or test_the_command_itself or imports_no_torch or test_without_wandb"
)


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, with this environment as .venv."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    place = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, place / name)
    (place / ".venv").mkdir()
    (place / ".venv/bin").symlink_to(Path(sys.executable).parent)
    for stamp in (".run", ".dev"):
        (place / ".venv" / stamp).touch()
    if (root / ".mypy_cache").is_dir():  # else mypy reads all of torch again
        shutil.copytree(root / ".mypy_cache", place / ".mypy_cache")
    return place


def make(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env=inherited | {"PYTHONPATH": str(clone / "src")} | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def used(clone: Path) -> Path:
    """The clone after runs."""
    for name, text in RUNS_LEAVE.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(text)
    return clone


@pytest.mark.slow
def test_lint_passes(used: Path) -> None:
    done = make(used, "lint")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "All checks passed!" in done.stdout


@pytest.mark.slow
def test_every_test_is_collected_and_those_near_the_config_pass(used: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", READERS]
    environment = os.environ | {"PYTHONPATH": str(used / "src")}
    done = subprocess.run(command, cwd=used, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {name: (used / name).read_text() for name in RUNS_LEAVE} == RUNS_LEAVE


def test_test_runs_the_tests_alone(clone: Path) -> None:
    lines = make(clone, "--dry-run", "test").stdout.splitlines()
    assert len(lines) == 1
    assert "python -m pytest" in lines[0]


def test_ci_lints_and_tests(root: Path) -> None:
    lines = (root / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make lint", "make test"]


def test_clean_takes_what_the_pipeline_writes_and_keeps_what_a_user_owns(root: Path, tmp_path: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"].values()
    outs = [out for stage in stages for out in stage.get("do", stage).get("outs", []) if isinstance(out, str)]
    written = [out.replace("${key}", "corpus") + "/file" for out in outs]
    for name in (*written, *OWN, ".venv/bin/python", "scratch/pretrain/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(root / "Makefile", tmp_path)
    assert make(tmp_path, "clean").returncode == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*OWN, "Makefile"}


@pytest.mark.parametrize("python", ["no-such-python", "false", "true"])
@pytest.mark.parametrize("target", ["repro", "test", "lint"])
def test_a_missing_or_broken_python_is_one_line(root: Path, tmp_path: Path, target: str, python: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    done = make(tmp_path, target, f"PYTHON={python}")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"{python} is not Python 3.11, 3.12 or 3.13" in line
    assert not (tmp_path / ".venv").exists()

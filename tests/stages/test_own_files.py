"""`dvc repro` fetches the user's own files again when they change, also in an experiment's copy."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

IDENTITY = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def own(fresh_project):
    """A project whose corpus is the untracked folder my_texts, fetched once."""
    (fresh_project.path / "my_texts").mkdir()
    (fresh_project.path / "my_texts/a.txt").write_text("one")
    (fresh_project.path / "params.yaml").write_text("corpus: files\nset: {corpus: {path: my_texts}}\n")
    assert ran(fresh_project) == ["compose", "fetch@corpus"]
    return fresh_project


def ran(project) -> list[str]:
    """The stages that `dvc repro` ran, to bring data/raw/corpus up to date."""
    return re.findall("Running stage '(.*)'", project.run("dvc", "repro", "fetch@corpus").stdout)


def fetched(project) -> dict[str, str]:
    return {file.name: file.read_text() for file in (project.path / "data/raw/corpus/files").iterdir()}


def test_repro_follows_the_users_files(own) -> None:
    texts: Path = own.path / "my_texts"
    assert ran(own) == ["compose"]
    (texts / "a.txt").write_text("six")
    assert ran(own) == ["compose", "fetch@corpus"]
    assert fetched(own) == {"a.txt": "six"}
    (texts / "b.txt").write_text("two")
    assert ran(own) == ["compose", "fetch@corpus"]
    assert fetched(own) == {"a.txt": "six", "b.txt": "two"}
    (texts / "a.txt").write_text("one")
    (texts / "b.txt").unlink()
    ran(own)  # DVC may take this state's files from its run cache, without running fetch
    assert fetched(own) == {"a.txt": "one"}
    shutil.rmtree(texts)
    assert ran(own) == ["compose"]
    assert fetched(own) == {"a.txt": "one"}


def test_an_experiment_in_a_copy_reads_the_projects_files(own, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    (own.path / ".gitignore").write_text("/my_texts/\n/data/\n/scratch/\n__pycache__/\n")
    for command in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "one"]):
        subprocess.run(["git", *command], cwd=own.path, env=os.environ, check=True)
    own.run("dvc", "config", "core.no_scm", "false")
    (own.path / "my_texts/b.txt").write_text("two")
    done = own.run("dvc", "exp", "run", "--temp", "--name", "trial", "fetch@corpus")
    assert "Ran experiment(s): trial" in done.stdout
    refs = own.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    (trial,) = [ref for ref in refs if ref.endswith("/trial")]
    shown = own.run("git", "show", f"{trial}:inputs.yaml")
    assert "  files:\n    files: 2\n" in shown.stdout

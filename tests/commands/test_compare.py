"""compare reads folders and revisions, prints tables and writes a page."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import write_json
from foundling.commands import compare
from foundling.settings import Job


def sweep(folder: Path, values: list[float]) -> Path:
    for job, value in enumerate(values):
        write_json(folder / str(job) / "metrics/instruct.json", {"tuned": {"share": value, "n": 3}})
        write_json(folder / str(job) / "metrics/instruct_run.json", {"overrides": [f"instruct.seed={job}"]})
    return folder


@pytest.fixture
def run(workspace: Callable[..., Job]) -> Callable[..., None]:
    return lambda *arguments: compare.run(workspace("compare", arguments))


def test_a_sweep_over_seeds_is_a_table_of_means(run: Any, tmp_path: Path, capsys: Any) -> None:
    sweep(tmp_path / "multirun/instruct/2026-01-01_10-00-00", [0.8, 0.82, 0.84])
    run("metrics=['*.share']")
    out = " ".join(capsys.readouterr().out.split())
    assert "multirun/instruct/2026-01-01_10-00-00/{0,1,2}" in out
    assert "0, 1, 2" in out
    assert "instruct.tuned.share 0.8200 [0.7703, 0.8697] 0.8000 0.8200 0.8400" in out
    assert "tuned.n" not in out
    assert "Several seeds" in (tmp_path / "outputs/compare.html").read_text()


def test_words_are_runs(run: Any, tmp_path: Path, capsys: Any) -> None:
    for name in ("one", "it's two"):
        write_json(tmp_path / name / "metrics/pretrain.json", {"val/loss": len(name) / 4})
    run("one", "page=new/page.html", "it's two")
    out = " ".join(capsys.readouterr().out.split())
    assert "A one" in out
    assert "B it's two" in out
    assert "pretrain.val/loss 0.7500 2.0000" in out
    assert (tmp_path / "new/page.html").is_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within DVC
def test_revisions_are_read_from_git_and_dvcs_cache(run: Any, tmp_path: Path, capsys: Any) -> None:
    from dvc.repo import Repo

    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    repo = Repo.init(".")
    for loss in (2.5, 1.5):
        write_json("metrics/pretrain.json", {"val/loss": loss})
        Path("composed.yaml").write_text(f"{{pretrain: {{max_steps: {int(10 * loss)}}}}}")
        repo.add("metrics/pretrain.json")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", f"loss {loss}"], check=True)
    repo.close()
    run("HEAD~1", "main")
    out = " ".join(capsys.readouterr().out.split())
    assert "pretrain.val/loss 2.5000 1.5000" in out
    assert "pretrain.max_steps 25 15" in out
    with pytest.raises(ValueError, match="nowhere is neither a folder nor a git revision or DVC experiment"):
        run("nowhere")
    for file in (tmp_path / ".dvc/cache/files/md5").glob("*/*"):
        file.unlink()
    Path("metrics/pretrain.json").unlink()
    with pytest.raises(ValueError, match=r"DVC's cache does not have metrics/pretrain.json of HEAD~1"):
        run("HEAD~1")


def test_a_missing_sweep_is_an_error(run: Any) -> None:
    with pytest.raises(ValueError, match="multirun has no sweep; name the runs, or run one, such as"):
        run()

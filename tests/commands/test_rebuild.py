"""foundling rebuild finds the commit and settings of a model's run, and repeats them in a clean clone."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import read_json, sha256, write_json
from foundling.commands import rebuild
from foundling.metrics import write_metrics
from foundling.metrics.run import Run
from foundling.settings import Job
from foundling.weights.provenance import run_record

# stands in for the stages: pretrain writes the seed that params.yaml or the command line gives
PROGRAM = """
import pathlib, sys
stage, *settings = sys.argv[1:]
with open("log", "a") as log: log.write(stage + "\\n")
if stage == "pretrain":
    folder = pathlib.Path("models/base"); folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(",".join(settings))
    (folder / "provenance.json").write_text('{"versions": {}}\\n')
"""


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.run(
        ["git", *identity, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(params=["", "teams/language model"], ids=["alone", "in a larger repository"])
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A repository, or a folder of one, whose commit made models/base with a command-line setting."""
    folder = tmp_path / request.param
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    Path("src/foundling").mkdir(parents=True)
    Path("src/foundling/__init__.py").write_text("")
    Path("src/foundling/__main__.py").write_text(PROGRAM)
    Path("params.yaml").write_text("model: micro\nset: {pretrain: {max_steps: 7}}\n")
    Path("conf").mkdir()
    Path("conf/config.yaml").write_text("")
    Path(".gitignore").write_text("/models/\n/metrics/\n/scratch/\n")
    git("init", "--quiet", str(tmp_path))
    git("add", "-A")
    git("commit", "--quiet", "-m", "one")
    Path("models/base").mkdir(parents=True)
    Path("models/base/model.safetensors").write_text("seed=3,pretrain.sample.prompt='It is, so'")
    Path("models/base/provenance.json").write_text('{"versions": {}}\n')
    record = Run(
        weights_sha256=sha256(Path("models/base/model.safetensors")),
        commit=git("rev-parse", "HEAD"),
        dirty=False,
        overrides=("model=micro", "pretrain.max_steps=7", "seed=3", "pretrain.sample.prompt='It is, so'"),
        python="3.11.7",
        machine="Linux x86_64",
        device="CPU, 2 threads",
        seconds={},
        tokens_per_second=1,
        wandb=None,
    )
    write_json("metrics/other_run.json", {"weights_sha256": "0"})
    write_metrics("metrics/pretrain_run.json", record)
    return folder


@pytest.fixture
def run(job: Callable[..., Job]) -> Callable[..., None]:
    return lambda execute=False: rebuild.run(job("rebuild.model=models/base", f"rebuild.run={execute}"))


def test_it_prints_commands_with_the_settings_that_the_commit_lacks(
    project: Path, run: Any, capsys: Any
) -> None:
    run()
    out = capsys.readouterr().out
    commit = git("rev-parse", "HEAD")
    assert f"git -C scratch/rebuild/{commit[:10]} checkout --quiet {commit}" in out
    assert "for stage in fetch weights train_tokenizer tokenize pretrain; do foundling $stage seed=3 " in out
    assert "It is, so" in out
    assert "max_steps" not in out
    cloned = Path("scratch/rebuild", commit[:10], git("rev-parse", "--show-prefix"))
    assert f"\ncd {shlex.quote(str(cloned))}\n" in out
    assert not (project / "scratch").exists()


def test_a_change_elsewhere_in_the_repository_does_not_make_a_run_dirty(project: Path) -> None:
    top = Path(git("rev-parse", "--show-toplevel"))
    (top / "elsewhere").mkdir()
    (top / "elsewhere/file").write_text("one")
    git("add", str(top / "elsewhere"))
    made = Path("models/base/model.safetensors"), {}, 1.0, torch.device("cpu"), None
    record = run_record(*made)
    assert record.commit == git("rev-parse", "HEAD")
    assert record.dirty is (top == project)
    Path("params.yaml").write_text("model: nano\n")
    assert run_record(*made).dirty


def test_a_translator_needs_its_pairs_alone(project: Path) -> None:
    commit = git("rev-parse", "HEAD")
    assert rebuild.commands("train_translator", commit, [], Path("x"))[1] == ["fetch", "train_translator"]
    assert rebuild.commands("instruct", commit, [], Path("x"))[1][-2:] == ["pretrain", "instruct"]


def test_it_carries_them_out_in_a_clean_clone_and_compares(project: Path, run: Any, capsys: Any) -> None:
    Path("src/foundling/__main__.py").write_text("raise SystemExit('the working tree is not to be run')")
    run(execute=True)
    assert "models/base was recreated to the bit in scratch/rebuild/" in capsys.readouterr().out
    (clone,) = (project / "scratch/rebuild").iterdir()
    log = clone / git("rev-parse", "--show-prefix") / "log"
    assert log.read_text().split() == ["fetch", "weights", "train_tokenizer", "tokenize", "pretrain"]
    run(execute=True)


def test_a_difference_is_named(project: Path, run: Any) -> None:
    Path("models/base/README.md").write_text("another")
    with pytest.raises(ValueError, match=r"is not equal to models/base: README\.md differ"):
        run(execute=True)


def test_a_stage_that_fails_is_named(project: Path, run: Any) -> None:
    Path("src/foundling/__main__.py").write_text("raise SystemExit(3)")
    git("commit", "--quiet", "-am", "two")
    write_json(
        "metrics/pretrain_run.json",
        read_json("metrics/pretrain_run.json") | {"commit": git("rev-parse", "HEAD")},
    )
    with pytest.raises(ValueError, match=r"foundling fetch .* failed with exit code 3; see above"):
        run(execute=True)


def test_uncommitted_files_and_other_versions_are_warned_of(project: Path, run: Any, caplog: Any) -> None:
    write_json("metrics/pretrain_run.json", read_json("metrics/pretrain_run.json") | {"dirty": True})
    Path("models/base/provenance.json").write_text('{"versions": {"numpy": "1.0"}}\n')
    with pytest.raises(ValueError, match=r"provenance\.json differ"):
        run(execute=True)
    assert "had uncommitted changes" in caplog.text
    assert "and was 1.0; the bytes may differ" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: shutil.rmtree("metrics"), r"no metrics/\*_run.json records these weights"),
        (
            lambda: Path("models/base/model.safetensors").unlink(),
            "model.safetensors is missing; name a model folder",
        ),
        (
            lambda: write_json(
                "metrics/pretrain_run.json", read_json("metrics/pretrain_run.json") | {"commit": None}
            ),
            "has no commit",
        ),
        (
            lambda: write_json(
                "metrics/pretrain_run.json", read_json("metrics/pretrain_run.json") | {"commit": "../../conf"}
            ),
            "has no commit",
        ),
    ],
)
def test_a_model_that_cannot_be_rebuilt_is_an_error(project: Path, run: Any, spoil: Any, says: str) -> None:
    spoil()
    with pytest.raises(ValueError, match=says):
        run()


HARMS: dict[str, Any] = {
    "a target": ["pretrain.optimizer._target_=os.system"],
    "a target within a value": ["pretrain.optimizer={_target_: os.system}"],
    "an added target": ["++pretrain.schedule._target_=os.system"],
    "a launcher": ["hydra/launcher=evil"],
    "a folder of Hydra's": ["hydra.run.dir=/etc"],
    "a folder to search": ["--config-dir=/tmp/evil"],
    "a flag": ["-m"],
    "an option of git": ["--upload-pack=touch evil"],
    "the environment": ["pretrain.sample.prompt=${oc.env:HOME}"],
    "a command": ["; touch evil"],
    "a number": [5],
    "a text": "seed=1",
    "nothing": None,
}


@pytest.mark.parametrize("what", HARMS)
def test_a_record_that_names_code_is_not_carried_out(project: Path, run: Any, what: str) -> None:
    record = read_json("metrics/pretrain_run.json")
    write_json("metrics/pretrain_run.json", record | {"overrides": HARMS[what]})
    with pytest.raises(ValueError, match=r"do not trust this record|overrides.*: must be") as refusal:
        run(execute=True)
    assert "\n" not in str(refusal.value)
    assert not Path("scratch").exists()
    assert not Path("evil").exists()


@pytest.mark.parametrize("lacking", ["python", "machine", "device", "dirty"])
def test_a_record_that_is_damaged_is_refused(project: Path, run: Any, lacking: str) -> None:
    record = read_json("metrics/pretrain_run.json")
    del record[lacking]
    write_json("metrics/pretrain_run.json", record)
    with pytest.raises(ValueError, match=f"{lacking} is missing"):
        run()

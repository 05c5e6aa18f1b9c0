"""Recreate a model: foundling rebuild model=models/chat prints the commands, run=true executes them.

Commit and settings are read from the record of the run (metrics/*_run.json) that trained these weights. The
stages run in a clean clone, and the resulting folder is compared byte by byte.
"""

import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from foundling.artifacts import read_json, sha256
from foundling.metrics import from_plain
from foundling.metrics.run import Run
from foundling.selection import SELECTION, selected
from foundling.settings import Job
from foundling.weights.provenance import PROVENANCE

log = logging.getLogger(__name__)
WEIGHTS = "model.safetensors"
RECORD = "_run.json"
FETCHED = "data/raw/weights"  # by the stage weights
BEFORE = ("fetch", "weights", "train_tokenizer", "tokenize", "pretrain")  # stages up to a base
COMMIT = re.compile("[0-9a-f]{40,64}")
MODELS = {"pretrain": "base", "classify": "classifier", "instruct": "chat", "train_translator": "translator"}
OVERRIDE = re.compile(r"[+~]{0,2}\w[\w./@-]*=")
CLONES = Path("scratch/rebuild")


def run(job: Job) -> None:
    """Print the commands; with run=true, execute them and compare."""
    model = Path(job.settings.rebuild.model)
    stage, record = record_of(model)
    provenance = read_json(model / PROVENANCE)
    versions, parents = provenance.get("versions", {}), provenance.get("parent") or {}
    commit = str(record.commit)
    clone = CLONES / commit[:10]
    project = clone / _git("rev-parse", "--show-prefix")
    git, stages, settings = commands(stage, commit, record.overrides, clone)
    python = f"Python {record.python}, " + ", ".join(f"{n} {v}" for n, v in versions.items())
    lines = [
        f"# trained on {record.machine}, {record.device}; {python}",
        *map(shlex.join, git),
        f"cd {shlex.quote(str(project))}",
        "make .venv/.run && source .venv/bin/activate",
        f"for stage in {' '.join(stages)}; do foundling $stage {shlex.join(settings)} || break; done",
        f'echo "{record.weights_sha256}  {_model_folder(stage)}/{WEIGHTS}" | sha256sum --check',
    ]
    print("\n".join(lines), flush=True)
    if record.dirty:
        log.warning(
            "rebuild: the run had uncommitted changes, so the commit alone may not recreate this model"
        )
    for parent in parents if stage == "pretrain" else ():
        if parent != FETCHED:
            log.warning(f"rebuild: it was initialized from {parent}, which must exist relative to the clone")
    if job.settings.rebuild.run:
        for name, recorded in versions.items():
            if (here := version(name).partition("+")[0]) != recorded:
                log.warning(f"rebuild: {name} is {here} here and was {recorded}; the bytes may differ")
        shutil.rmtree(clone, ignore_errors=True)
        _execute_all(git, [[name, *settings] for name in stages], project)
        _compare(model, project / _model_folder(stage))


def record_of(model: Path) -> tuple[str, Run]:
    """(stage, record) of the run that trained these weights; ValueError if there is none with a commit."""
    if not (model / WEIGHTS).is_file():
        raise ValueError(f"{model / WEIGHTS} is missing; name a model folder, as model=models/base")
    weights, metrics = sha256(model / WEIGHTS), model.parent.parent / "metrics"
    for path in sorted(metrics.glob(f"*{RECORD}")):
        values = read_json(path)
        if values.get("weights_sha256") == weights:
            record = from_plain(values, Run, path)
            if not COMMIT.fullmatch(str(record.commit)):
                raise ValueError(
                    f"{path} has no commit: the run was outside of git, so a clone cannot repeat it"
                )
            for override in record.overrides:
                _refuse_code(override, path)
            return path.name.removesuffix(RECORD), record
    raise ValueError(
        f"no {metrics}/*{RECORD} records these weights (sha256 {weights[:12]}…), so their commit is unknown; "
        f"put the record of their run there; the settings are in {model / PROVENANCE}"
    )


def _refuse_code(override: str, path: Path) -> None:
    """Refuse an override that could name code to be run."""
    key = override.partition("=")[0]
    if not OVERRIDE.match(override) or "_target_" in override or "hydra" in key or "${" in override:
        raise ValueError(
            f"{path} has the setting {override[:80]!r}: must be group=choice or section.value=…, and name no "
            "code; do not trust this record"
        )


def commands(
    stage: str, commit: str, overrides: Sequence[str], clone: Path
) -> tuple[list[list[str]], list[str], list[str]]:
    """The git commands, the stages in order, and the overrides missing from params.yaml of that commit."""
    top = _git("rev-parse", "--show-cdup") or "."  # the repository may be larger than the project
    git = [
        ["git", "clone", "--quiet", "--no-checkout", top, str(clone)],
        ["git", "-C", str(clone), "checkout", "--quiet", commit],
    ]
    committed = _selection(commit)
    settings = [override for override in overrides if override not in committed]
    before = ("fetch",) if stage == "train_translator" else BEFORE
    return git, list(dict.fromkeys((*before, stage))), settings


def _selection(commit: str) -> list[str]:
    """The selection in params.yaml of that commit, as overrides."""
    shown = _git("show", f"{commit}:./{SELECTION}")
    with TemporaryDirectory() as folder:
        file = Path(folder) / SELECTION
        file.write_text(shown, encoding="utf-8")
        return selected(path=file)


def _git(*arguments: str) -> str:
    """The output of git in the project's folder; empty if it fails, for example outside of a repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return "" if done.returncode else done.stdout.removesuffix("\n")


def _execute_all(git: list[list[str]], stages: list[list[str]], project: Path) -> None:
    """Run all commands in this environment, but with the code of the cloned project."""
    CLONES.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str((project / "src").absolute())}
    for command in git:
        _execute(command, Path(), environment)
    for arguments in stages:
        _execute([sys.executable, "-m", "foundling", *arguments], project, environment)


def _execute(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment)
    if done.returncode:
        raise ValueError(
            f"`{shlex.join(command)}` in {folder} failed with exit code {done.returncode}; see above"
        )


def _compare(model: Path, rebuilt: Path) -> None:
    hashes = [
        {file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()}
        for folder in (model, rebuilt)
    ]
    names = sorted({*hashes[0], *hashes[1]})
    differ = [name for name in names if hashes[0].get(name) != hashes[1].get(name)]
    if differ:
        raise ValueError(
            f"{rebuilt} is not equal to {model}: {', '.join(differ)} differ; compare their {PROVENANCE}"
        )
    print(f"{model} was recreated to the bit in {rebuilt} ({len(names)} files, sha256 {sha256(model)})")


def _model_folder(stage: str) -> Path:
    return Path("models") / MODELS[stage]

"""One group for a pipeline run, an experiment or a sweep, named by what made it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundling.settings import Job
from foundling.tracking import names as names_module
from foundling.tracking.names import names
from foundling.tracking.settings import resolve

RUN, MULTIRUN = (SimpleNamespace(name=name) for name in ("RUN", "MULTIRUN"))


@pytest.fixture
def named(root: Path, monkeypatch: pytest.MonkeyPatch, job: Callable[..., Any]) -> Callable[..., Any]:
    """Names of a stage's run as Hydra would start it, at commit 0123456789."""
    monkeypatch.setattr(names_module, "git", lambda *_: "0123456789")

    def name(stage: str, *overrides: str, mode: Any = RUN, experiment: str | None = None) -> Any:
        made: Job = job(*overrides)
        hydra = SimpleNamespace(
            mode=mode,
            sweep=SimpleNamespace(dir=f"multirun/{stage}/2026-01-01_00-00-00"),
            overrides=SimpleNamespace(task=["model=micro", *overrides]),
            runtime=SimpleNamespace(
                choices={"experiment": experiment, "model": "micro", "corpus": "fables", "optimizer": "muon"}
            ),
        )
        monkeypatch.setattr(names_module, "_hydra", lambda: hydra)
        Path("params.yaml").write_text("model: micro\n")
        if not Path("conf").exists():
            Path("conf").symlink_to(root / "conf")
        return names(made, stage, resolve(made.settings.runtime.logger))

    return name


def test_the_stages_of_a_pipeline_run_share_a_group(named: Callable[..., Any]) -> None:
    groups = {named(stage).group for stage in ("tokenize", "pretrain", "evaluate")}
    assert len(groups) == 1
    assert groups.pop().startswith("default-0123456-")


def test_other_settings_code_commits_or_experiments_are_another_group(
    named: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [named("pretrain").group, named("pretrain", "seed=2").group]
    groups.append(named("pretrain", experiment="smollm2").group)
    Path("code.yaml").write_text("pretrain: 1\n")
    groups.append(named("pretrain").group)
    monkeypatch.setenv("DVC_EXP_NAME", "famed-newt")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "fedcba9876")
    groups.append(named("pretrain").group)
    assert len(set(groups)) == len(groups)
    assert groups[2].startswith("smollm2-0123456-")
    assert groups[4].startswith("famed-newt-fedcba9-")


def test_a_sweep_is_one_group_with_its_overrides(named: Callable[..., Any]) -> None:
    one, other = (named("pretrain", f"seed={seed}", "model.n_layer=1", mode=MULTIRUN) for seed in (1, 2))
    assert one.group == other.group == "pretrain-2026-01-01_00-00-00"
    assert (one.name, other.name) == ("seed=1,model.n_layer=1", "seed=2,model.n_layer=1")
    assert other.overrides == {"seed": "2", "model.n_layer": "1"}  # without params.yaml's


def test_a_sweep_of_wandbs_own_is_one_group(
    named: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "k3")
    assert named("pretrain", "seed=2", mode=MULTIRUN).group == "sweep-k3"


def test_a_run_is_tagged_with_its_choices_and_has_the_names_that_were_set(
    named: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert named("pretrain").tags == ("default", "fables", "micro")
    monkeypatch.setenv("WANDB_RUN_GROUP", "friday")
    monkeypatch.setenv("WANDB_TAGS", "a, micro")
    made = named("pretrain", "runtime.logger.name=mine")
    assert (made.name, made.group, made.tags) == ("mine", "friday", ("a", "micro", "default", "fables"))

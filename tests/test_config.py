import shutil
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

from foundling import config
from foundling.overrides import prepare
from foundling.selection import selected
from foundling.settings import Job


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own: the real conf/, to be changed at will, and a selection."""
    shutil.copytree(root / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def select(project: Path, **values: object) -> None:
    (project / "params.yaml").write_text(yaml.safe_dump(values))


def composed(*arguments: str, command: str | None = None) -> DictConfig:
    """The config of a single run, as it is checked; Hydra composes the same from the arguments."""
    made = prepare(command, arguments)
    assert made.config is not None
    return made.config


def recipe(*arguments: str) -> dict:
    return Job.of(composed(*arguments)).recipe


def test_the_selection_chooses_groups_and_sets_values(project: Path) -> None:
    select(project, model="small", set={"pretrain": {"max_steps": 7, "sample": {"prompt": "It's {a}, b=c"}}})
    made = recipe()
    assert made["model"]["n_layer"] == 6
    assert made["pretrain"]["max_steps"] == 7
    assert made["pretrain"]["sample"]["prompt"] == "It's {a}, b=c"


def test_the_file_of_a_sweep_by_wandb_is_no_choice(project: Path) -> None:
    assert (project / "conf/sweep/wandb.yaml").is_file()
    assert "wandb" not in config.groups().get("sweep", [])


def test_the_command_line_weighs_more_than_the_selection(project: Path) -> None:
    select(project, model="small", set={"pretrain": {"max_steps": 7}})
    made = recipe("model=micro", "pretrain.max_steps=8")
    assert (made["model"]["n_layer"], made["pretrain"]["max_steps"]) == (2, 8)
    assert "model=small" not in prepare(None, ["-m", "model=micro,nano"]).arguments


def test_flags_come_before_all_overrides(project: Path) -> None:
    select(project, model="small")
    assert prepare(None, ["-m", "seed=1,2"]).arguments == ["-m", "model=small", "seed=1,2"]
    assert prepare(None, ["--multirun"]).arguments == ["--multirun", "model=small"]
    assert prepare(None, ["seed=1,2", "-m", "model=nano"]).arguments == ["-m", "seed=1,2", "model=nano"]


def test_an_experiment_replaces_the_selections_groups_but_not_its_values_or_the_command_line(
    project: Path,
) -> None:
    (project / "conf/experiment").mkdir(exist_ok=True)
    (project / "conf/experiment/tiny.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: micro\n  - _self_\npretrain:\n  max_steps: 3\n"
    )
    select(project, model="small", optimizer="adamw", set={"pretrain": {"batch_size": 2}})
    made = recipe("experiment=tiny")
    assert (made["model"]["n_layer"], made["pretrain"]["max_steps"], made["pretrain"]["batch_size"]) == (
        2,
        3,
        2,
    )
    assert "adamw" in made["pretrain"]["optimizer"]["_target_"]
    assert recipe("experiment=tiny", "model=nano")["model"]["n_layer"] == 4
    select(project, model="small", experiment="tiny")
    assert recipe()["model"]["n_layer"] == 2


def test_an_experiment_may_build_on_another(project: Path) -> None:
    select(project, corpus="fables", model="small", instruct="fables")
    books, bank = (recipe(f"experiment={name}") for name in ("books", "bank_assistant"))
    assert bank["instruct"]["dataset"]["name"] == "bank"
    assert all(bank[name] == books[name] for name in ("corpus", "tokenizer", "model", "pretrain"))


def test_equal_settings_compose_to_equal_text_without_runtime_times_or_paths(project: Path) -> None:
    made = recipe()
    assert made == recipe("runtime.workers=3", "logger=none")
    assert "runtime" not in made
    assert str(project) not in yaml.safe_dump(made)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("modell=small", "unknown setting or group modell; did you mean model"),
        ("model=smal", "model=smal is not one of conf/model; did you mean small"),
        ("model=nano,smal", "model=smal is not one of"),
        (
            "pretrain.max_step=3",
            "unknown setting or group pretrain.max_step; did you mean pretrain.max_steps",
        ),
        ("lr=1e-3", "did you mean .*pretrain.optimizer.lr"),
        ("model.n_embd={", "cannot be read"),
        ("pretrain.sample.promt=x", "did you mean pretrain.sample.prompt"),
    ],
)
def test_unknown_names_are_errors_with_similar_ones(project: Path, argument: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        prepare(None, ["-m", argument])


@pytest.mark.parametrize(
    "arguments",
    [
        ["model=nano,small", "pretrain.optimizer.lr=1e-3,3e-4"],
        ["+pretrain.note=x"],
        ["hydra.sweep.dir=here"],
        ["seed=range(1,4)"],
        ["experiment=null"],
        ["corpus.sources.0.weight=2"],
        ["pretrain.max_steps=1e3", "runtime.progress=false", "model.n_kv_head=null", "pretrain.seed=${seed}"],
    ],
)
def test_what_is_known_passes(project: Path, arguments: list[str]) -> None:
    prepare(None, ["-m", *arguments])


def test_a_selection_that_is_not_a_mapping_is_refused(project: Path) -> None:
    (project / "params.yaml").write_text("- model\n")
    with pytest.raises(ValueError, match=r"params\.yaml is of type list"):
        selected()
    select(project, set="x")
    with pytest.raises(ValueError, match="`set` is 'x'"):
        selected()


def test_outside_of_a_project_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no conf/config\.yaml in .*run foundling in the root"):
        config.compose([])


def test_a_commands_own_settings_need_no_section_and_no_quotes(project: Path) -> None:
    made = composed("prompt=It's {a}, b=c", "model=models/x", "count=2", "seed=3", command="generate")
    assert made.generate.prompt == "It's {a}, b=c"
    assert (made.generate.model, made.generate.count, made.generate.seed) == ("models/x", 2, 3)

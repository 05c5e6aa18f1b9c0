"""The config overrides W&B's environment variables, these its settings files, these our defaults."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundling.settings.runtime import Logger
from foundling.tracking.settings import resolve

UNSET = Logger(wandb="auto", project=None, entity=None, group=None, name=None, tags=())
VARIABLES = {
    "project": "WANDB_PROJECT",
    "entity": "WANDB_ENTITY",
    "group": "WANDB_RUN_GROUP",
    "name": "WANDB_NAME",
}


def write(folder: str, **settings: str) -> None:
    """A settings file as W&B's own commands write it."""
    Path(folder).mkdir(exist_ok=True)
    lines = [f"{key} = {value}\n" for key, value in settings.items()]
    (Path(folder) / "settings").write_text("[default]\n" + "".join(lines))


def test_nothing_set_means_our_project_and_auto() -> None:
    made = resolve(UNSET)
    assert (made.mode, made.project, made.entity, made.group, made.name, made.tags) == (
        "auto", "foundling", None, None, None, (),
    )  # fmt: skip
    assert (made.host, made.folder) == (None, Path())


@pytest.mark.parametrize(("setting", "variable"), VARIABLES.items())
def test_config_then_environment_then_files(
    setting: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"group": "run_group", "name": "run_name"}.get(setting, setting)
    write("config", **{key: "users"})
    assert getattr(resolve(UNSET), setting) == "users"
    write("wandb", **{key: "projects"})
    assert getattr(resolve(UNSET), setting) == "projects"
    monkeypatch.setenv(variable, "environments")
    assert getattr(resolve(UNSET), setting) == "environments"
    assert getattr(resolve(replace(UNSET, **{setting: "configs"})), setting) == "configs"
    monkeypatch.setenv(variable, "")
    assert getattr(resolve(UNSET), setting) == "projects"


def test_tags_are_a_list_or_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_TAGS", "first, tiny")
    assert resolve(UNSET).tags == ("first", "tiny")
    assert resolve(replace(UNSET, tags=("one", 2))).tags == ("one", "2")


@pytest.mark.parametrize("value", ["true", "True", "1", "yes"])
def test_wandb_disabled_switches_it_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DISABLED", value)
    monkeypatch.setenv("WANDB_MODE", "online")
    assert resolve(UNSET).mode == "disabled"
    assert resolve(replace(UNSET, wandb="offline")).mode == "offline"  # the config wins
    monkeypatch.setenv("WANDB_DISABLED", "false")
    assert resolve(UNSET).mode == "online"


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("online", "online"),
        ("run", "online"),
        ("offline", "offline"),
        ("dryrun", "offline"),
        ("disabled", "disabled"),
    ],
)
def test_each_mode_of_wandb_is_known(word: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", word)
    assert resolve(UNSET).mode == mode
    monkeypatch.delenv("WANDB_MODE")
    write("wandb", mode=word)
    assert resolve(UNSET).mode == mode


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "mode"), [("disabled", "disabled"), ("offline", "offline"), ("enabled", "online")]
)
def test_what_the_command_of_wandb_wrote_is_read(command: str, mode: str) -> None:
    subprocess.run([Path(sys.executable).with_name("wandb"), command], check=True, capture_output=True)
    assert resolve(UNSET).mode == mode


def test_the_folder_and_the_server_are_wandbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("config", base_url="https://wandb.example.org")
    assert resolve(UNSET).host == "https://wandb.example.org"
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    assert (resolve(UNSET).host, resolve(UNSET).folder) == ("http://127.0.0.1:9", tmp_path / "elsewhere")


def test_an_experiment_in_dvcs_queue_logs_to_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / ".dvc/tmp/exps/tmp0123"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert resolve(UNSET).folder == tmp_path


@pytest.mark.parametrize(
    "text", ["mode = disabled", "[default", "[default]\nmode = %(x", "[other]\nmode = disabled\n"]
)
def test_a_settings_file_that_wandb_cannot_read_counts_as_none(text: str) -> None:
    write("wandb")
    Path("wandb/settings").write_text(text)
    assert resolve(UNSET).mode == "auto"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"project": "a/b"},
            r"runtime\.logger\.project='a/b' contains /, which W&B does not accept; name the team in",
        ),
        ({"project": "50%"}, r"project='50%' contains %, which W&B does not accept; choose another"),
        ({"project": "x" * 129}, "129 characters; W&B accepts 1 to 128 printable characters"),
        ({"entity": "a/b"}, r"runtime\.logger\.entity='a/b' contains /"),
        ({"group": "x" * 129}, r"runtime\.logger\.group='x+': 129 characters"),
        (
            {"name": "a\nb"},
            r"runtime\.logger\.name='a\\nb': 3 characters; W&B accepts 1 to 128 printable characters",
        ),
        ({"tags": ("x" * 65,)}, "65 characters; W&B accepts 1 to 64 printable characters"),
    ],
)
def test_a_name_that_wandb_refuses_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(replace(UNSET, **changes))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WANDB_PROJECT", "a/b", r"^WANDB_PROJECT='a/b' contains /, which W&B does not accept"),
        ("WANDB_RUN_GROUP", "x" * 200, r"^WANDB_RUN_GROUP='x+': 200 characters"),
        ("WANDB_TAGS", "a,,b", r"^WANDB_TAGS='': 0 characters"),
        (
            "WANDB_MODE",
            "of",
            r"^WANDB_MODE='of': must be one of online, run, offline, dryrun, disabled",
        ),
    ],
)
def test_the_variable_is_named(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=message):
        resolve(UNSET)


@pytest.mark.parametrize("command", ["tokenize", "pretrain", "train_translator", "evaluate"])
def test_a_stage_refuses_a_name_before_torch_is_loaded(command: str, bare_project: Path) -> None:
    environment = os.environ | {"WANDB_PROJECT": "a/b", "PYTHONPROFILEIMPORTTIME": "1"}
    began = time.process_time()
    done = subprocess.run(
        [sys.executable, "-m", "foundling", command],
        cwd=bare_project,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert time.process_time() - began < 10
    assert done.returncode == 1
    assert "\nfoundling: WANDB_PROJECT='a/b' contains /" in done.stderr
    imported = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "foundling.tracking.settings" in imported
    assert not imported & {"torch", "lightning", "wandb"}

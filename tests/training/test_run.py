"""A training stage publishes all its results at the end, and its components are those of the config."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foundling.artifacts import read_json
from foundling.data.datamodule import TrainingData
from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.evaluation.samples import Sample
from foundling.model.gpt import GPT
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT
from foundling.training import run as run_module
from foundling.training.language import LanguageModule
from foundling.training.module import Loop, TrainingModule
from foundling.training.run import TrainingRun

STAGES = ("pretrain", "classify", "instruct", "train_translator")
TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT])


class Tokens:
    train = [Source("circle", 1.0, np.arange(300, dtype=np.uint16) % 10, 300)]
    validation = [Source("circle", 1.0, np.arange(40, dtype=np.uint16) % 10, 40)]


@pytest.fixture
def train(
    job: Callable[..., Any], gpt_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """A stage in small: two steps, a model, metrics, and curves."""
    (tmp_path / "conf").symlink_to(Path("conf").resolve())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meta.json").write_text("{}")

    def train(seed: int, logger: str = "logger=none") -> None:
        made = job("trainer=cpu", logger, "runtime.progress=false", f"pretrain.seed={seed}", out=tmp_path)
        training = TrainingRun(made, "pretrain", sections=["pretrain"], inputs=[Path("meta.json")])
        torch.manual_seed(seed)
        network, settings = GPT(gpt_config("micro", vocab_size=257, context=16)), made.settings.pretrain
        data = LanguageData(Tokens(), 16, 4, 2, seed, workers=0)  # type: ignore[arg-type]
        schedule = settings.schedule.build(max_steps=2)
        module = LanguageModule(network, settings.optimizer.partial(), schedule, data.validation_bytes)
        measures = training.fit(module, data, Loop(settings, max_steps=2, validate_every=2))
        training.save_model("base", network, TOKENIZER, measures)
        training.write_lines("plots/texts.jsonl", [Sample("", "", seed)])
        training.publish()

    return train


def published(folder: Path) -> dict[str, bytes]:
    files = [file for part in ("models", "metrics", "plots") for file in (folder / part).rglob("*")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("name", ["run_record", "publish"])
def test_a_failure_late_in_a_stage_leaves_all_old_results(
    train: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    train(1)
    before = published(tmp_path)
    assert {"models/base/model.safetensors", "metrics/pretrain_run.json", "plots/pretrain.csv"} <= set(before)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="disk full"):
        patched.setattr(run_module, name, fail)
        train(2)
    assert published(tmp_path) == before
    train(2)
    after = published(tmp_path)
    assert set(after) == set(before)
    assert after["models/base/model.safetensors"] != before["models/base/model.safetensors"]
    assert after["plots/texts.jsonl"] == b'{"prompt": "", "text": "", "seed": 2}\n'
    assert not list(Path("scratch/pretrain").iterdir())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_changes_no_result_and_a_failure_of_it_fails_no_training(
    train: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import wandb

    def without_records() -> dict[str, bytes]:
        return {name: content for name, content in published(tmp_path).items() if "_run.json" not in name}

    def warnings() -> list[str]:
        return [record.message for record in caplog.records if record.name == "foundling.tracking.run"]

    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("the service is gone")

    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    train(1)
    before = without_records()
    train(1, "runtime.logger.wandb=offline")
    assert without_records() == before
    assert read_json(tmp_path / "metrics/pretrain_run.json")["wandb"].startswith("offline, run ")
    assert len(list((tmp_path / "WANDB_DIR/wandb").glob("offline-run-*/*.wandb"))) == 1
    assert not warnings()
    monkeypatch.setattr(wandb.Run, "log", fail)
    train(1, "runtime.logger.wandb=offline")
    assert without_records() == before
    assert warnings() == ["W&B: cannot log a row, nor anything after it (the service is gone)"]
    caplog.clear()
    monkeypatch.setattr(wandb, "init", fail)
    train(1, "runtime.logger.wandb=offline")
    assert without_records() == before
    assert warnings() == ["W&B: cannot log (the service is gone)"]
    assert read_json(tmp_path / "metrics/pretrain_run.json")["wandb"] is None


def test_further_processes_of_a_training_write_nothing(
    train: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "fit", lambda *_, **__: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit) as ended:
        train(1)
    assert ended.value.code == 0
    assert published(tmp_path) == {}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_names_its_parts(job: Callable[..., Any], stage: str) -> None:
    settings = getattr(job().settings, stage)
    assert issubclass(settings.module.partial().func, TrainingModule)
    assert issubclass(settings.data.partial().func, TrainingData)


def test_a_users_own_module_takes_the_place_of_ours(
    job: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_task.py").write_text(
        "from foundling.training.language import LanguageModule\n"
        "class Scaled(LanguageModule):\n"
        "    def __init__(self, *arguments, factor, **options):\n"
        "        super().__init__(*arguments, **options)\n"
        "        self.factor = factor\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = job("pretrain.module._target_=own_task.Scaled", "+pretrain.module.factor=2").settings.pretrain
    module = settings.module.build(torch.nn.Linear(1, 1), len, len, validation_bytes=3)
    assert (type(module).__name__, module.factor, module.validation_bytes) == ("Scaled", 2, 3)
    missing = job("pretrain.module._target_=own_task.Missing").settings.pretrain
    with pytest.raises(ValueError, match=r"_target_=own_task\.Missing: cannot be imported"):
        missing.module.partial()

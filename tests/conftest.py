"""Tiny models and the project's conf/ for all tests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
for name in [name for name in os.environ if name.startswith("WANDB_")]:
    del os.environ[name]  # a user's own W&B settings are not the tests'
os.environ["WANDB_MODE"] = "disabled"
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session", autouse=True)
def bare_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where tests run: a project with conf/ alone, so that no test reads what runs left in the real one."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "conf").symlink_to(ROOT / "conf")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield folder


@pytest.fixture(scope="session", autouse=True)
def absl_closes_no_captured_stream() -> None:
    """absl (of rouge-score) closes its stream when Hydra sets up logging; that must not be pytest's."""
    from absl import logging

    logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real data; tests that need it are skipped without it."""
    if "FOUNDLING_MIRROR" not in os.environ:
        pytest.skip("FOUNDLING_MIRROR is not set: no real data here")
    return Path(os.environ["FOUNDLING_MIRROR"])


@pytest.fixture(scope="session")
def wandb_records() -> Callable[[Path], dict[str, list[Any]]]:
    """A reader of an offline run's file by wandb's own program: the records by type, in order."""

    def read(run: Path) -> dict[str, list[Any]]:
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(run)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        records: dict[str, list[Any]] = {}
        for line in done.stdout.splitlines():
            record = json.loads(line)
            records.setdefault(record["type"], []).append(record[record["type"]])
        return records

    return read


@pytest.fixture
def job() -> Callable[..., Any]:
    """A maker of Jobs: the project's conf/ composed with overrides, writing below `out`."""

    def make(*overrides: str, out: Path | None = None) -> Any:
        from foundling.config import compose
        from foundling.settings import Job

        with chdir(ROOT):
            config = compose(list(overrides))
        return Job.of(config, out or Path())

    return make


@pytest.fixture(scope="session")
def classify_metrics() -> Callable[..., Any]:
    """A maker of metrics/classify.json, made up but for the models' scores and the changes."""

    def make(models: dict[str, Any], **changes: Any) -> Any:
        from foundling.metrics.accuracy import BenchmarkAccuracy
        from foundling.metrics.classify import BeforeAndAfter, Best, Classify, Texts, Training
        from foundling.metrics.forgetting import Forgetting

        arc = BenchmarkAccuracy(n=200, accuracy=0.5, low=0.4, high=0.6, chance=0.25)
        before, after = (
            Forgetting(val_loss=loss, val_perplexity=12.0, benchmarks={"arc_easy": arc})
            for loss in (2.5, 3.25)
        )
        counts = {
            "read": 5500,
            "missing": 0,
            "duplicates": 9,
            "contradicting": 0,
            "left_out_files": 0,
            "truncated": 3,
        }
        values = {
            "dataset": "fables_messages",
            "texts": Texts(**counts, train=4000, validation=500, test=600),
            "changes": {},
            "training": Training(
                train="all",
                parameters=1_000_000,
                steps=750,
                best=Best(step=600, val_loss=0.1, val_accuracy=0.9),
            ),
            "models": models,
            "left_out": {},
            "forgetting": BeforeAndAfter(before=before, after=after),
        }
        return Classify(**(values | changes))

    return make


@pytest.fixture(scope="session")
def gpt_config() -> Callable[..., Any]:
    """A maker of GPTConfigs: conf/model/<name>.yaml with changes."""

    def make(name: str = "micro", vocab_size: int = 50, **changes: Any) -> Any:
        from foundling.model.config import GPTConfig
        from foundling.validation import build

        values = yaml.safe_load((ROOT / "conf/model" / f"{name}.yaml").read_text())
        return build(GPTConfig, {"vocab_size": vocab_size, **values, **changes}, "model")

    return make

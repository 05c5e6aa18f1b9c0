"""A schema writes the keys of its file and reads them back; an invalid file is named in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundling.metrics import from_plain, read_metrics, to_plain, write_metrics
from foundling.metrics.pretrain import Pretrain
from foundling.metrics.run import Run

VALUES = {"val/loss": 1.5, "val/perplexity": 4.5, "val/bits_per_byte": 0.5, "tokens": 4096, "parameters": 64}
RUN = Run(
    weights_sha256="ab",
    commit=None,
    dirty=None,
    overrides=("seed=1",),
    python="3.11",
    machine="Linux",
    device="CPU",
    seconds={"training": 1.0},
    tokens_per_second=3,
    wandb=None,
)


def test_a_file_holds_the_names_of_metrics_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pretrain.json"
    metrics = Pretrain(val_loss=1.5, val_perplexity=4.5, val_bits_per_byte=0.5, tokens=4096, parameters=64)
    write_metrics(path, metrics)
    assert list(json.loads(path.read_text()).items()) == list(VALUES.items())
    assert read_metrics(path, Pretrain) == metrics


def test_only_fields_with_a_default_are_left_out(tmp_path: Path) -> None:
    values = to_plain(RUN)
    assert values["wandb"] is None
    assert values["overrides"] == ["seed=1"]
    assert "microbatches" not in values
    assert from_plain(values, Run, "run.json") == RUN


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"val/loss": "low"}, "m.json: val/loss='low': must be a number, not a string; run the stage"),
        ({"val_los": 1.5}, "m.json: val_los: unknown key"),
        ({"tokens": 1.5}, "m.json: tokens=1.5: must be an integer"),
    ],
)
def test_a_wrong_value_is_named_with_the_file(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        from_plain(VALUES | change, Pretrain, "m.json")
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ValueError, match=r"m\.json: parameters is missing"):
        from_plain({k: v for k, v in VALUES.items() if k != "parameters"}, Pretrain, "m.json")
